//! A node in the hands of a test: its power, its cables, and a look inside.

use std::{path::Path, process::Command};

use crate::{ClusterError, guard::ip, network, output, part};

use super::Machinery;

/// One node of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    pub(crate) machinery: Machinery<'a>,
}

impl Node<'_> {
    /// Its name, as Kubernetes knows it: `node1` and so on.
    pub fn name(&self) -> String {
        network::node_name(self.machinery.number)
    }

    /// Its address on the bridge, where the machine reaches the ports of Services of type `NodePort`.
    pub fn address(&self) -> String {
        network::node_address(self.machinery.number)
    }

    /// Cuts the power: all that runs on it is gone at once, its volumes and images stay.
    ///
    /// # Errors
    ///
    /// [`ClusterError::TimedOut`] when something survives.
    pub fn power_off(&self) -> Result<(), ClusterError> {
        self.machinery.power_off()
    }

    /// Switches it on again; returns when its daemons have started. One that is on stays as it is,
    /// but what has ended on it is started again.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it does not boot.
    pub fn power_on(&self) -> Result<(), ClusterError> {
        self.machinery.boot()?;
        self.machinery.start_daemons()
    }

    /// Unplugs it: nobody reaches it and it reaches nobody, while all that is on it runs on.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Refused`] when it is off.
    pub fn cut(&self) -> Result<(), ClusterError> {
        ip(&["link", "set", &self.cable(), "down"])
    }

    /// Plugs it in again.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Refused`] when it is off.
    pub fn heal(&self) -> Result<(), ClusterError> {
        ip(&["link", "set", &self.cable(), "up"])?;
        // The machine forgets the way through a cable that is unplugged.
        let pods = network::node_pods(self.machinery.number);
        ip(&["route", "replace", &pods, "via", &self.address()])
    }

    /// Lets no packet pass between it and `other`, or the pods on them; both reach everybody else.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it is off.
    pub fn cut_from(&self, other: &Node<'_>) -> Result<(), ClusterError> {
        self.heal_from(other)?;
        for rule in rules_between(other.machinery.number) {
            self.mangle("--insert", &rule)?;
        }
        Ok(())
    }

    /// Undoes [`cut_from`](Self::cut_from) with the same node.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it is off.
    pub fn heal_from(&self, other: &Node<'_>) -> Result<(), ClusterError> {
        for rule in rules_between(other.machinery.number) {
            while self.mangle("--check", &rule).is_ok() {
                self.mangle("--delete", &rule)?;
            }
        }
        Ok(())
    }

    /// A command that runs inside it, as root, in its namespaces.
    ///
    /// # Errors
    ///
    /// [`ClusterError::NodeOff`]
    pub fn command(&self, program: &str) -> Result<Command, ClusterError> {
        let mut command = self.machinery.inside(Path::new(program))?;
        command.env("PATH", part::search_path());
        Ok(command)
    }

    fn mangle(&self, action: &str, rule: &[String]) -> Result<(), ClusterError> {
        let mut command = self.command("iptables")?;
        command
            .args(["--wait", "--table", "mangle", action])
            .args(rule);
        output::of(&mut command).map(drop)
    }

    fn cable(&self) -> String {
        network::node_cable(self.machinery.number)
    }
}

/// What a node must drop to have nothing to do with another. After the kernel has replaced a
/// Service's address by a pod's, and before it does so with what comes back.
fn rules_between(other: usize) -> Vec<Vec<String>> {
    let addresses = [network::node_address(other), network::node_pods(other)];
    let rule = |words: [&str; 5]| words.map(str::to_owned).to_vec();
    addresses
        .iter()
        .flat_map(|address| {
            [
                rule(["POSTROUTING", "-d", address, "-j", "DROP"]),
                rule(["PREROUTING", "-s", address, "-j", "DROP"]),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_between_two_nodes_holds_for_their_pods_too() {
        let lines: Vec<String> = rules_between(2).iter().map(|it| it.join(" ")).collect();
        assert_eq!(
            lines,
            [
                "POSTROUTING -d 10.89.0.12 -j DROP",
                "PREROUTING -s 10.89.0.12 -j DROP",
                "POSTROUTING -d 10.244.2.0/24 -j DROP",
                "PREROUTING -s 10.244.2.0/24 -j DROP",
            ]
        );
    }
}

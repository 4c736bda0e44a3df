//! The bridge between machine and nodes, and the leak guard: no packet of a pod or a node, and
//! none for one, ever leaves the machine.
//!
//! Nodes have no default route, so there is normally nothing to guard. But a Service address that
//! kube-proxy does not know (yet), or a pod's that is gone, would follow the machine's default
//! route. So they get routes that end here, and two chains of the firewall drop what goes astray
//! and count it: one whatever comes in from the bridge and is not for us, one whatever would leave
//! by any other device. The second can only see what the first let through: it should stay at 0.

use std::process::Command;

use crate::{ClusterError, network, output, part};

/// Whatever comes in from the bridge.
const INCOMING: Chain = Chain {
    table: "raw",
    hook: &["PREROUTING", "-i", network::BRIDGE],
    name: "SESSIONSTORE-GUARD",
};

/// Whatever leaves, by whichever device.
const OUTGOING: Chain = Chain {
    table: "mangle",
    // The machine talking to its own address on the bridge is on loopback, which is none of ours.
    hook: &["POSTROUTING", "!", "-o", "lo"],
    name: "SESSIONSTORE-LEAK",
};

struct Chain {
    table: &'static str,
    /// A chain of the kernel, and what of it is meant.
    hook: &'static [&'static str],
    name: &'static str,
}

impl Chain {
    fn rules(&self) -> Vec<Vec<&'static str>> {
        use network::{BRIDGE, NODES, PODS, SERVICES};
        if self.table == INCOMING.table {
            // What goes to nodes and pods has a route that ends on this machine.
            vec![
                vec!["-d", NODES, "-j", "RETURN"],
                vec!["-d", PODS, "-j", "RETURN"],
                vec!["-j", "DROP"],
            ]
        } else {
            let mut rules = vec![vec!["-o", BRIDGE, "-j", "RETURN"]];
            for address in [NODES, PODS, SERVICES] {
                rules.push(vec!["-s", address, "-j", "DROP"]);
                rules.push(vec!["-d", address, "-j", "DROP"]);
            }
            rules
        }
    }

    fn iptables(&self, args: &[&str]) -> Result<String, ClusterError> {
        let mut command = Command::new("iptables");
        command
            .env("PATH", part::search_path())
            .args(["--wait", "--table", self.table])
            .args(args);
        output::of(&mut command)
    }

    fn ensure(&self) -> Result<(), ClusterError> {
        if self.hook("--check").is_ok() {
            return Ok(());
        }
        self.remove();
        self.iptables(&["--new-chain", self.name])?;
        for rule in self.rules() {
            self.iptables(&[&["--append", self.name], rule.as_slice()].concat())?;
        }
        // Before anybody else's rules, and only when it is complete.
        self.hook("--insert")
    }

    fn hook(&self, action: &str) -> Result<(), ClusterError> {
        let rule = [&[action], self.hook, &["-j", self.name]].concat();
        self.iptables(&rule).map(drop)
    }

    /// Each step fails if there is nothing to remove. The hook is looked up, since an earlier
    /// version of this program may have made it in other words.
    fn remove(&self) {
        let hooks = self.iptables(&["--list-rules", self.hook[0]]);
        for rule in hooks.iter().flat_map(|it| rules_to(self.name, it)) {
            let _ = self.iptables(&[&["--delete"], rule.as_slice()].concat());
        }
        let _ = self.iptables(&["--flush", self.name]);
        let _ = self.iptables(&["--delete-chain", self.name]);
    }

    /// How many packets it has dropped.
    fn dropped(&self) -> Result<u64, ClusterError> {
        let list = self.iptables(&["--list", self.name, "--numeric", "--verbose", "--exact"])?;
        Ok(dropped(&list))
    }
}

/// The rules of a list that lead to `chain`, as they are deleted.
fn rules_to<'a>(chain: &str, list: &'a str) -> Vec<Vec<&'a str>> {
    list.lines()
        .filter_map(|line| line.strip_prefix("-A "))
        .map(|rule| rule.split_whitespace().collect::<Vec<_>>())
        .filter(|rule| rule.ends_with(&["-j", chain]))
        .collect()
}

/// Adds up the packets of all rules that drop.
fn dropped(list: &str) -> u64 {
    list.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.get(2) == Some(&"DROP"))
        .filter_map(|words| words.first()?.parse::<u64>().ok())
        .sum()
}

/// What the leak guard has seen since the cluster came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaks {
    /// Packets from the bridge that were not for this machine: dropped as they came in.
    pub stopped: u64,
    /// Packets that would have left the machine, by any device but the bridge: dropped as they
    /// went out.
    pub escaping: u64,
}

/// Where everything goes that has no better route. What an earlier cluster has left in the queues of
/// its connections would otherwise be sent as soon as the address is there again.
const DEAD_ENDS: [&str; 2] = [network::NODES, network::PODS];

/// Makes bridge, routes and guard, in an order in which nothing can leak: the address comes last.
pub(crate) fn up() -> Result<(), ClusterError> {
    OUTGOING.ensure()?;
    INCOMING.ensure()?;
    if ip(&["link", "show", network::BRIDGE]).is_err() {
        ip(&["link", "add", network::BRIDGE, "type", "bridge"])?;
    }
    ip(&["link", "set", network::BRIDGE, "up"])?;
    for addresses in DEAD_ENDS {
        let mut route = vec!["route", "replace"];
        route.extend(dead_end(addresses));
        ip(&route)?;
    }
    ip(&[
        "route",
        "replace",
        network::SERVICES,
        "dev",
        network::BRIDGE,
    ])?;
    let address = format!("{}/24", network::MACHINE);
    ip(&["address", "replace", &address, "dev", network::BRIDGE])
}

/// Removes all of it; what is not there is no error.
pub(crate) fn down() {
    let _ = ip(&["link", "delete", network::BRIDGE]);
    for addresses in DEAD_ENDS {
        let mut route = vec!["route", "delete"];
        route.extend(dead_end(addresses));
        let _ = ip(&route);
    }
    INCOMING.remove();
    OUTGOING.remove();
}

fn dead_end(addresses: &str) -> [&str; 4] {
    ["blackhole", addresses, "metric", "4096"]
}

pub(crate) fn leaks() -> Result<Leaks, ClusterError> {
    Ok(Leaks {
        stopped: INCOMING.dropped()?,
        escaping: OUTGOING.dropped()?,
    })
}

pub(crate) fn ip(args: &[&str]) -> Result<(), ClusterError> {
    output::of(
        Command::new("ip")
            .env("PATH", part::search_path())
            .args(args),
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_packets_of_all_rules_add_up() {
        let list = "\
Chain SESSIONSTORE-LEAK (1 references)
    pkts      bytes target     prot opt in     out     source               destination
 1000000 2000000 RETURN     0    --  *      sstore0  0.0.0.0/0            0.0.0.0/0
       3      252 DROP       0    --  *      *       10.89.0.0/24         0.0.0.0/0
       4      336 DROP       0    --  *      *       0.0.0.0/0            10.244.0.0/16
";
        assert_eq!(dropped(list), 7);
    }

    #[test]
    fn a_hook_is_found_in_whichever_words_it_was_made() {
        let list = "\
-P PREROUTING ACCEPT
-A PREROUTING -i sstore0 -j SESSIONSTORE-GUARD
-A PREROUTING -j OTHER
-A PREROUTING -j SESSIONSTORE-GUARD
";
        let rules = rules_to("SESSIONSTORE-GUARD", list);
        let [first, second] = [
            "PREROUTING -i sstore0 -j SESSIONSTORE-GUARD",
            "PREROUTING -j SESSIONSTORE-GUARD",
        ]
        .map(|it| it.split(' ').collect::<Vec<_>>());
        assert_eq!(rules, [first, second]);
    }

    #[test]
    fn whatever_is_not_for_a_node_or_a_pod_is_stopped_at_the_bridge() {
        let rules = INCOMING.rules();
        assert_eq!(rules.last().unwrap(), &["-j", "DROP"]);
        let let_through = rules.iter().filter(|it| it.contains(&"RETURN"));
        assert_eq!(let_through.count(), 2);
    }

    #[test]
    fn nothing_of_the_cluster_leaves_by_another_device() {
        let rules = OUTGOING.rules();
        for address in [network::NODES, network::PODS, network::SERVICES] {
            for direction in ["-s", "-d"] {
                assert!(rules.contains(&vec![direction, address, "-j", "DROP"]));
            }
        }
    }
}

//! A node: PID, mount, network and UTS namespaces of its own, with a containerd and a kubelet that
//! know of nothing else. Its power switch is the first process: when that is killed, everything
//! goes at once, as when a machine loses its power.

pub(crate) mod cgroups;
mod files;
mod handle;

use std::{
    fs,
    ops::ControlFlow::{Break, Continue},
    path::PathBuf,
    process::Command,
};

pub use handle::Node;

use crate::{
    ClusterError,
    folder::{Folder, write},
    guard::ip,
    limits,
    machine::COVERED,
    network,
    part::{self, Part, kill_all},
    programs::Programs,
    record::Record,
    wait::until,
};

use files::Files;

const INIT: &str = include_str!("init.sh");

/// The name of a node's cgroups.
pub(crate) fn cgroup_name(number: usize) -> String {
    format!("sessionstore-node{number}")
}

/// The first process of a node.
pub(crate) fn init(number: usize) -> Part {
    Part::of_a_node("pause", &network::node_name(number))
}

/// What runs on a node, in the order in which it starts.
pub(crate) fn daemons(number: usize) -> [Part; 5] {
    ["containerd", "kubelet", "kube-proxy", "volumes", "firewall"]
        .map(|program| Part::of_a_node(program, &network::node_name(number)))
}

/// The inner works of a node: what handle and cluster have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machinery<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) record: &'a Record,
    pub(crate) programs: &'a Programs,
    pub(crate) number: usize,
}

impl Machinery<'_> {
    /// Switches the node on; returns when its containerd answers.
    pub(crate) fn boot(&self) -> Result<(), ClusterError> {
        if init(self.number).pid(self.folder).is_none() {
            self.power_off()?;
            self.start_init()?;
        }
        self.start_containerd()
    }

    fn start_init(&self) -> Result<(), ClusterError> {
        let number = self.number;
        let root = self.folder.node_root(number);
        // It comes and goes with the power; all else is the node's disk.
        let run = root.join("run");
        if run.exists() {
            fs::remove_dir_all(&run).map_err(ClusterError::file(&run))?;
        }
        for folder in [
            "cgroup",
            "run/containerd",
            "run/netns",
            "var/lib",
            "var/log",
        ] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(ClusterError::file(&folder))?;
        }
        debug_assert!(COVERED.iter().all(|it| root.join(&it[1..]).is_dir()));
        cgroups::make(&cgroup_name(number))?;

        let script = self.folder.node(number).join("init.sh");
        write(&script, INIT)?;
        let peers: Vec<String> = self
            .record
            .node_numbers()
            .filter(|peer| *peer != number)
            .map(|peer| {
                let pods = network::node_pods(peer);
                format!("{pods}={}", network::node_address(peer))
            })
            .collect();
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--net",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
            ])
            .args(["--propagation", "private", "sh"])
            .arg(&script)
            .env("NODE", network::node_name(number))
            .env("ADDRESS", network::node_address(number))
            .env("ROOT", &root)
            .env("PEERS", peers.join(" "))
            .env("SERVICES", network::SERVICES)
            .env("PODS", network::PODS)
            .env("PAUSE", self.programs.path("pause"));
        let init = init(number);
        init.start(self.folder, &command)?;
        self.plug_in(&init)?;
        until("a node to boot", limits::PROCESS, || {
            init.check(self.folder)?;
            Ok(match init.pid(self.folder) {
                Some(_) => Break(()),
                None => Continue(self.folder.log_end(&init.name)),
            })
        })
    }

    /// Lays a cable from the bridge into the network of the node.
    fn plug_in(&self, init: &Part) -> Result<(), ClusterError> {
        let pid = until("the namespaces of a node", limits::PROCESS, || {
            init.check(self.folder)?;
            let found = part::of(self.folder.root());
            let shell = found
                .iter()
                .find(|it| it.part == init.name && it.program == "sh");
            Ok(match shell {
                Some(shell) if has_own_network(shell.pid) => Break(shell.pid),
                _ => Continue("no process in them".to_owned()),
            })
        })?;
        let cable = network::node_cable(self.number);
        let pid = pid.to_string();
        ip(&[
            "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &pid,
        ])?;
        ip(&["link", "set", &cable, "master", network::BRIDGE, "up"])?;
        let address = network::node_address(self.number);
        ip(&[
            "route",
            "replace",
            &network::node_pods(self.number),
            "via",
            &address,
        ])
    }

    fn start_containerd(&self) -> Result<(), ClusterError> {
        let files = Files::write(self.folder, self.number)?;
        let [containerd, ..] = daemons(self.number);
        let mut command = Command::new("containerd");
        command.arg("--config").arg(&files.containerd);
        self.start(&containerd, &command)?;
        until("containerd to answer", limits::PROCESS, || {
            containerd.check(self.folder)?;
            Ok(match self.ctr(&["version"]) {
                Ok(_) => Break(()),
                Err(error) => Continue(error.to_string()),
            })
        })
    }

    /// Starts what needs containerd with its images, and the API server.
    pub(crate) fn start_daemons(&self) -> Result<(), ClusterError> {
        let node = network::node_name(self.number);
        let files = Files::write(self.folder, self.number)?;
        let [_, kubelet, kube_proxy, volumes, firewall] = daemons(self.number);

        let mut command = self.programs.command("kubelet");
        command
            .arg(format!("--config={}", files.kubelet.display()))
            .arg(format!(
                "--kubeconfig={}",
                self.folder.kubeconfig(&node).display()
            ))
            .arg(format!("--hostname-override={node}"))
            .arg(format!("--node-ip={}", network::node_address(self.number)))
            .arg(format!(
                "--node-labels=topology.kubernetes.io/zone=zone{}",
                self.number
            ));
        self.start(&kubelet, &command)?;

        let mut command = self.programs.command("kube-proxy");
        command.arg(format!("--config={}", files.kube_proxy.display()));
        self.start(&kube_proxy, &command)?;

        let mut command = self.programs.command("volumes");
        command
            .arg(format!("--folder={}", self.folder.volumes().display()))
            .arg(format!("--node={node}"));
        self.start(&volumes, &command)?;

        let mut command = self.programs.command("firewall");
        command
            .arg(format!(
                "--kubeconfig={}",
                self.folder.kubeconfig("firewall").display()
            ))
            .arg(format!("--node={node}"));
        self.start(&firewall, &command)
    }

    /// Starts a daemon inside the node.
    fn start(&self, part: &Part, command: &Command) -> Result<(), ClusterError> {
        let inside = self.inside(command.get_program().as_ref())?;
        let mut inside = inside;
        inside.args(command.get_args());
        part.start(self.folder, &inside)
    }

    /// A command that runs inside the node.
    pub(crate) fn inside(&self, program: &std::path::Path) -> Result<Command, ClusterError> {
        let pid = init(self.number)
            .pid(self.folder)
            .ok_or_else(|| ClusterError::NodeOff {
                node: network::node_name(self.number),
            })?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={pid}"))
            .args(["--mount", "--net", "--uts", "--pid", "--"])
            .arg(program);
        Ok(command)
    }

    /// Cuts the power. One that is off already is swept clean of what a crash has left.
    pub(crate) fn power_off(&self) -> Result<(), ClusterError> {
        let suffix = format!("@{}", network::node_name(self.number));
        let root = self.folder.root();
        kill_all(|| {
            let mut found = part::of(root);
            found.retain(|it| it.part.ends_with(&suffix));
            found
        })?;
        // It goes with the node's network, but not at once.
        let _ = ip(&["link", "delete", &network::node_cable(self.number)]);
        Ok(())
    }

    /// Asks the node's containerd, in the namespace of the kubelet's images.
    pub(crate) fn ctr(&self, args: &[&str]) -> Result<String, ClusterError> {
        let mut command = Command::new("ctr");
        command
            .env("PATH", part::search_path())
            .arg("--address")
            .arg(self.socket())
            .args(["--namespace", "k8s.io"])
            .args(args);
        part::mark(&mut command, self.folder, "client");
        crate::output::of(&mut command)
    }

    fn socket(&self) -> PathBuf {
        self.folder.containerd(self.number)
    }
}

/// Whether a process has left the network of the machine.
fn has_own_network(pid: u32) -> bool {
    let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net"));
    match (network(&pid.to_string()), network("self")) {
        (Ok(own), Ok(machine)) => own != machine,
        _ => false,
    }
}

//! The control plane: etcd, API server, controller manager and scheduler, as processes of the
//! machine.

use std::{
    ops::ControlFlow::{Break, Continue},
    process::Command,
};

use crate::{
    ClusterError,
    folder::{Folder, write},
    kubectl::Kubectl,
    limits, network,
    part::Part,
    programs::Programs,
    record::Record,
    wait::until,
};

/// Everybody's every request, when it has been answered.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
";

pub(crate) fn parts(record: &Record) -> Vec<Part> {
    let mut programs = vec!["etcd", "kube-apiserver", "kube-controller-manager"];
    if record.nodes > 0 {
        programs.push("kube-scheduler");
    }
    programs.into_iter().map(Part::of_the_machine).collect()
}

/// Starts what does not run of it; returns when the API server is ready.
pub(crate) fn up(
    folder: &Folder,
    record: &Record,
    programs: &Programs,
    kubectl: &Kubectl<'_>,
) -> Result<(), ClusterError> {
    write(&folder.audit_policy(), AUDIT_POLICY)?;
    let [etcd, api_server] = ["etcd", "kube-apiserver"].map(Part::of_the_machine);
    etcd.start(folder, &etcd_command(folder, record))?;
    // It waits for etcd by itself.
    let was_up = api_server.pid(folder).is_some();
    api_server.start(folder, &api_server_command(folder, record, programs))?;
    if !was_up {
        until("the API server to be ready", limits::API, || {
            etcd.check(folder)?;
            api_server.check(folder)?;
            Ok(match kubectl.says(&["get", "--raw", "/readyz"]) {
                Ok(_) => Break(()),
                Err(error) => Continue(error.to_string()),
            })
        })?;
    }
    let controllers = Part::of_the_machine("kube-controller-manager");
    controllers.start(folder, &controllers_command(folder, programs))?;
    if record.nodes > 0 {
        let scheduler = Part::of_the_machine("kube-scheduler");
        scheduler.start(folder, &scheduler_command(folder, programs))?;
    }
    Ok(())
}

fn etcd_command(folder: &Folder, record: &Record) -> Command {
    let clients = format!("http://127.0.0.1:{}", record.etcd_port);
    let peers = format!("http://127.0.0.1:{}", record.etcd_peer_port);
    let mut etcd = Command::new("etcd");
    etcd.arg(format!("--data-dir={}", folder.etcd().display()))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg(format!("--initial-advertise-peer-urls={peers}"))
        .arg(format!("--initial-cluster=default={peers}"))
        // A cluster that did not outlive the machine is made anew.
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    etcd
}

fn api_server_command(folder: &Folder, record: &Record, programs: &Programs) -> Command {
    let keys = folder.keys();
    let key = |option: &str, file: &str| format!("--{option}={}", keys.join(file).display());
    let mut server = programs.command("kube-apiserver");
    server
        .arg(format!("--bind-address={}", record.address()))
        .arg(format!("--secure-port={}", record.api_port))
        .arg(format!("--advertise-address={}", record.address()))
        .arg(format!(
            "--etcd-servers=http://127.0.0.1:{}",
            record.etcd_port
        ))
        .arg(format!("--service-cluster-ip-range={}", network::SERVICES))
        .args(["--authorization-mode=Node,RBAC", "--allow-privileged=true"])
        .arg("--enable-admission-plugins=NodeRestriction")
        .arg(key("client-ca-file", "ca.crt"))
        .arg(key("tls-cert-file", "kube-apiserver.crt"))
        .arg(key("tls-private-key-file", "kube-apiserver.key"))
        .arg(key("kubelet-client-certificate", "kubelet-client.crt"))
        .arg(key("kubelet-client-key", "kubelet-client.key"))
        .arg(key("kubelet-certificate-authority", "ca.crt"))
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg(key("service-account-key-file", "service-accounts.pub"))
        .arg(key(
            "service-account-signing-key-file",
            "service-accounts.key",
        ))
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(key("requestheader-client-ca-file", "front-proxy-ca.crt"))
        .arg("--requestheader-allowed-names=front-proxy-client")
        .arg("--requestheader-extra-headers-prefix=X-Remote-Extra-")
        .arg("--requestheader-group-headers=X-Remote-Group")
        .arg("--requestheader-username-headers=X-Remote-User")
        .arg(key("proxy-client-cert-file", "front-proxy-client.crt"))
        .arg(key("proxy-client-key-file", "front-proxy-client.key"))
        // The machine has routes to pods but not to Services.
        .arg("--enable-aggregator-routing=true");
    if record.nodes == 0 {
        // A loopback address is refused as that of a Service, and nobody asks for it.
        server.arg("--endpoint-reconciler-type=none");
    }
    if record.audit {
        server
            .arg(format!("--audit-log-path={}", folder.audit_log().display()))
            .arg(format!(
                "--audit-policy-file={}",
                folder.audit_policy().display()
            ))
            // One file, however long it gets: whoever reads on from a place finds that place.
            .arg("--audit-log-maxsize=100000");
    }
    server
}

/// The arguments of a client of the API server that has a kubeconfig of its own and would serve
/// on a port that nobody needs.
fn client_command(folder: &Folder, programs: &Programs, program: &str) -> Command {
    let kubeconfig = folder.kubeconfig(program);
    let mut command = programs.command(program);
    for option in [
        "kubeconfig",
        "authentication-kubeconfig",
        "authorization-kubeconfig",
    ] {
        command.arg(format!("--{option}={}", kubeconfig.display()));
    }
    command.args(["--leader-elect=false", "--secure-port=0"]);
    command
}

fn controllers_command(folder: &Folder, programs: &Programs) -> Command {
    let keys = folder.keys();
    let key = |option: &str, file: &str| format!("--{option}={}", keys.join(file).display());
    let mut manager = client_command(folder, programs, "kube-controller-manager");
    manager
        .arg(key("root-ca-file", "ca.crt"))
        .arg(key(
            "service-account-private-key-file",
            "service-accounts.key",
        ))
        .arg("--use-service-account-credentials=true")
        .arg(key("cluster-signing-cert-file", "ca.crt"))
        .arg(key("cluster-signing-key-file", "ca.key"))
        // A node that is off counts as lost after 16 seconds instead of 50, and an autoscaler
        // looks every 5 seconds instead of 15 and takes away what has not been needed for 30
        // seconds instead of 300: tests wait for all that.
        .args([
            "--node-monitor-period=2s",
            "--node-monitor-grace-period=16s",
        ])
        .arg("--horizontal-pod-autoscaler-sync-period=5s")
        .arg("--horizontal-pod-autoscaler-downscale-stabilization=30s");
    manager
}

fn scheduler_command(folder: &Folder, programs: &Programs) -> Command {
    client_command(folder, programs, "kube-scheduler")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn record(nodes: usize, audit: bool) -> Record {
        Record {
            nodes,
            audit,
            programs: PathBuf::from("/p"),
            api_port: 6443,
            etcd_port: 2379,
            etcd_peer_port: 2380,
        }
    }

    fn line(command: &Command) -> String {
        let words: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
        words.join(" ")
    }

    fn api_server(record: &Record) -> String {
        let folder = Folder::new(PathBuf::from("/c"));
        let programs = Programs::in_folder(PathBuf::from("/p"));
        line(&api_server_command(&folder, record, &programs))
    }

    #[test]
    fn the_api_server_listens_to_nodes_on_their_bridge_or_else_on_loopback() {
        assert!(api_server(&record(1, false)).contains("--bind-address=10.89.0.1 "));
        assert!(api_server(&record(0, false)).contains("--bind-address=127.0.0.1 "));
    }

    #[test]
    fn requests_are_written_down_only_if_wanted() {
        let with = api_server(&record(1, true));
        assert!(with.contains("--audit-log-path=/c/audit.log --audit-policy-file=/c/"));
        assert!(!api_server(&record(1, false)).contains("audit"));
    }

    #[test]
    fn a_control_plane_alone_has_no_scheduler() {
        let names = |nodes| -> Vec<String> {
            let parts = parts(&record(nodes, false));
            parts.into_iter().map(|it| it.name).collect()
        };
        assert_eq!(
            names(0),
            ["etcd", "kube-apiserver", "kube-controller-manager"]
        );
        assert_eq!(names(1).last().unwrap(), "kube-scheduler");
    }
}

//! The configuration of a node. Paths are those that the node sees, where everything is in its
//! usual place.

use std::path::PathBuf;

use crate::{
    ClusterError,
    folder::{Folder, write},
    network,
};

/// The configuration files of one node.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) containerd: PathBuf,
    pub(crate) kubelet: PathBuf,
    pub(crate) kube_proxy: PathBuf,
}

impl Files {
    pub(crate) fn write(folder: &Folder, number: usize) -> Result<Self, ClusterError> {
        let node = folder.node(number);
        let files = Self {
            containerd: node.join("containerd.toml"),
            kubelet: node.join("kubelet.yaml"),
            kube_proxy: node.join("kube-proxy.yaml"),
        };
        let cni = node.join("cni");
        write(&cni.join("10-bridge.conflist"), &cni_list(number))?;
        write(&files.containerd, &containerd(&cni.display().to_string()))?;
        write(&files.kubelet, &kubelet(folder, number))?;
        write(&files.kube_proxy, &kube_proxy(folder, number))?;
        Ok(files)
    }
}

fn containerd(cni: &str) -> String {
    format!(
        r#"version = 2
oom_score = 0
disabled_plugins = [
    "io.containerd.internal.v1.opt",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.devmapper",
]

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
# Lowering the score of a process takes a capability that root may lack.
restrict_oom_score_adj = true
# They go with the node.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni}"
"#
    )
}

/// No masquerading: a policy must see a pod's own address.
fn cni_list(number: usize) -> String {
    let pods = network::node_pods(number);
    let first = network::first_pod(number);
    format!(
        r#"{{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {{
      "type": "bridge",
      "bridge": "cni0",
      "isDefaultGateway": true,
      "ipMasq": false,
      "hairpinMode": true,
      "ipam": {{
        "type": "host-local",
        "dataDir": "/var/lib/cni",
        "ranges": [[{{"subnet": "{pods}", "rangeStart": "{first}"}}]]
      }}
    }},
    {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
  ]
}}
"#
    )
}

/// Quick where tests wait: status each 4 seconds, volumes looked at each 5 (they grow by that).
fn kubelet(folder: &Folder, number: usize) -> String {
    let keys = folder.keys();
    let keys = keys.display();
    let node = network::node_name(number);
    let address = network::node_address(number);
    let dns = network::DNS_SERVICE;
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {address}
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {keys}/ca.crt}}
authorization: {{mode: Webhook}}
tlsCertFile: {keys}/{node}.crt
tlsPrivateKeyFile: {keys}/{node}.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
# The disk is the machine's: that it is full is nobody's fault here.
evictionHard: {{}}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
resolvConf: \"\"
clusterDomain: cluster.local
clusterDNS: [{dns}]
healthzPort: 0
nodeStatusUpdateFrequency: 4s
nodeLeaseDurationSeconds: 10
syncFrequency: 5s
serializeImagePulls: false
",
        cgroup = super::cgroup_name(number),
    )
}

fn kube_proxy(folder: &Folder, number: usize) -> String {
    let node = network::node_name(number);
    let address = network::node_address(number);
    let pods = network::PODS;
    let kubeconfig = folder.kubeconfig("kube-proxy");
    let kubeconfig = kubeconfig.display();
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {{kubeconfig: {kubeconfig}}}
clusterCIDR: {pods}
hostnameOverride: {node}
# The table of connections is the machine's.
conntrack: {{maxPerCore: 0}}
healthzBindAddress: {address}:10256
metricsBindAddress: 127.0.0.1:10249
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_differ_in_name_address_and_pods() {
        let folder = Folder::new(PathBuf::from("/c"));
        let kubelet = kubelet(&folder, 2);
        assert!(kubelet.contains("\naddress: 10.89.0.12\n"));
        assert!(kubelet.contains("tlsCertFile: /c/keys/node2.crt\n"));
        assert!(kube_proxy(&folder, 2).contains("hostnameOverride: node2\n"));
        let pods: serde_json::Value = serde_json::from_str(&cni_list(2)).unwrap();
        let range = &pods["plugins"][0]["ipam"]["ranges"][0][0];
        assert_eq!(range["subnet"], "10.244.2.0/24");
        assert_eq!(range["rangeStart"], "10.244.2.10");
    }

    #[test]
    fn a_configuration_that_is_right_already_is_not_touched() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned());
        let modified = |files: &Files| {
            let metadata = std::fs::metadata(&files.kube_proxy).unwrap();
            std::os::unix::fs::MetadataExt::ino(&metadata)
        };
        let first = modified(&Files::write(&folder, 1).unwrap());
        assert_eq!(modified(&Files::write(&folder, 1).unwrap()), first);
    }
}

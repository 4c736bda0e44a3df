//! What runs in the cluster as pods, or is known to its API server only: DNS, metrics, classes of
//! volumes, rights.

use std::fs;

use crate::{
    ClusterError,
    folder::{Folder, write},
    kubectl::Kubectl,
    limits,
};

const MANIFESTS: [&str; 4] = [
    include_str!("../manifests/kube-proxy.yaml"),
    include_str!("../manifests/volumes.yaml"),
    include_str!("../manifests/coredns.yaml"),
    include_str!("../manifests/metrics-server.yaml"),
];

/// Applies them, unless this cluster has got just these already.
pub(crate) fn apply(folder: &Folder, kubectl: &Kubectl) -> Result<(), ClusterError> {
    let manifests = MANIFESTS.join("---\n");
    let applied = folder.applied();
    if fs::read_to_string(&applied).is_ok_and(|it| it == manifests) {
        return Ok(());
    }
    kubectl.apply(&manifests)?;
    write(&applied, &manifests)
}

/// Waits until all nodes are ready, and the cluster's own pods on them.
pub(crate) fn await_ready(kubectl: &Kubectl) -> Result<(), ClusterError> {
    let timeout = format!("--timeout={}s", limits::READY.as_secs());
    kubectl.says(&["wait", "--for=condition=Ready", "nodes", "--all", &timeout])?;
    let rollout = |what| {
        kubectl.says(&[
            "--namespace=kube-system",
            "rollout",
            "status",
            what,
            &timeout,
        ])
    };
    rollout("daemonset/coredns")?;
    rollout("deployment/metrics-server")?;
    let metrics = "apiservice/v1beta1.metrics.k8s.io";
    kubectl.says(&["wait", "--for=condition=Available", metrics, &timeout])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network;

    #[test]
    fn manifests_agree_with_addresses_and_images() {
        let manifests = MANIFESTS.join("---\n");
        assert!(manifests.contains(&format!("clusterIP: {}\n", network::DNS_SERVICE)));
        for image in ["localhost/coredns:1.13.2", "localhost/metrics-server:0.8.0"] {
            assert!(manifests.contains(&format!("image: {image}\n")), "{image}");
        }
    }
}

//! What runs in the cluster as pods, or is known to its API server only: DNS, metrics, classes of
//! volumes, rights.

use std::{
    fs,
    ops::ControlFlow::{Break, Continue},
};

use crate::{
    ClusterError,
    folder::{Folder, write},
    kubectl::Kubectl,
    limits, network,
    wait::until,
};

const MANIFESTS: [&str; 4] = [
    include_str!("../manifests/kube-proxy.yaml"),
    include_str!("../manifests/volumes.yaml"),
    include_str!("../manifests/coredns.yaml"),
    include_str!("../manifests/metrics-server.yaml"),
];

/// Applies them, unless this cluster has got just these already.
pub(crate) fn apply(folder: &Folder, kubectl: &Kubectl<'_>) -> Result<(), ClusterError> {
    let manifests = MANIFESTS.join("---\n");
    let applied = folder.applied();
    if fs::read_to_string(&applied).is_ok_and(|it| it == manifests) {
        return Ok(());
    }
    kubectl.apply(&manifests)?;
    write(&applied, &manifests)
}

/// Waits until these nodes are ready, names are answered on all of them, and there are metrics:
/// while the API server knows of an API that nobody serves, no namespace can be deleted.
pub(crate) fn await_ready(kubectl: &Kubectl<'_>, nodes: usize) -> Result<(), ClusterError> {
    let timeout = format!("--timeout={}s", limits::READY.as_secs());
    let names: Vec<String> = (1..=nodes)
        .map(|number| format!("node/{}", network::node_name(number)))
        .collect();
    let mut ready = vec!["wait", "--for=condition=Ready", &timeout];
    ready.extend(names.iter().map(String::as_str));
    // kubectl waits for what there is; a kubelet that has just started has no node yet.
    until("the nodes to be ready", limits::READY, || {
        Ok(match kubectl.says(&ready) {
            Ok(_) => Break(()),
            Err(error) => Continue(error.to_string()),
        })
    })?;
    let dns = ["rollout", "status", "daemonset/coredns", &timeout];
    kubectl.says(&[&["--namespace=kube-system"], dns.as_slice()].concat())?;
    kubectl.says(&[
        "wait",
        "--for=condition=Available",
        "apiservice/v1beta1.metrics.k8s.io",
        &timeout,
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_agree_with_addresses_and_images() {
        let manifests = MANIFESTS.join("---\n");
        assert!(manifests.contains(&format!("clusterIP: {}\n", network::DNS_SERVICE)));
        for image in ["localhost/coredns:1.13.2", "localhost/metrics-server:0.8.0"] {
            assert!(manifests.contains(&format!("image: {image}\n")), "{image}");
        }
    }
}

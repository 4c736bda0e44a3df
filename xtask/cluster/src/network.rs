//! The addresses of a cluster with nodes. Fixed, so that configurations can be read and compared;
//! that is why there can be one such cluster on a machine.
//!
//! Nodes and machine meet on a bridge. A node reaches the pods of the others through their nodes,
//! and so does the machine. Nothing else has a route to anything here, and nobody a way out.

/// As many as the tests of the operator need: a majority survives the loss of one.
pub(crate) const MOST_NODES: usize = 3;

/// The bridge on the machine.
pub(crate) const BRIDGE: &str = "sstore0";

/// The machine on the bridge: there the API server listens.
pub(crate) const MACHINE: &str = "10.89.0.1";

/// All addresses on the bridge.
pub(crate) const NODES: &str = "10.89.0.0/24";

/// All pods.
pub(crate) const PODS: &str = "10.244.0.0/16";

/// All Services.
pub(crate) const SERVICES: &str = "10.96.0.0/16";

/// The Service of the API server: the first address, by Kubernetes' rule.
pub(crate) const API_SERVICE: &str = "10.96.0.1";

/// The Service of the DNS server.
pub(crate) const DNS_SERVICE: &str = "10.96.0.10";

/// The name of a node; they are counted from 1.
pub(crate) fn node_name(number: usize) -> String {
    format!("node{number}")
}

/// The address of a node on the bridge.
pub(crate) fn node_address(number: usize) -> String {
    format!("10.89.0.{}", 10 + number)
}

/// The machine's end of the cable to a node; at most 15 characters.
pub(crate) fn node_cable(number: usize) -> String {
    format!("sstore-node{number}")
}

/// The addresses of the pods on a node.
pub(crate) fn node_pods(number: usize) -> String {
    format!("10.244.{number}.0/24")
}

/// The first address that a pod on a node gets; those below are for the node.
pub(crate) fn first_pod(number: usize) -> String {
    format!("10.244.{number}.10")
}

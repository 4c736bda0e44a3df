//! How a cluster is.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{
    Cluster, ClusterError, control_plane,
    node::{self, daemons},
    part::{self, Part},
    volumes,
};

/// How a cluster is at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What a client needs to reach it.
    pub kubeconfig: PathBuf,
    /// Where each part writes its log.
    pub logs: PathBuf,
    /// All processes that should run.
    pub parts: Vec<PartStatus>,
    /// All nodes, as the API server sees them; empty when it does not answer.
    pub nodes: Vec<NodeStatus>,
}

/// One process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartStatus {
    /// `program`, or `program@node`; also the name of its log.
    pub name: String,
    /// The process id while it runs.
    pub pid: Option<u32>,
    /// Whether it runs.
    pub runs: bool,
}

/// One node, as the API server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its address on the bridge.
    pub address: String,
    /// Whether its kubelet says that it is ready, and has said so lately.
    pub ready: bool,
    /// The version of its kubelet.
    pub version: String,
    /// Name and tag of the images on it, but for those by digest.
    pub images: Vec<String>,
}

impl Status {
    /// Whether all processes run and all nodes are ready.
    pub fn is_well(&self) -> bool {
        self.parts.iter().all(|it| it.runs) && self.nodes.iter().all(|it| it.ready)
    }
}

impl Cluster {
    /// How it is. An API server that does not answer is part of the answer.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Answer`] when the API server says something that makes no sense.
    pub fn status(&self) -> Result<Status, ClusterError> {
        let nodes =
            match self
                .asks()
                .says(&["get", "nodes", "--output=json", "--request-timeout=5s"])
            {
                Ok(list) => read_nodes(&list)?,
                Err(_) => Vec::new(),
            };
        Ok(Status {
            kubeconfig: self.kubeconfig(),
            logs: self.folder.root().join("logs"),
            parts: self.parts(),
            nodes,
        })
    }

    /// All processes that should run.
    pub(crate) fn parts(&self) -> Vec<PartStatus> {
        let mut parts: Vec<Part> = control_plane::parts(&self.record);
        if self.record.nodes > 0 {
            parts.push(volumes::controller());
        }
        for number in self.record.node_numbers() {
            parts.push(node::init(number));
            parts.extend(daemons(number));
        }
        let found = part::of(self.folder.root());
        parts
            .into_iter()
            .map(|part| {
                let pid = part.pid_among(&found);
                PartStatus {
                    name: part.name,
                    pid,
                    runs: pid.is_some(),
                }
            })
            .collect()
    }
}

/// Reads a list of nodes as kubectl prints it.
fn read_nodes(list: &str) -> Result<Vec<NodeStatus>, ClusterError> {
    let list: NodeList =
        serde_json::from_str(list).map_err(ClusterError::answer("the list of nodes"))?;
    Ok(list.items.into_iter().map(NodeStatus::from).collect())
}

#[derive(Deserialize)]
struct NodeList {
    items: Vec<NodeObject>,
}

#[derive(Deserialize)]
struct NodeObject {
    metadata: Metadata,
    status: NodeObjectStatus,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct NodeObjectStatus {
    addresses: Vec<Address>,
    conditions: Vec<Condition>,
    images: Vec<Names>,
    node_info: Info,
}

#[derive(Deserialize)]
struct Address {
    r#type: String,
    address: String,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

#[derive(Deserialize)]
struct Names {
    /// `null` for an image whose tag has moved on.
    names: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    kubelet_version: String,
}

impl From<NodeObject> for NodeStatus {
    fn from(node: NodeObject) -> Self {
        let NodeObjectStatus {
            addresses,
            conditions,
            images,
            node_info,
        } = node.status;
        let mut images: Vec<String> = images
            .into_iter()
            .filter_map(|it| it.names)
            .flatten()
            .filter(|name| !name.contains('@'))
            .collect();
        images.sort();
        Self {
            name: node.metadata.name,
            address: addresses
                .into_iter()
                .find(|it| it.r#type == "InternalIP")
                .map(|it| it.address)
                .unwrap_or_default(),
            ready: conditions
                .iter()
                .any(|it| it.r#type == "Ready" && it.status == "True"),
            version: node_info.kubelet_version,
            images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network;

    #[test]
    fn a_node_is_ready_when_it_says_so() {
        let list = |ready: &str| {
            format!(
                r#"{{"items": [{{
                    "metadata": {{"name": "node1"}},
                    "status": {{
                        "addresses": [{{"type": "Hostname", "address": "node1"}}, {{"type": "InternalIP", "address": "10.89.0.11"}}],
                        "conditions": [{{"type": "DiskPressure", "status": "False"}}, {{"type": "Ready", "status": "{ready}"}}],
                        "images": [{{"names": ["localhost/pause@sha256:00", "localhost/pause:1"]}}, {{"names": null}}],
                        "nodeInfo": {{"kubeletVersion": "v1.34.4"}}
                    }}
                }}]}}"#
            )
        };
        let nodes = read_nodes(&list("True")).unwrap();
        assert_eq!(
            nodes,
            [NodeStatus {
                name: network::node_name(1),
                address: network::node_address(1),
                ready: true,
                version: "v1.34.4".to_owned(),
                images: vec!["localhost/pause:1".to_owned()],
            }]
        );
        assert!(!read_nodes(&list("Unknown")).unwrap()[0].ready);
    }

    #[test]
    fn a_cluster_is_well_only_if_all_of_it_is() {
        let part = |runs| PartStatus {
            name: "etcd".to_owned(),
            pid: None,
            runs,
        };
        let mut status = Status {
            kubeconfig: PathBuf::new(),
            logs: PathBuf::new(),
            parts: vec![part(true)],
            nodes: Vec::new(),
        };
        assert!(status.is_well());
        status.parts.push(part(false));
        assert!(!status.is_well());
    }
}

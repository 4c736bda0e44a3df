//! What kind of cluster is wanted.

use std::path::PathBuf;

use crate::{ClusterError, network};

/// What kind of cluster is wanted. The default: one node, no audit log, in the cache.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes, up to 3. With 0 there is the control plane alone: an API server without
    /// anything that runs a pod, on a loopback address, of which there can be several.
    pub nodes: usize,
    /// Whether the API server writes each request to [`Cluster::audit_log`](crate::Cluster).
    pub audit: bool,
    /// Where everything is that the cluster writes; goes with it. Without:
    /// [`Cluster::default_folder`](crate::Cluster::default_folder).
    pub folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            audit: false,
            folder: None,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), ClusterError> {
        if self.nodes > network::MOST_NODES {
            return Err(ClusterError::NodeCount {
                wanted: self.nodes,
                most: network::MOST_NODES,
            });
        }
        Ok(())
    }
}

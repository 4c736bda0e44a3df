//! What a cluster remembers of itself between two runs.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    ClusterError, Options,
    folder::{Folder, write},
    network,
};

/// The port of the API server of a cluster with nodes, on an address that is its own.
const API_PORT: u16 = 6443;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) nodes: usize,
    pub(crate) audit: bool,
    /// The folder of the programs that it was last started with.
    pub(crate) programs: PathBuf,
    pub(crate) api_port: u16,
    pub(crate) etcd_port: u16,
    pub(crate) etcd_peer_port: u16,
}

impl Record {
    /// Reads the record of a folder; `None` where there is no cluster.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, ClusterError> {
        let path = folder.record();
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(ClusterError::file(&path))?;
        let record = serde_json::from_slice(&text);
        record
            .map(Some)
            .map_err(ClusterError::answer("the record of the cluster"))
    }

    /// The record of a cluster as `options` want it, with the programs in a folder: the one that is
    /// there, or a new one.
    pub(crate) fn ensure(
        folder: &Folder,
        options: &Options,
        programs: &Path,
    ) -> Result<Self, ClusterError> {
        let mut record = Self::find_or_make(folder, options)?;
        programs.clone_into(&mut record.programs);
        let text = serde_json::to_string_pretty(&record)
            .map_err(ClusterError::answer("the record of the cluster"))?;
        write(&folder.record(), &text)?;
        Ok(record)
    }

    fn find_or_make(folder: &Folder, options: &Options) -> Result<Self, ClusterError> {
        if let Some(record) = Self::read(folder)? {
            if record.nodes != options.nodes || (options.audit && !record.audit) {
                return Err(ClusterError::OtherOptions {
                    path: folder.root().to_owned(),
                    made: in_words(record.nodes, record.audit),
                    wanted: in_words(options.nodes, options.audit),
                });
            }
            return Ok(record);
        }
        let [api_port, etcd_port, etcd_peer_port] = free_ports()?;
        Ok(Self {
            nodes: options.nodes,
            audit: options.audit,
            programs: PathBuf::new(),
            api_port: if options.nodes > 0 {
                API_PORT
            } else {
                api_port
            },
            etcd_port,
            etcd_peer_port,
        })
    }

    /// Where the API server listens.
    pub(crate) fn address(&self) -> &'static str {
        if self.nodes > 0 {
            network::MACHINE
        } else {
            "127.0.0.1"
        }
    }

    pub(crate) fn node_numbers(&self) -> impl Iterator<Item = usize> + use<> {
        1..=self.nodes
    }
}

fn in_words(nodes: usize, audit: bool) -> String {
    let nodes = match nodes {
        0 => "a control plane alone".to_owned(),
        1 => "1 node".to_owned(),
        more => format!("{more} nodes"),
    };
    let audit = if audit { " and an audit log" } else { "" };
    nodes + audit
}

/// Ports of loopback that nobody listens on at this moment, each another.
fn free_ports() -> Result<[u16; 3], ClusterError> {
    let probe = || TcpListener::bind(("127.0.0.1", 0));
    let ports = || {
        let held = [probe()?, probe()?, probe()?];
        let mut ports = [0; 3];
        for (port, listener) in ports.iter_mut().zip(&held) {
            *port = listener.local_addr()?.port();
        }
        std::io::Result::Ok(ports)
    };
    ports().map_err(ClusterError::file("a port of 127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_stays_what_it_was_made_as() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned());
        assert_eq!(Record::read(&folder).unwrap(), None);
        let programs = Path::new("/p");
        let three = Options {
            nodes: 3,
            ..Options::default()
        };
        let made = Record::ensure(&folder, &three, programs).unwrap();
        assert_eq!(Record::ensure(&folder, &three, programs).unwrap(), made);
        assert_eq!(Record::read(&folder).unwrap(), Some(made));

        let error = Record::ensure(&folder, &Options::default(), programs).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("was made with 3 nodes, not with 1 node;")
        );
    }

    #[test]
    fn a_control_plane_alone_gets_ports_of_its_own() {
        let [first, second] = [(); 2].map(|()| {
            let root = tempfile::tempdir().unwrap();
            let folder = Folder::new(root.path().to_owned());
            let alone = Options {
                nodes: 0,
                ..Options::default()
            };
            Record::ensure(&folder, &alone, Path::new("/p")).unwrap()
        });
        assert_ne!(first.api_port, second.api_port);
        assert_ne!(first.api_port, first.etcd_port);
    }
}

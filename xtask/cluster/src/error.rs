//! Why a cluster does not do what it was asked for.

use std::{io, path::PathBuf};

use sessionstore_fetch::{FetchError, ProcessError};

/// Why a cluster does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A program or package that the cluster is made of is not there and cannot be fetched.
    #[error("the parts of the cluster cannot be fetched")]
    Parts(#[from] FetchError),
    /// This machine cannot carry a cluster.
    #[error("no cluster can run here: {why}")]
    Unfit {
        /// What is missing and, where there is one, the remedy.
        why: String,
    },
    /// More or fewer nodes than there can be.
    #[error("a cluster has 1 to {most} nodes, or none for the control plane alone; not {wanted}")]
    NodeCount {
        /// What was asked for.
        wanted: usize,
        /// As many as there are addresses for.
        most: usize,
    },
    /// The cluster in the folder was made with other options.
    #[error("the cluster in {path} was made with {made}, not with {wanted}; take it down first")]
    OtherOptions {
        /// The folder of the cluster.
        path: PathBuf,
        /// What it was made with.
        made: String,
        /// What was asked for now.
        wanted: String,
    },
    /// Nodes have fixed addresses, so there can be one cluster with nodes on a machine.
    #[error("a cluster with nodes runs already, from {path}; take it down first")]
    AnotherRuns {
        /// The folder of the other.
        path: PathBuf,
    },
    /// A file or folder could not be made or used.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A key or certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A program could not be run, or said no.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A program said no, and why.
    #[error("`{line}` failed: {said}")]
    Refused {
        /// The command.
        line: String,
        /// Its last words.
        said: String,
    },
    /// A part of the cluster ended by itself.
    #[error("{part} has ended; {log} ends with:\n{log_end}")]
    Ended {
        /// The name of the part, such as `kubelet@node1`.
        part: String,
        /// Its whole log.
        log: PathBuf,
        /// The last lines that it wrote.
        log_end: String,
    },
    /// A condition did not come true.
    #[error("waited in vain for {condition}; last seen: {last}")]
    TimedOut {
        /// What was waited for.
        condition: String,
        /// What was there instead.
        last: String,
    },
    /// Something was asked of a node that is switched off.
    #[error("{node} is off")]
    NodeOff {
        /// The name of the node.
        node: String,
    },
    /// What a program answered is not what it should answer.
    #[error("{what} makes no sense")]
    Answer {
        /// Which answer.
        what: &'static str,
        /// Why it cannot be read.
        source: serde_json::Error,
    },
}

impl ClusterError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }

    pub(crate) fn answer(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Answer { what, source }
    }
}

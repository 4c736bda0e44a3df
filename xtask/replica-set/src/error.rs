//! Why a replica set does not do what it was asked for.

use std::{io, path::PathBuf};

use sessionstore_fetch::FetchError;

/// Why a replica set does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// There is no mongod to start.
    #[error("there is no mongod")]
    Mongod(#[from] FetchError),
    /// A file, folder or mount could not be made or used.
    #[error("cannot use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder that was given for a set has something in it.
    #[error("{path} is not empty")]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// Proxies were wanted for a set that talks over TLS.
    #[error("proxies cannot lead through TLS")]
    Encrypted,
    /// The standing set in a folder has other ports than wanted.
    #[error("the set in {path} has its ports from {first} on")]
    OtherPorts {
        /// The folder.
        path: PathBuf,
        /// The port of its first member.
        first: u16,
    },
    /// A disk was to be filled that is that of this machine.
    #[error("the member's data folder has no limit: set Options::data_limit")]
    Unlimited,
    /// A port, process or connection of this machine failed.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A member ended by itself.
    #[error("the member {host} has ended; its log ends with:\n{log_end}")]
    Ended {
        /// Host and port of the member.
        host: String,
        /// The last lines that it wrote.
        log_end: String,
    },
    /// A member was asked for something that only a running process does.
    #[error("the member {host} does not run")]
    NotRunning {
        /// Host and port of the member.
        host: String,
    },
    /// A member, or the driver on the way to it, refused a command.
    #[error("MongoDB refused")]
    Refused(#[from] mongodb::error::Error),
    /// A condition did not come true.
    #[error("waited in vain for {condition}; last seen: {last}")]
    TimedOut {
        /// What was waited for.
        condition: &'static str,
        /// What was there instead.
        last: String,
    },
    /// `service/mongodb-role.json` is no role.
    #[error("the role of the service makes no sense")]
    Role(#[from] serde_json::Error),
}

impl SetError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::File { path, source }
    }

    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

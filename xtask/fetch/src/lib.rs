//! Fetching what tests and chores need besides Rust, in pinned versions, into a cache folder that
//! all checkouts share.
//!
//! Here is how things are fetched and kept; what is fetched is up to the crates that need it.

mod cache;
pub mod process;
mod system;

use std::{io, path::PathBuf};

pub use cache::{cache, ensure};
pub use process::ProcessError;
pub use system::{apt_install, prometheus, system_python};

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No variable says where the cache is.
    #[error("no folder for fetched tools: set SESSIONSTORE_CACHE or HOME")]
    NoCache,
    /// A file or folder of the cache could not be made or read.
    #[error("cannot use {path}")]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A program that fetches or installs failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The system lacks something, and this process may not install it.
    #[error("needs {what}; on Debian: apt-get install {packages}")]
    Missing {
        /// What is missing, in words.
        what: &'static str,
        /// The packages that bring it, divided by spaces.
        packages: String,
    },
    /// The system's packages do not bring what is needed.
    #[error("needs {what}, which the packages of this system do not bring")]
    TooOld {
        /// What is missing, in words.
        what: &'static str,
    },
}

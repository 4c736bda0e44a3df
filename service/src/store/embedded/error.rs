//! What goes wrong below the store, in the words of an operator.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::store::StoreError;
use crate::store::embedded::codec::Garbled;
use crate::store::embedded::folder::SCHEMA;

/// Why the data folder was not opened. Each text is one line that says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Something else is at this path.
    #[error("{0} is not a folder: choose a folder for the data")]
    NotAFolder(PathBuf),
    /// The folder is not empty, and what is in it was not made by this program.
    #[error(
        "the folder {0} holds something else: choose an empty folder, or one that SessionStore made"
    )]
    Foreign(PathBuf),
    /// Another process has it.
    #[error(
        "the data folder {0} is in use by another process: stop that one, or choose another folder"
    )]
    Locked(PathBuf),
    /// Its schema is beyond this program.
    #[error(
        "the data in {path} was written by a newer version (its schema is {found}, this one knows up to {known}): run that version, or choose another folder"
    )]
    Newer {
        /// The data folder.
        path: PathBuf,
        /// Its schema.
        found: String,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// It cannot be what was stored.
    #[error(
        "the data in {path} is damaged: {what}: restore it from a backup, or move the folder away to start anew"
    )]
    Damaged {
        /// The data folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The system refused to read or write it.
    #[error(
        "the data folder {path} cannot be used: {}: {}",
        reason(source),
        remedy(source)
    )]
    Io {
        /// The data folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteError {
    /// Certainly not written.
    NotWritten(StoreError),
    /// May be written, now or after the store was reopened.
    Unknown(StoreError),
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NotWritten(error) | WriteError::Unknown(error) => error,
        }
    }
}

impl From<StoreError> for WriteError {
    /// For everything that is read before something is written.
    fn from(error: StoreError) -> Self {
        Self::NotWritten(error)
    }
}

impl From<Garbled> for WriteError {
    fn from(garbled: Garbled) -> Self {
        Self::NotWritten(garbled.into())
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io { source, .. } => source.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Why fjall does not open the data in `path`.
pub(super) fn explain(path: &Path, error: fjall::Error) -> OpenError {
    use fjall::{Error, LsmError};
    let path = path.to_owned();
    match error {
        Error::Io(source) | Error::Storage(LsmError::Io(source)) => OpenError::Io { path, source },
        Error::Locked => OpenError::Locked(path),
        Error::InvalidVersion(_) => OpenError::Newer {
            path,
            found: "of another storage format".to_owned(),
            known: SCHEMA,
        },
        error => OpenError::Damaged {
            path,
            what: error.to_string(),
        },
    }
}

impl From<Garbled> for StoreError {
    fn from(garbled: Garbled) -> Self {
        Self::Damaged(garbled.to_string())
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(format!("{}: {}", reason(&error), remedy(&error)))
    }
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        use fjall::{Error, LsmError};
        match error {
            Error::Io(error) | Error::Storage(LsmError::Io(error)) => error.into(),
            Error::Poisoned => Self::Unavailable("an earlier write failed".to_owned()),
            Error::Storage(error) => Self::Damaged(error.to_string()),
            error => Self::Damaged(error.to_string()),
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space",
        io::ErrorKind::ReadOnlyFilesystem => "make it writable",
        io::ErrorKind::PermissionDenied => "let this user read and write it",
        _ => "check the disk and the path",
    }
}

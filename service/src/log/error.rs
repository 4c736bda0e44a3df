//! Why an operation on the log was not done, where [`Refusal`] alone does not say it.

use thiserror::Error;

use crate::log::Refusal;
use crate::store::ReadError;

/// Why a session was not closed, or its closed state could not be told.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CloseError {
    /// The committer refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is closed, but could not be read back. Safe to repeat.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a session was not changed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PatchError {
    /// The version is not one that the request asked for.
    #[error("the session has another version")]
    PreconditionFailed,
    /// The patched metadata would be too large.
    #[error("the metadata after the patch must be at most {limit} bytes of compact JSON")]
    MetadataTooLarge {
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// Others change the session all the time. Safe to repeat.
    #[error("the session is being changed by too many others")]
    Contended,
    /// It could not be read or written.
    #[error(transparent)]
    Read(#[from] ReadError),
}

//! What the log and the store refuse, as problems.

use crate::http::problem::{Place, Problem};
use crate::log::{CloseError, PatchError, Refusal};
use crate::store::{EraseError, ReadError, StoreError};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SessionAbsent => Self::SessionNotFound,
            Refusal::Erased => Self::SessionErased,
            Refusal::Closed(terminal) => Self::SessionClosed(terminal),
            Refusal::ClosedOtherwise(terminal) => Self::ClosedOtherwise(terminal),
            Refusal::EventIdTaken => Self::EventIdTaken,
            Refusal::NotNext { next } => Self::SeqNotNext { next },
            Refusal::Overloaded => Self::Overloaded,
            Refusal::TimedOut => Self::Unavailable(StoreError::TimedOut),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Absent => Self::SessionNotFound,
            ReadError::Erased => Self::SessionErased,
            ReadError::Store(error) => error.into(),
        }
    }
}

impl From<CloseError> for Problem {
    fn from(error: CloseError) -> Self {
        match error {
            CloseError::Refused(refusal) => refusal.into(),
            CloseError::Read(error) => error.into(),
        }
    }
}

impl From<PatchError> for Problem {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::PreconditionFailed => Self::PreconditionFailed,
            PatchError::MetadataTooLarge { limit } => Self::invalid(
                Place::Pointer("/metadata".to_owned()),
                format_args!("must be at most {limit} bytes of compact JSON after the patch"),
            ),
            PatchError::Contended => Self::Contended,
            PatchError::Read(error) => error.into(),
        }
    }
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Absent => Self::SessionNotFound,
            EraseError::Store(error) => error.into(),
        }
    }
}

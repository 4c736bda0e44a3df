//! A session: the header of a conversation's log.

use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::domain::{CreationId, Document, Language, SessionId, Timestamp};

/// Where a session stands. Derived from its log: nothing in it, something in it, or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Created, no event yet.
    Initiated,
    /// At least one event.
    Active,
    /// Closed by `complete`.
    Completed,
    /// Closed by `fail`.
    Failed,
}

/// The text names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one of `initiated`, `active`, `completed`, `failed`")]
pub struct UnknownSessionStatus;

impl SessionStatus {
    /// Every status, in the order of a session's life.
    pub const ALL: [Self; 4] = [Self::Initiated, Self::Active, Self::Completed, Self::Failed];

    /// Its name in requests, answers and stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for SessionStatus {
    type Err = UnknownSessionStatus;

    fn from_str(text: &str) -> Result<Self, UnknownSessionStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownSessionStatus)
    }
}

/// How a session can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosingStatus {
    /// It reached its end.
    Completed,
    /// It broke off.
    Failed,
}

impl From<ClosingStatus> for SessionStatus {
    fn from(status: ClosingStatus) -> Self {
        match status {
            ClosingStatus::Completed => Self::Completed,
            ClosingStatus::Failed => Self::Failed,
        }
    }
}

/// Counts the changes of a session by PATCH and by closing; 1 when created. The `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    /// The version of a session nobody has changed.
    pub const FIRST: Self = Self(1);

    /// The version after one more change.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A session that a client asks to create.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSession {
    /// The name the client chose.
    pub session_id: SessionId,
    /// The identity of this attempt: see [`CreationId`].
    pub creation_id: CreationId,
    /// The language it is held in.
    pub language: Language,
    /// What else the client wants to remember.
    pub metadata: Document,
    /// When the conversation began; `created_at` when the client does not say.
    pub started_at: Timestamp,
    /// When the request arrived, by this server's clock.
    pub created_at: Timestamp,
}

/// A stored session, as a reader sees it at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The name the client chose.
    pub session_id: SessionId,
    /// Who created it, and the order of creation.
    pub creation_id: CreationId,
    /// Where it stands.
    pub status: SessionStatus,
    /// The language it is held in.
    pub language: Language,
    /// When the conversation began.
    pub started_at: Timestamp,
    /// When the session was created.
    pub created_at: Timestamp,
    /// When its version last changed.
    pub updated_at: Timestamp,
    /// When it was closed.
    pub ended_at: Option<Timestamp>,
    /// Why it was closed.
    pub end_reason: Option<Arc<str>>,
    /// How many events its log has. `None` only in lists, for a session that is still open.
    pub event_count: Option<u64>,
    /// What else the client wants to remember.
    pub metadata: Document,
    /// The number of its changes.
    pub version: Version,
}

impl Session {
    /// A session as it is right after it was created.
    pub fn created(new: &NewSession) -> Self {
        Self {
            session_id: new.session_id.clone(),
            creation_id: new.creation_id,
            status: SessionStatus::Initiated,
            language: new.language.clone(),
            started_at: new.started_at,
            created_at: new.created_at,
            updated_at: new.created_at,
            ended_at: None,
            end_reason: None,
            event_count: Some(0),
            metadata: new.metadata.clone(),
            version: Version::FIRST,
        }
    }
}

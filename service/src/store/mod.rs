//! Where the log is kept: the trait that every backend fulfils, at the level of the session log.
//!
//! A backend arbitrates by its keys: a record's key is `(session, seq)`, and an event's id is
//! unique within its session. It stores, looks up and pages; it knows nothing of HTTP, of retries
//! or of queues. The invariants that every backend keeps are in `docs/architecture.md`; the suite
//! `service/tests/invariants` checks each of them against each backend.

mod embedded;
mod measured;
mod mongo;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use thiserror::Error;

use crate::domain::{
    Consistency, Document, Event, EventId, Language, NewSession, PageQuery, Position, Seq, Session,
    SessionId, SessionListQuery, SessionPosition, Terminal, Timestamp, Version,
};

pub use embedded::{EmbeddedStore, Memtables, OpenError, Settings as EmbeddedSettings};
pub use measured::{Measured, StoreMetrics};
pub use mongo::{ConnectError, MongoMetrics, MongoStore, Patience, Settings as MongoSettings};

/// A store of session logs. Shared by everything in the process.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Creates sessions that do not exist yet; one outcome per session, in order. The first
    /// write of an id wins, within the batch too.
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome>;

    /// Appends records in order; one outcome per record, in order.
    ///
    /// The caller knows of each record that the one before it in its session is committed, or
    /// puts it before it in the same batch. After a record that was not stored, no later record
    /// of that session is. Everything that follows from a record (a session's status, `endedAt`)
    /// is written too before it counts as stored.
    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome>;

    /// What is committed of these sessions, one answer per question, in order. Only what can
    /// never be rolled back counts.
    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError>;

    /// One session.
    async fn session(&self, id: &SessionId, consistency: Consistency)
    -> Result<Session, ReadError>;

    /// A page of a session's events.
    async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError>;

    /// A session with a page of its events, both of one moment.
    async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError>;

    /// One event; `None` if the session has none of this id.
    async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        consistency: Consistency,
    ) -> Result<Option<Event>, ReadError>;

    /// A page of sessions, newest start first. May be shorter than asked for, even empty, and
    /// still not be the last: only a missing `next` is the end.
    async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError>;

    /// Changes a session that is still at `change.base`.
    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError>;

    /// Erases a session and its events for ever; idempotent. Once it returns, every call on the
    /// id finds it erased and nothing of its content can be read.
    async fn erase(&self, id: &SessionId, at: Timestamp) -> Result<(), EraseError>;

    /// What other processes commit, as long as the stream is held; `None` if no other process
    /// can write here. What this process commits may be among it. Announcements are hints: they
    /// may come late, twice or never.
    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>>;

    /// Whether the store can serve now.
    fn health(&self) -> Health;
}

/// A record with its key.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An event at its place.
    Event(Event),
    /// The end of a session.
    Terminal(SessionId, Terminal),
}

impl Record {
    /// The session it belongs to.
    pub fn session_id(&self) -> &SessionId {
        match self {
            Self::Event(event) => &event.session_id,
            Self::Terminal(session_id, _) => session_id,
        }
    }

    /// Its place.
    pub fn seq(&self) -> Seq {
        match self {
            Self::Event(event) => event.seq,
            Self::Terminal(_, terminal) => terminal.seq,
        }
    }
}

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Durable: nothing will ever take it away.
    Stored,
    /// A key of it is taken, or its session is erased. It was not inserted and never will be by
    /// this call.
    Refused,
    /// Certainly not inserted; nothing else is known.
    NotTried,
    /// May be stored, now or later.
    Unknown,
}

/// What became of one creation.
#[derive(Clone, Debug, PartialEq)]
pub enum CreateOutcome {
    /// New, by this very request (its creation id is the stored one).
    Created(Session),
    /// It was there before; unchanged.
    Existing(Session),
    /// The id is spent.
    Erased,
    /// May be stored, now or later. Safe to send again.
    Unknown,
}

/// A question about one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// Which session.
    pub session_id: SessionId,
    /// Which of its events to return too, if they exist.
    pub event_ids: Vec<EventId>,
}

/// What is committed of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Its log.
    pub log: LogState,
    /// The events asked for, in the order of the question. Empty for an absent or erased session.
    pub events: Vec<Option<Event>>,
}

/// Where a log stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogState {
    /// No such session.
    Absent,
    /// The session was erased.
    Erased,
    /// Open, with this many records.
    Open(u64),
    /// Closed by this record.
    Closed(Terminal),
}

/// A page of events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// The events, in the order of the query.
    pub events: Vec<Event>,
    /// How many events the whole log has.
    pub total: u64,
    /// The record that closed it.
    pub terminal: Option<Terminal>,
    /// Go on after this position; `None` at the end.
    pub next: Option<Position>,
}

/// A page of sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionPage {
    /// The sessions, newest start first.
    pub sessions: Vec<Session>,
    /// Go on after this position; `None` at the end.
    pub next: Option<SessionPosition>,
}

/// A change of a session by a client, made from what it was at version `base`.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionChange {
    /// The version it builds on.
    pub base: Version,
    /// The language from now on.
    pub language: Language,
    /// The metadata from now on.
    pub metadata: Document,
    /// When it was changed.
    pub at: Timestamp,
}

/// Something was committed, by another process perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// The log of this session reaches at least this far.
    Grown(SessionId, Seq),
    /// What was in the log of this session is not the same any more: it was erased.
    Changed(SessionId),
    /// Announcements may have been missed: any session may have grown or changed.
    Everything,
}

/// Whether a store can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All of it.
    Serving,
    /// Some of it, or not at once: why, in words for an operator. It still should be sent
    /// requests: every process on the same store is in the same state, and taking all of them
    /// away helps nobody.
    Degraded(String),
    /// Nothing: why, and what to do, in words for an operator.
    Down(String),
}

impl From<Result<(), StoreError>> for Health {
    fn from(result: Result<(), StoreError>) -> Self {
        match result {
            Ok(()) => Self::Serving,
            Err(error) => Self::Down(error.to_string()),
        }
    }
}

/// The store could not do it now. What was asked may or may not have happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// It cannot serve until something outside changes.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// It did not answer in time.
    #[error("the store did not answer in time")]
    TimedOut,
    /// What it holds cannot be what was stored.
    #[error("the stored data is damaged: {0}")]
    Damaged(String),
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// No such session.
    #[error("there is no such session")]
    Absent,
    /// The session was erased.
    #[error("the session was erased")]
    Erased,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a session was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpdateError {
    /// No such session.
    #[error("there is no such session")]
    Absent,
    /// The session was erased.
    #[error("the session was erased")]
    Erased,
    /// Someone else changed it first.
    #[error("the session has changed since")]
    Moved,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a session was not erased.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EraseError {
    /// No session of this id was ever created.
    #[error("there is no such session")]
    Absent,
    /// The store failed; erasing may have begun. Safe to repeat.
    #[error(transparent)]
    Store(#[from] StoreError),
}

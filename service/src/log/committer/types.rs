//! What goes into the committer and what comes out of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::domain::{
    ClosingStatus, Event, NewEvent, NewSession, Seq, Session, SessionId, Terminal, Timestamp,
};
use crate::store::{LookUp, Record};

/// Bounds and patience of a committer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most requests queued or in flight; beyond them a request is refused at once.
    pub queue_items: usize,
    /// Most bytes of them.
    pub queue_bytes: usize,
    /// Most records in one batch.
    pub batch_items: usize,
    /// A batch ends when its records reach this size, in bytes.
    pub batch_bytes: usize,
    /// Batches of disjoint sessions at the same time.
    pub batches_in_flight: usize,
    /// Whether other processes may write to the same store: then a session that is busy all the
    /// time pauses now and then, so that they get their turn.
    pub is_shared: bool,
    /// Sessions whose tail is remembered while they have no work.
    pub lanes: usize,
    /// How long a request may wait for its answer.
    pub deadline: Duration,
    /// First delay after a failure; doubles with each further one.
    pub delay_min: Duration,
    /// Longest delay after a failure.
    pub delay_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue_items: 10_000,
            queue_bytes: 32 * 1024 * 1024,
            batch_items: 1_000,
            batch_bytes: 4 * 1024 * 1024,
            batches_in_flight: 1,
            is_shared: true,
            lanes: 20_000,
            deadline: Duration::from_secs(10),
            delay_min: Duration::from_millis(5),
            delay_max: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// How long to wait after the `failures`-th failure in a row, counted from 0.
    pub(super) fn delay_after(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures.min(16)).unwrap_or(1);
        self.delay_min.saturating_mul(factor).min(self.delay_max)
    }
}

/// Names one request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Names one call to the store until it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId(pub(super) u64);

/// What a caller wants.
#[derive(Clone, Debug)]
pub enum Request {
    /// Append an event.
    Append(NewEvent),
    /// Close a session.
    Close(Closing),
    /// Create a session.
    Create(NewSession),
}

impl Request {
    /// What it costs while it is queued, in bytes: its content and about what surrounds it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Append(event) => append_bytes(event),
            Self::Close(closing) => closing.bytes(),
            Self::Create(session) => Self::creation_bytes(session),
        }
    }

    pub(super) fn creation_bytes(session: &NewSession) -> usize {
        OVERHEAD + session.metadata.len() + session.session_id.as_bytes().len()
    }
}

/// Queue, ticket and pointers around one request, in bytes, measured roughly.
const OVERHEAD: usize = 300;

pub(super) fn append_bytes(event: &NewEvent) -> usize {
    OVERHEAD
        + event.payload.len()
        + event.session_id.as_bytes().len()
        + event.event_id.as_bytes().len()
}

/// A wish to close a session.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Which session.
    pub session_id: SessionId,
    /// How it ended.
    pub status: ClosingStatus,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// When the wish arrived: `endedAt`, if it is the one that closes.
    pub at: Timestamp,
}

impl Closing {
    pub(super) fn bytes(&self) -> usize {
        OVERHEAD
            + self.session_id.as_bytes().len()
            + self.reason.as_ref().map_or(0, |reason| reason.len())
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the store, answer by `looked_up`.
    LookUp(CallId, Vec<LookUp>),
    /// Let the store append, answer by `committed`.
    Commit {
        /// For the answer.
        call: CallId,
        /// In order.
        records: Arc<[Record]>,
        /// How long each of them has waited since it arrived.
        waits: Vec<Duration>,
    },
    /// Let the store create, answer by `created`.
    Create(CallId, Vec<NewSession>),
    /// Tell the caller.
    Answer(Ticket, Answer),
    /// Tell whoever follows their session that these of the records are stored: some of one
    /// session, one after the other.
    Announce(Arc<[Record]>, Range<usize>),
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The event is stored.
    Appended {
        /// As it is stored.
        event: Event,
        /// It was stored by an earlier request.
        replayed: bool,
    },
    /// The session is closed, in the way asked for.
    Closed(Terminal),
    /// The session exists.
    Created {
        /// As it is stored.
        session: Session,
        /// It was created by an earlier request.
        replayed: bool,
    },
    /// It was not done.
    Refused(Refusal),
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No such session.
    #[error("there is no such session")]
    SessionAbsent,
    /// The session was erased; its id stays spent.
    #[error("the session was erased")]
    Erased,
    /// The session was closed before.
    #[error("the session is closed")]
    Closed(Terminal),
    /// The session was closed before, with the other outcome.
    #[error("the session was closed with the other outcome")]
    ClosedOtherwise(Terminal),
    /// The event id is stored with other content.
    #[error("the event id is taken by an event with other content")]
    EventIdTaken,
    /// The expected place is not the next one.
    #[error("the next place in the log is {next}")]
    NotNext {
        /// The next place.
        next: Seq,
    },
    /// Too much is queued. Nothing was done.
    #[error("too many requests are queued")]
    Overloaded,
    /// The store did not answer in time. It may or may not have been done; safe to repeat.
    #[error("the store did not answer in time")]
    TimedOut,
}

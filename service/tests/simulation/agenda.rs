//! What will happen when, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use sessionstore::domain::{Event as LogEvent, SessionId};
use sessionstore::store::{CommitOutcome, CreateOutcome, Known, LogState, StoreError};

use crate::reads::Seen;

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A client does its next operation.
    Think(usize),
    /// A client stops waiting for its operation of this number.
    HangUp(usize, usize),
    /// A process's timer goes off, if it is still the same process.
    Tick(usize, u64),
    /// An insert stores its next records.
    Insert(usize),
    /// A creation reaches the primary.
    Create(usize),
    /// A question reaches the primary.
    Ask(usize),
    /// The other half of a question is read.
    AskOn(usize, Half),
    /// A read reaches the primary.
    Read(usize),
    /// A reply reaches whoever made the call.
    Reply(usize, Reply),
    /// Whoever made the call stops waiting for the reply.
    GiveUp(usize),
    /// The majority catches up with a primary.
    Advance(usize),
    /// An erasure goes on.
    Erase(SessionId),
    /// Something goes wrong with a process or a primary.
    Trouble,
    /// A crashed process comes back.
    Restart(usize),
    /// A process finds the present primary again.
    Heal(usize),
}

/// The half of a question that was read first.
#[derive(Clone, Debug)]
pub(crate) enum Half {
    Logs(Vec<LogState>),
    Events(Vec<Vec<Option<LogEvent>>>),
}

/// What a call to the store returns.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Committed(Vec<CommitOutcome>),
    Created(Vec<CreateOutcome>),
    LookedUp(Result<Vec<Known>, StoreError>),
    Read(Option<Seen>),
}

/// Ordered by time, then by the order of entry.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BTreeMap<(Duration, u64), Event>,
    entered: u64,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: Duration, event: Event) {
        self.entered += 1;
        self.entries.insert((at, self.entered), event);
    }

    pub(crate) fn next(&mut self) -> Option<(Duration, Event)> {
        let ((at, _), event) = self.entries.pop_first()?;
        Some((at, event))
    }
}

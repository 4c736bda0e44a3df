//! Where the logs that were written to lately end: saves writers and readers a look at the log.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::domain::{SessionId, Timestamp};
use crate::store::embedded::keys::SessionNumber;

/// As many as the committer keeps lanes by default, in about 3 MB: what is warm there is warm
/// here. The `unwrap` is of a constant, so it is the compiler that would panic.
const TAILS: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

/// The end of the log of an open session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) session: SessionNumber,
    /// Its number of events.
    pub(super) events: u64,
    /// The time of the last event, if no event is earlier than one before it.
    pub(super) in_order_until: Option<Timestamp>,
}

/// Tails of open sessions with events. Each was committed and visible when it was put here.
#[derive(Debug)]
pub(super) struct Tails(Mutex<LruCache<SessionId, Tail>>);

impl Tail {
    pub(super) fn empty(session: SessionNumber) -> Self {
        Self {
            session,
            events: 0,
            in_order_until: Some(Timestamp::from_millis(0)),
        }
    }

    /// The tail after one more event, of this time.
    #[must_use]
    pub(super) fn after(self, time: Timestamp) -> Self {
        Self {
            events: self.events + 1,
            in_order_until: self
                .in_order_until
                .filter(|last| *last <= time)
                .map(|_| time),
            ..self
        }
    }
}

impl Tails {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(TAILS)))
    }

    /// For the writer: right as long as nobody else writes.
    pub(super) fn get(&self, id: &SessionId) -> Option<Tail> {
        self.lock().get(id).copied()
    }

    /// For readers: right at this moment, if the session is still open.
    pub(super) fn peek(&self, id: &SessionId) -> Option<Tail> {
        self.lock().peek(id).copied()
    }

    pub(super) fn put(&self, id: SessionId, tail: Tail) {
        self.lock().put(id, tail);
    }

    /// The session was closed or erased.
    pub(super) fn remove(&self, id: &SessionId) {
        self.lock().pop(id);
    }

    /// Nothing is known any more.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<SessionId, Tail>> {
        // Nothing that can panic half-way runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

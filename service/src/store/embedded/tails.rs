//! How long the logs of the sessions written to lately are: saves a write the look at the log.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::domain::SessionId;

/// As many as the committer keeps lanes by default, in about 3 MB: what is warm there is warm
/// here.
const TAILS: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();

/// Numbers of events, at least 1, of open sessions. Never anything but what is committed.
#[derive(Debug)]
pub(super) struct Tails(LruCache<SessionId, u64>);

impl Tails {
    pub(super) fn new() -> Self {
        Self(LruCache::new(TAILS))
    }

    pub(super) fn get(&mut self, id: &SessionId) -> Option<u64> {
        self.0.get(id).copied()
    }

    pub(super) fn put(&mut self, id: SessionId, events: u64) {
        self.0.put(id, events);
    }

    /// The session was closed or erased.
    pub(super) fn remove(&mut self, id: &SessionId) {
        self.0.pop(id);
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

//! Where logs were seen to end. They only grow, and no record of them is ever deleted, so to ask
//! for what there is from that record on costs the primary a few steps in an index, where to ask
//! for the last record of a log costs it a plan and a cursor each (measured: 16 µs a session
//! instead of 100). It is a place to begin at and no truth: what is answered is what is stored.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::domain::SessionId;

/// Sessions that are remembered, the last used ones: some 100 bytes each.
const SESSIONS: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Tails(Mutex<LruCache<SessionId, u64>>);

impl Tails {
    pub(super) fn new() -> Self {
        let sessions = NonZeroUsize::new(SESSIONS).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(sessions)))
    }

    /// What is remembered of these sessions: the place of the last record that was seen, 0 in a
    /// log that was seen empty.
    pub(super) fn of(&self, ids: &[&SessionId]) -> Vec<Option<u64>> {
        let mut tails = self.lock();
        ids.iter().map(|id| tails.get(*id).copied()).collect()
    }

    /// Remembers places that a majority was seen to have.
    pub(super) fn saw<'a>(&self, places: impl IntoIterator<Item = (&'a SessionId, u64)>) {
        let mut tails = self.lock();
        for (id, place) in places {
            match tails.get_mut(id) {
                Some(known) => *known = place.max(*known),
                None => {
                    tails.put(id.clone(), place);
                }
            }
        }
    }

    /// Forgets a session whose log is not as it was remembered.
    pub(super) fn forget(&self, id: &SessionId) {
        self.lock().pop(id);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<SessionId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_never_remembered_shorter_than_it_was_seen() {
        let (tails, id) = (Tails::new(), SessionId::from_stored("call-7"));
        assert_eq!(tails.of(&[&id]), [None]);
        tails.saw([(&id, 0)]);
        assert_eq!(tails.of(&[&id]), [Some(0)]);
        tails.saw([(&id, 7), (&id, 3)]);
        assert_eq!(tails.of(&[&id]), [Some(7)]);
        tails.forget(&id);
        assert_eq!(tails.of(&[&id]), [None]);
    }
}

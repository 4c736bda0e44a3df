//! When to set a count of pods, which is set apart from all else. Pure.

use std::time::Duration;

use crate::apply::Repair;
use crate::apply::decide::{LATE, left};
use crate::clock::Time;

/// How many pods something has, by the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// So many.
    pub pods: i32,
    /// The [`version`](crate::apply::version) of the object that says so; 0 if it was just made.
    pub version: u64,
}

impl Count {
    /// What makes the API server refuse a count that was decided on what is not so any more; none for
    /// what was made a moment ago.
    pub(super) fn resource_version(&self) -> Option<String> {
        self.is_seen().then(|| self.version.to_string())
    }

    /// Whether a watch has told it.
    pub fn is_seen(&self) -> bool {
        self.version > 0
    }
}

/// A count that was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaled {
    wanted: i32,
    /// The version that this made.
    version: u64,
    at: Time,
    repair: Repair,
}

impl Scaled {
    /// One that has been set now, after `before`; `version` came of it.
    pub fn next(before: Option<&Self>, found: Count, wanted: i32, version: u64, now: Time) -> Self {
        let before = before.map(|it| &it.repair);
        Self {
            wanted,
            version,
            at: now,
            repair: Repair::next(before, &drift(found, wanted), now),
        }
    }

    /// How much longer to leave the count as it is: the watch has not told yet that it was set, or
    /// somebody else sets it to the same again and again.
    pub fn wait(&self, found: Count, wanted: i32, now: Time) -> Option<Duration> {
        if wanted == self.wanted && found.version < self.version {
            return left(self.at.saturating_add(LATE), now);
        }
        self.repair.wait(&drift(found, wanted), now)
    }
}

fn drift(found: Count, wanted: i32) -> String {
    format!("{} instead of {wanted}", found.pods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::backoff;

    const NOW: Time = Duration::from_secs(1_000);

    fn count(pods: i32, version: u64) -> Count {
        Count { pods, version }
    }

    #[test]
    fn a_count_that_a_late_watch_does_not_show_yet_is_not_set_again() {
        let scaled = Scaled::next(None, count(1, 4), 3, 5, NOW);
        assert_eq!(scaled.wait(count(1, 4), 3, NOW), Some(LATE));
        assert_eq!(scaled.wait(count(1, 4), 3, NOW + LATE), None);
    }

    #[test]
    fn another_count_is_set_at_once_however_late_the_watch_is() {
        let scaled = Scaled::next(None, count(1, 4), 3, 5, NOW);
        assert_eq!(scaled.wait(count(1, 4), 5, NOW), None);
    }

    #[test]
    fn a_count_that_somebody_sets_to_the_same_again_and_again_waits() {
        let scaled = Scaled::next(None, count(1, 4), 3, 5, NOW);
        assert_eq!(scaled.wait(count(7, 6), 3, NOW), None);
        let scaled = Scaled::next(Some(&scaled), count(7, 6), 3, 7, NOW);
        assert_eq!(scaled.wait(count(7, 8), 3, NOW), Some(backoff(1)));
    }
}

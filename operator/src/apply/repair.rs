//! How soon something is set back again that somebody else has set again and again. Pure.
//!
//! A person's edit is repaired at once, and so is the next one. But another controller that means to
//! own the same field answers each repair, and two of them at full speed would keep the API server
//! busy for ever: whoever finds the same drift again waits twice as long each time.

use std::time::Duration;

use crate::clock::Time;

/// After this time without the same drift, it counts as a new one. Longer than any wait.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// How long to wait after so many times in a row: twice as long each time, from a fifth of a second
/// to a minute.
pub fn backoff(times: u32) -> Duration {
    let doubled = Duration::from_millis(200).saturating_mul(2_u32.saturating_pow(times));
    doubled.min(Duration::from_secs(60))
}

/// A repair that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What was found, told from anything else that might be found.
    drift: String,
    /// How often in a row.
    times: u32,
    at: Time,
}

impl Repair {
    /// One that is made now, after `before`.
    pub fn next(before: Option<&Self>, drift: &str, now: Time) -> Self {
        let times = before.filter(|it| it.is_about(drift, now));
        Self {
            drift: drift.to_owned(),
            times: times.map_or(0, |before| before.times).saturating_add(1),
            at: now,
        }
    }

    /// How much longer to leave it as it is, if the same is found again.
    pub fn wait(&self, drift: &str, now: Time) -> Option<Duration> {
        if !self.is_about(drift, now) {
            return None;
        }
        let end = self.at.saturating_add(backoff(self.times));
        end.checked_sub(now).filter(|left| !left.is_zero())
    }

    fn is_about(&self, drift: &str, now: Time) -> bool {
        self.drift == drift && now.saturating_sub(self.at) < FORGOTTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Duration::from_secs(1_000);

    #[test]
    fn another_edit_is_repaired_at_once() {
        let repair = Repair::next(None, "one", START);
        assert_eq!(repair.wait("other", START), None);
    }

    #[test]
    fn the_same_edit_again_and_again_is_repaired_ever_more_slowly_and_never_given_up() {
        let mut now = START;
        let mut repair = Repair::next(None, "theirs", now);
        let mut waits = Vec::new();
        for _ in 0..20 {
            let wait = repair.wait("theirs", now).unwrap();
            waits.push(wait);
            now += wait;
            assert_eq!(repair.wait("theirs", now), None);
            repair = Repair::next(Some(&repair), "theirs", now);
        }
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!(waits[0], Duration::from_millis(400));
        assert_eq!(waits[19], Duration::from_secs(60));
    }

    #[test]
    fn an_edit_that_has_not_come_back_for_long_is_a_new_one() {
        let mut repair = Repair::next(None, "theirs", START);
        for _ in 0..20 {
            repair = Repair::next(Some(&repair), "theirs", START);
        }
        let later = START + FORGOTTEN;
        assert_eq!(repair.wait("theirs", later), None);
        let next = Repair::next(Some(&repair), "theirs", later);
        assert_eq!(next, Repair::next(None, "theirs", later));
    }
}

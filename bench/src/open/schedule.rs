//! When requests are due. Pure.

use std::time::Duration;

use crate::figures::float;

/// Requests at a fixed rate, whatever becomes of those before them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    rate: f64,
    requests: u64,
}

impl Schedule {
    /// So many a second, for so long.
    pub(crate) fn new(rate: f64, time: Duration) -> Self {
        let requests = (rate * time.as_secs_f64()).floor().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; a run of 2^64 requests does not end"
        )]
        let requests = requests as u64;
        Self { rate, requests }
    }

    /// How many there are.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// When the request with this number is due, from the beginning on.
    pub(crate) fn due_at(&self, number: u64) -> Duration {
        Duration::from_secs_f64(float(number) / self.rate)
    }

    /// How many are due when this much time has passed.
    pub(crate) fn due_by(&self, elapsed: Duration) -> u64 {
        // The one with number 0 is due at once.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and cut off at the number of requests"
        )]
        let due = (elapsed.as_secs_f64() * self.rate).floor() as u64;
        due.saturating_add(1).min(self.requests)
    }

    /// From the first until one would be due that there is no more.
    pub(crate) fn length(&self) -> Duration {
        self.due_at(self.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn requests_are_due_at_a_fixed_rate_from_the_beginning_on() {
        let schedule = Schedule::new(1_000.0, Duration::from_secs(2));
        assert_eq!(schedule.requests(), 2_000);
        assert_eq!(schedule.due_at(0), Duration::ZERO);
        assert_eq!(schedule.due_at(1_500), Duration::from_millis(1_500));
        assert_eq!(schedule.length(), Duration::from_secs(2));
    }

    #[test]
    fn after_a_pause_all_that_became_due_meanwhile_is_due() {
        let schedule = Schedule::new(1_000.0, Duration::from_secs(2));
        assert_eq!(schedule.due_by(Duration::ZERO), 1);
        assert_eq!(schedule.due_by(MILLI / 2), 1);
        assert_eq!(schedule.due_by(100 * MILLI), 101);
    }

    #[test]
    fn there_are_never_more_than_it_has() {
        let schedule = Schedule::new(1_000.0, Duration::from_secs(2));
        assert_eq!(schedule.due_by(Duration::from_secs(60)), 2_000);
    }
}

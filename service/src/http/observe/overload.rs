//! Overload in the log: a line a second at most. A line for each refused request would cost more
//! than the refusal, just when there is nothing to spare.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts refused requests between two lines.
#[derive(Debug, Default)]
pub(super) struct Overload(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    /// When the last line was written.
    told: Option<Instant>,
    refused: u64,
}

/// Between two lines.
const PERIOD: Duration = Duration::from_secs(1);

impl Overload {
    /// A request was refused at this time. Returns how many there were since the last line, if it
    /// is time for the next one.
    pub(super) fn refused(&self, now: Instant) -> Option<u64> {
        // Nothing that can panic runs under this lock.
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.refused += 1;
        let is_time = untold
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= PERIOD);
        if !is_time {
            return None;
        }
        untold.told = Some(now);
        Some(std::mem::take(&mut untold.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_is_told_at_once_and_the_others_together_once_a_second() {
        let overload = Overload::default();
        let start = Instant::now();
        let after = |millis| overload.refused(start + Duration::from_millis(millis));
        assert_eq!(after(0), Some(1));
        assert_eq!(after(1), None);
        assert_eq!(after(999), None);
        assert_eq!(after(1000), Some(3));
        assert_eq!(after(1500), None);
        assert_eq!(after(5000), Some(2));
    }
}

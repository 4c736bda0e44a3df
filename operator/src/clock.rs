//! The one clock that decisions are measured by.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A reading of [`now`]: the time since an origin that only this machine knows. Readings of two
/// machines cannot be compared.
pub type Time = Duration;

/// This machine's time, which never goes back and goes on while the machine sleeps: a leader that
/// was suspended has to find its time used up. (`Instant` stands still meanwhile on Linux.)
pub fn now() -> Time {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    // Both clocks count from the start of the machine, so neither part is ever negative.
    Duration::try_from(clock_gettime(CLOCK)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let (first, second) = (now(), now());
        assert!(first > Duration::ZERO);
        assert!(second >= first);
    }
}

//! The right to change things, for as long as it lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::clock::{self, Time};

/// One term of leadership. Cheap to clone and to ask.
///
/// A term that has ended never begins again: whoever leads once more gets another one, so that
/// what was begun in the old term cannot go on in the new.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<State>);

#[derive(Debug)]
struct State {
    /// Nanoseconds of [`clock::now`]; 64 bits are 584 years of them.
    until: AtomicU64,
    ended: CancellationToken,
}

/// Another process may be leading by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this operator no longer leads: another one may be at work, so nothing is changed")]
pub struct NotLeader;

impl Leadership {
    /// A term that lasts until then, unless it is extended or ended before.
    pub fn new(until: Time) -> Self {
        Self(Arc::new(State {
            until: AtomicU64::new(nanos(until)),
            ended: CancellationToken::new(),
        }))
    }

    /// To be asked before every change, of the database above all. A yes is good for a change that
    /// takes no longer than a third of the Lease's duration: the difference between this deadline
    /// and the moment that others may begin.
    ///
    /// # Errors
    /// When the term is over: the change must not be made, and the work has to stop.
    pub fn check(&self) -> Result<(), NotLeader> {
        let is_over = nanos(clock::now()) >= self.0.until.load(Ordering::Acquire);
        if is_over || self.0.ended.is_cancelled() {
            return Err(NotLeader);
        }
        Ok(())
    }

    /// The Lease was renewed.
    pub(super) fn extend(&self, until: Time) {
        self.0.until.fetch_max(nanos(until), Ordering::AcqRel);
    }

    /// The term is over, for everybody who holds a clone.
    pub(super) fn end(&self) {
        self.0.ended.cancel();
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_term_ends_by_itself() {
        assert_eq!(Leadership::new(clock::now() + HOUR).check(), Ok(()));
        assert_eq!(Leadership::new(clock::now()).check(), Err(NotLeader));
    }

    #[test]
    fn a_term_that_was_ended_is_over_for_everybody() {
        let leadership = Leadership::new(clock::now() + HOUR);
        let worker = leadership.clone();
        leadership.end();
        assert_eq!(worker.check(), Err(NotLeader));
        leadership.extend(clock::now() + 2 * HOUR);
        assert_eq!(worker.check(), Err(NotLeader));
    }

    #[test]
    fn a_renewal_never_shortens_a_term() {
        let leadership = Leadership::new(clock::now() + HOUR);
        leadership.extend(clock::now());
        assert_eq!(leadership.check(), Ok(()));
    }
}

//! How soon to look again while something is waited for that no watch tells. Pure.

use std::time::Duration;

use crate::apply::backoff;
use crate::mongo::plan::Why;

/// The longest pause while something goes on by itself.
const WAITING: Duration = Duration::from_secs(1);

/// The longest pause while a person has to do something.
const STALLED: Duration = Duration::from_secs(15);

/// What is waited for, and for how many looks already. At first it may pass within a moment, as most
/// does while a set begins; the longer it lasts, the longer it will.
#[derive(Debug, Default)]
pub(super) struct Patience {
    reason: Option<&'static str>,
    looks: u32,
}

impl Patience {
    /// Says how soon to look again.
    pub(super) fn wait(&mut self, why: &Why) -> Duration {
        if self.reason == Some(why.reason()) {
            self.looks += 1;
        } else {
            tracing::info!(reason = why.reason(), %why, "waiting");
            *self = Self {
                reason: Some(why.reason()),
                looks: 0,
            };
        }
        let longest = if why.is_stalled() { STALLED } else { WAITING };
        backoff(self.looks).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(patience: &mut Patience, why: &Why, looks: usize) -> Vec<u128> {
        let pauses = (0..looks).map(|_| patience.wait(why).as_millis());
        pauses.collect()
    }

    #[test]
    fn what_goes_on_by_itself_is_looked_at_within_a_second() {
        let pauses = pauses(&mut Patience::default(), &Why::Electing, 5);
        assert_eq!(pauses, [200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn what_needs_a_person_may_pass_soon_but_is_not_looked_at_for_ever() {
        let pauses = pauses(&mut Patience::default(), &Why::DataGone, 9);
        assert_eq!(pauses[..3], [200, 400, 800]);
        assert_eq!(pauses[7..], [15_000, 15_000]);
    }

    #[test]
    fn something_else_is_looked_at_soon() {
        let mut patience = Patience::default();
        pauses(&mut patience, &Why::DataGone, 9);
        assert_eq!(pauses(&mut patience, &Why::Settling, 1), [200]);
    }
}

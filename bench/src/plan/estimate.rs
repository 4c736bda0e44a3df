//! About how long things take. Pure.

use std::time::Duration;

use crate::{
    ceiling::CeilingKind,
    plan::{Pace, Plan, Rates, Step, What},
};

/// About how long a server takes to start and a workload to be prepared.
const PREPARATION: Duration = Duration::from_millis(1_500);

impl Plan {
    /// About how long the steps from this one on take.
    pub(crate) fn estimate_from(&self, step: usize) -> Duration {
        let steps = self.steps.iter().skip(step);
        steps.map(|it| it.estimate(&self.pace)).sum()
    }
}

impl Step {
    pub(super) fn estimate(&self, pace: &Pace) -> Duration {
        let Self { backend, what } = self;
        match what {
            What::Closed {
                workload,
                connections,
            } => {
                let ceilings = CeilingKind::of(*backend, *workload).len();
                let round = pace.round + times(pace.ceiling_round, ceilings);
                times(PREPARATION + rounds(pace, round), connections.len())
            }
            What::Open { rates, .. } => {
                let (rates, capacity) = match rates {
                    Rates::Absolute(rates) => (rates.len(), Duration::ZERO),
                    Rates::OfCapacity(shares) => (shares.len(), pace.warm_up + pace.round),
                };
                PREPARATION + capacity + times(rounds(pace, pace.round), rates)
            }
            What::Overload => PREPARATION + rounds(pace, 2 * pace.round),
            What::Stream { .. } => PREPARATION + rounds(pace, pace.round),
        }
    }
}

/// So many rounds of this length, with the warm-up before.
fn rounds(pace: &Pace, round: Duration) -> Duration {
    pace.warm_up + times(round, pace.rounds)
}

fn times(duration: Duration, factor: usize) -> Duration {
    duration.saturating_mul(u32::try_from(factor).unwrap_or(u32::MAX))
}

//! About how long things take. Pure.

use std::time::Duration;

use crate::{
    backend::Backend,
    ceiling::CeilingKind,
    measure::growth,
    plan::{Pace, Plan, Rates, Step, What},
    workload::View,
};

/// About how long a server takes to start and a workload to be prepared.
const PREPARATION: Duration = Duration::from_millis(1_500);

/// How long the service is left alone before its memory is looked at, with what comes before.
const REST: Duration = Duration::from_secs(2);

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
            What::Growth { workloads, events } => {
                let each = PREPARATION + rounds(pace, pace.round);
                stored(*backend, *events) + growth::CALM + times(each, 2 * workloads.len())
            }
            What::Pages { lengths } => {
                let views = lengths.len() * View::ALL.len();
                let pages = times(rounds(pace, pace.round), views);
                PREPARATION + stored(*backend, lengths.iter().sum()) + pages
            }
            What::Streams { counts } => PREPARATION + times(REST, counts.len()),
            What::Lanes { counts } => {
                let sessions = counts.iter().max().copied().unwrap_or_default();
                // To create a session takes about as long as to store three events in batches.
                PREPARATION + times(REST, counts.len()) + stored(*backend, 4 * sessions)
            }
            What::Soak { time } => PREPARATION + *time,
        }
    }
}

/// So many events, in batches. On MongoDB as measured with a million, which do not fit into the cache
/// of members that are started here.
fn stored(backend: Backend, events: u64) -> Duration {
    let each = Duration::from_micros(match backend {
        Backend::Embedded | Backend::Given => 100,
        Backend::Mongodb => 400,
    });
    each.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX))
}

/// So many rounds of this length, with the warm-up before.
fn rounds(pace: &Pace, round: Duration) -> Duration {
    pace.warm_up + times(round, pace.rounds)
}

fn times(duration: Duration, factor: usize) -> Duration {
    duration.saturating_mul(u32::try_from(factor).unwrap_or(u32::MAX))
}

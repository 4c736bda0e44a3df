//! What is measured if nobody says otherwise.

use std::time::Duration;

use crate::{
    plan::{Pace, Part},
    workload::Workload,
};

pub(super) const FULL: Pace = Pace {
    warm_up: Duration::from_secs(2),
    round: Duration::from_secs(5),
    rounds: 3,
    ceiling_round: Duration::from_secs(2),
};

pub(super) const QUICK: Pace = Pace {
    warm_up: Duration::from_millis(500),
    round: Duration::from_secs(1),
    rounds: 2,
    ceiling_round: Duration::from_millis(500),
};

/// Of a closed loop.
pub(super) const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

/// Of capacity, in open loops: from idle to nearly full.
pub(super) const SHARES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Appends a second while streams are open; ten times as many deliveries.
pub(super) const STREAM_RATE: f64 = 500.0;

/// What can be seen in short rounds: nothing that has to grow first.
pub(super) const QUICK_PARTS: [Part; 4] = [Part::Closed, Part::Open, Part::Overload, Part::Stream];

/// Events of a session whose pages are read.
pub(super) const LENGTHS: [u64; 5] = [10, 100, 1_000, 10_000, 100_000];

/// What is measured on a store that has grown: writes, reads, and both together.
pub(super) const GROWTH: [Workload; 5] = [
    Workload::Append,
    Workload::Create,
    Workload::Replay,
    Workload::Get20,
    Workload::Mixed,
];

/// Of the store that has grown.
pub(super) const EVENTS: u64 = 1_000_000;

/// Open at the same time.
pub(super) const STREAMS: [u64; 4] = [0, 100, 1_000, 5_000];

/// Beyond the 20,000 whose place the service remembers.
pub(super) const LANES: [u64; 5] = [0, 1_000, 10_000, 20_000, 100_000];

pub(super) const SOAK: Duration = Duration::from_secs(600);

/// What can be measured with a service that runs already: nothing that needs settings or a store
/// of its own, or its process.
pub(super) const GIVEN_PARTS: [Part; 4] = [Part::Closed, Part::Open, Part::Stream, Part::Pages];

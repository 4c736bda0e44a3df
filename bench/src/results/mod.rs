//! Everything that a run measured. `file` writes it and reads it again.

mod file;
#[cfg(test)]
pub(crate) mod samples;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    backend::Backend,
    ceiling::CeilingKind,
    figures::{Percentiles, RoundLatency, Spread},
    machine::{self, Machine},
    plan::Pace,
    process::Memory,
    workload::{View, Workload},
};

/// Of this form; a file of another one is refused.
pub(crate) const FORMAT: u32 = 2;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    pub(crate) format: u32,
    pub(crate) measured_at: String,
    /// What was checked out; `-dirty` if it was changed.
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) pace: Pace,
    /// Events that were stored before the closed loops began.
    pub(crate) preloaded_events: u64,
    /// Closed loops.
    #[serde(default)]
    pub(crate) closed: Vec<Closed>,
    /// Open loops below what the service can carry.
    #[serde(default)]
    pub(crate) open: Vec<Open>,
    /// Open loops above it.
    #[serde(default)]
    pub(crate) overload: Vec<Overload>,
    #[serde(default)]
    pub(crate) streams: Vec<Stream>,
    #[serde(default)]
    pub(crate) growth: Vec<Growth>,
    #[serde(default)]
    pub(crate) pages: Vec<Pages>,
    #[serde(default)]
    pub(crate) memory: Vec<Memories>,
    #[serde(default)]
    pub(crate) soaks: Vec<Soak>,
    /// What could not be measured, and why.
    #[serde(default)]
    pub(crate) failed: Vec<Failed>,
}

/// A workload in a closed loop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Closed {
    pub(crate) backend: Backend,
    pub(crate) workload: Workload,
    pub(crate) connections: usize,
    /// Expected answers of all rounds.
    pub(crate) answers: u64,
    /// Expected answers a second.
    pub(crate) rate: Spread,
    pub(crate) latency_micros: RoundLatency,
    /// Other answers, by what they were.
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) cpu_micros: Cpu,
    /// Of the service.
    pub(crate) memory: Option<Memory>,
    /// Records in one commit of the service; absent where it committed none.
    pub(crate) batch: Option<Spread>,
    pub(crate) ceilings: Vec<Ceiling>,
}

/// CPU time for each answer, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cpu {
    pub(crate) service: Option<Spread>,
    pub(crate) mongods: Option<Spread>,
    pub(crate) generator: Spread,
}

/// What the same machine did between the rounds without the service.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ceiling {
    pub(crate) kind: CeilingKind,
    /// Items in a call, where several go into one.
    pub(crate) batch: Option<Spread>,
    /// Calls or, where several items go into one, items a second.
    pub(crate) rate: Spread,
    /// Of calls.
    pub(crate) latency_micros: RoundLatency,
    /// The service's rate through this one, of each round.
    pub(crate) ratio: Spread,
}

/// A workload in an open loop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Open {
    pub(crate) backend: Backend,
    pub(crate) workload: Workload,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Of what a closed loop got through just before.
    pub(crate) share: Option<f64>,
    /// Expected answers a second.
    pub(crate) answered: Spread,
    /// From when requests were due.
    pub(crate) latency_micros: RoundLatency,
    /// How late requests were sent; part of their latency.
    pub(crate) lateness_micros: Percentiles,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) cpu_micros: Cpu,
    pub(crate) memory: Option<Memory>,
}

/// Appends in an open loop, at three times of what the service can carry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overload {
    pub(crate) backend: Backend,
    /// Expected answers a second of a closed loop, before each round.
    pub(crate) capacity: Spread,
    /// Requests a second that were due.
    pub(crate) offered: Spread,
    /// Expected answers a second.
    pub(crate) goodput: Spread,
    /// Goodput through capacity, of each round.
    pub(crate) ratio: Spread,
    pub(crate) accepted: u64,
    /// With 503 or 429 and `Retry-After`.
    pub(crate) refused: u64,
    /// For which the generator had no connection.
    pub(crate) unsent: u64,
    /// From when requests were due.
    pub(crate) accepted_micros: Percentiles,
    /// From when they were sent: without what the generator was late.
    pub(crate) accepted_from_sent_micros: Percentiles,
    /// From when requests were due.
    pub(crate) refused_micros: Percentiles,
    /// From when they were sent: without what the generator was late.
    pub(crate) refused_from_sent_micros: Percentiles,
    pub(crate) lateness_micros: Percentiles,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) cpu_micros: Cpu,
    pub(crate) memory: Option<Memory>,
}

/// Events on their way to subscribers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stream {
    pub(crate) backend: Backend,
    pub(crate) sessions: u64,
    /// Of all sessions together.
    pub(crate) subscribers: u64,
    /// Appends a second, in an open loop.
    pub(crate) rate: f64,
    pub(crate) delivered: u64,
    /// Deliveries that did not come within two seconds.
    pub(crate) missing: u64,
    /// Until an append was acknowledged, from when it was due.
    pub(crate) append_micros: RoundLatency,
    /// Until an event arrived at a subscriber, from when its append was due.
    pub(crate) delivery_micros: RoundLatency,
    pub(crate) errors: BTreeMap<String, u64>,
    /// For each delivery.
    pub(crate) cpu_micros: Cpu,
    pub(crate) memory: Option<Memory>,
}

/// A workload on an empty store and on one that has grown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Growth {
    /// In the store that has grown.
    pub(crate) events: u64,
    pub(crate) empty: Closed,
    pub(crate) grown: Closed,
    /// The rate of the latter through that of the former, round by round.
    pub(crate) ratio: Spread,
}

/// A page of a session in a closed loop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pages {
    pub(crate) backend: Backend,
    /// Events of the session.
    pub(crate) length: u64,
    pub(crate) view: View,
    /// Pages a second.
    pub(crate) rate: Spread,
    pub(crate) latency_micros: RoundLatency,
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) cpu_micros: Cpu,
}

/// Memory of the service while so many of something are open or remembered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memories {
    pub(crate) backend: Backend,
    pub(crate) what: Remembered,
    pub(crate) count: u64,
    pub(crate) resident_kib: u64,
}

/// What takes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remembered {
    /// Open streams.
    Streams,
    /// Sessions that were appended to; of the last 20,000 the service knows the place.
    Lanes,
}

/// The same load for long.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Soak {
    pub(crate) backend: Backend,
    pub(crate) workload: Workload,
    pub(crate) connections: usize,
    /// Expected answers a second.
    pub(crate) rate: f64,
    /// Memory of the last quarter through that of the second.
    pub(crate) growth: f64,
    pub(crate) samples: Vec<Sample>,
    pub(crate) errors: BTreeMap<String, u64>,
}

/// Memory at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// Since the beginning.
    pub(crate) seconds: f64,
    pub(crate) resident_kib: u64,
}

/// A step of the plan that came to nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) step: String,
    pub(crate) error: String,
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Streams => "streams",
            Self::Lanes => "lanes",
        })
    }
}

impl Results {
    /// Of a run that has not measured anything yet.
    pub(crate) fn new(pace: Pace, preloaded_events: u64) -> Self {
        Self {
            format: FORMAT,
            measured_at: jiff::Timestamp::now().to_string(),
            commit: machine::commit(),
            machine: Machine::here(),
            pace,
            preloaded_events,
            closed: Vec::new(),
            open: Vec::new(),
            overload: Vec::new(),
            streams: Vec::new(),
            growth: Vec::new(),
            pages: Vec::new(),
            memory: Vec::new(),
            soaks: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Whether something is not as it has to be.
    pub(crate) fn has_errors(&self) -> bool {
        let closed = self.closed.iter().map(|it| &it.errors);
        let open = self.open.iter().map(|it| &it.errors);
        let overload = self.overload.iter().map(|it| &it.errors);
        let streams = self.streams.iter().map(|it| &it.errors);
        let growth = self.growth.iter();
        let growth = growth.flat_map(|it| [&it.empty.errors, &it.grown.errors]);
        let pages = self.pages.iter().map(|it| &it.errors);
        let soaks = self.soaks.iter().map(|it| &it.errors);
        let loops = closed.chain(open).chain(overload).chain(streams);
        let mut errors = loops.chain(growth).chain(pages).chain(soaks);
        !self.failed.is_empty() || errors.any(|it| !it.is_empty())
    }
}

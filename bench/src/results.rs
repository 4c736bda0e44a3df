//! Everything that a run measured, as it is written to a file and read again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    backend::Backend,
    ceiling::CeilingKind,
    figures::{RoundLatency, Spread},
    machine::Machine,
    plan::Pace,
    process::Memory,
    workload::Workload,
};

/// Of this form; a file of another one is refused.
pub(crate) const FORMAT: u32 = 1;

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

/// A step of the plan that came to nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) step: String,
    pub(crate) error: String,
}

impl Results {
    /// Whether something is not as it has to be.
    pub(crate) fn has_errors(&self) -> bool {
        !self.failed.is_empty() || self.closed.iter().any(|it| !it.errors.is_empty())
    }
}

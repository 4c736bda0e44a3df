//! Plans in words. Pure.

use std::{fmt, time::Duration};

use crate::plan::{Pace, Plan, Rates, Step, What};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{:>6}  {step}", minutes(step.estimate(&self.pace)))?;
        }
        let Pace { rounds, round, .. } = self.pace;
        let all = minutes(self.estimate_from(0));
        write!(f, "{all:>6}  in all, with {rounds} rounds of {round:?}")
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, what } = self;
        match what {
            What::Closed {
                workload,
                connections,
            } => {
                let connections = list(connections);
                write!(f, "{backend}: {workload} over {connections} connections")
            }
            What::Open { workload, rates } => write!(f, "{backend}: {workload} at {rates}"),
            What::Overload => write!(f, "{backend}: overload"),
            What::Stream { rate } => write!(f, "{backend}: streams, {rate} appends/s"),
            What::Growth { workloads, events } => {
                let workloads = list(workloads);
                write!(
                    f,
                    "{backend}: {workloads} with 0 and {events} events stored"
                )
            }
            What::Pages { lengths } => {
                write!(
                    f,
                    "{backend}: pages of sessions of {} events",
                    list(lengths)
                )
            }
            What::Streams { counts } => {
                write!(f, "{backend}: memory with {} streams open", list(counts))
            }
            What::Lanes { counts } => {
                write!(
                    f,
                    "{backend}: memory with {} sessions appended to",
                    list(counts)
                )
            }
            What::Soak { time } => {
                write!(f, "{backend}: whole conversations for {}", minutes(*time))
            }
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(rates) => write!(f, "{}/s", list(rates)),
            Self::OfCapacity(shares) => {
                let percent: Vec<f64> = shares.iter().map(|share| share * 100.0).collect();
                write!(f, "{} % of capacity", list(&percent))
            }
        }
    }
}

fn list(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// Minutes and seconds, for people.
pub(crate) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

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
                let connections: Vec<String> = connections.iter().map(usize::to_string).collect();
                let connections = connections.join(", ");
                write!(f, "{backend}: {workload} over {connections} connections")
            }
            What::Open { workload, rates } => write!(f, "{backend}: {workload} at {rates}"),
            What::Overload => write!(f, "{backend}: overload"),
            What::Stream { rate } => write!(f, "{backend}: streams, {rate} appends/s"),
        }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |rates: Vec<String>| rates.join(", ");
        match self {
            Self::Absolute(rates) => {
                write!(f, "{}/s", list(rates.iter().map(f64::to_string).collect()))
            }
            Self::OfCapacity(shares) => {
                let shares = shares.iter().map(|share| format!("{:.0}", share * 100.0));
                write!(f, "{} % of capacity", list(shares.collect()))
            }
        }
    }
}

/// Minutes and seconds, for people.
pub(crate) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

//! A workload in a closed loop, at several numbers of connections, with its ceilings in between.

use std::collections::BTreeMap;

use crate::{
    backend::Backend,
    client,
    closed::{self, Outcome, Progress, Stop},
    figures::{RoundLatency, Spread},
    lab::{Lab, Target},
    measure::{self, ceilings::Ceilings},
    metrics::Commits,
    plan::Pace,
    process::CpuTimes,
    results::{Ceiling, Closed},
    workload::{self, Source, Workload},
};

/// A workload and where it is measured.
pub(crate) struct Subject<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) backend: Backend,
    pub(crate) workload: Workload,
    pub(crate) pace: Pace,
    /// Ids of an earlier run against the same server must not come again: all begin with this.
    pub(crate) run: String,
}

/// What a round gave.
struct Round {
    outcome: Outcome,
    cpu: CpuTimes,
    /// Records in a commit.
    batch: Option<f64>,
}

impl Subject<'_> {
    /// Measures on one store; every number of connections goes on with what the last has left.
    pub(crate) async fn measure(
        &self,
        connections: &[usize],
        preload: u64,
    ) -> anyhow::Result<Vec<Closed>> {
        let target = self.lab.target().await?;
        measure::prepare(&target, workload::preload(&self.run, preload)).await?;
        let mut measured = Vec::with_capacity(connections.len());
        for connections in connections {
            let group = format!("{}-{connections}", self.run);
            measure::prepare(&target, self.workload.preparation(&group)).await?;
            let source = self.workload.source(&group);
            measured.push(self.rounds(&target, &source, *connections).await?);
        }
        Ok(measured)
    }

    async fn rounds(
        &self,
        target: &Target,
        source: &Source,
        connections: usize,
    ) -> anyhow::Result<Closed> {
        let mut open = client::connect(&target.urls, connections).await?;
        let mut progress = Progress::new(connections);
        let mut ceilings = Ceilings::start(self).await?;
        target.watched.reset_peak()?;
        let stop = Stop::after(self.pace.warm_up);
        closed::run(&mut open, source, &mut progress, stop).await?;
        let mut rounds = Vec::with_capacity(self.pace.rounds);
        for number in 1..=self.pace.rounds {
            let commits = Commits::read(&target.admin).await?;
            let before = target.watched.cpu_times()?;
            let stop = Stop::after(self.pace.round);
            let outcome = closed::run(&mut open, source, &mut progress, stop).await?;
            let round = Round {
                cpu: target.watched.cpu_times()?.since(before),
                batch: Commits::read(&target.admin).await?.mean_since(commits),
                outcome,
            };
            let rate = round.outcome.rate();
            let of = self.pace.rounds;
            eprintln!("  {connections} connections, round {number} of {of}: {rate:.0}/s");
            ceilings.round(self, connections, rate, round.batch).await?;
            rounds.push(round);
        }
        self.condense(target, connections, &rounds, ceilings.condense()?)
    }

    fn condense(
        &self,
        target: &Target,
        connections: usize,
        rounds: &[Round],
        ceilings: Vec<Ceiling>,
    ) -> anyhow::Result<Closed> {
        let outcomes = rounds.iter().map(|round| &round.outcome);
        let latencies: Vec<_> = outcomes.clone().map(|it| &it.latencies).collect();
        let costs = rounds.iter().map(|it| (it.cpu, it.outcome.answers()));
        let batches: Option<Vec<f64>> = rounds.iter().map(|it| it.batch).collect();
        Ok(Closed {
            backend: self.backend,
            workload: self.workload,
            connections,
            answers: outcomes.clone().map(|it| it.latencies.len()).sum(),
            rate: Spread::of(outcomes.clone().map(Outcome::rate)),
            latency_micros: RoundLatency::of(&latencies)?,
            errors: errors(outcomes),
            cpu_micros: measure::cpu(&costs.collect::<Vec<_>>()),
            memory: target.watched.memory()?,
            batch: batches.map(Spread::of),
            ceilings,
        })
    }
}

fn errors<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (failure, count) in outcomes.flat_map(|outcome| &outcome.failures) {
        *errors.entry(failure.to_string()).or_default() += count;
    }
    errors
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{figures, workload::Failure};

    #[test]
    fn failures_of_all_rounds_are_added_up_by_kind() {
        let outcome = || Outcome {
            elapsed: Duration::from_secs(1),
            latencies: figures::latencies().unwrap(),
            failures: BTreeMap::from([(Failure::Connection, 2)]),
        };
        let errors = errors([outcome(), outcome()].iter());
        assert_eq!(errors["connection lost"], 4);
    }
}

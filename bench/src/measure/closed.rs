//! A workload in a closed loop, at several numbers of connections, with its ceilings in between.

use std::{collections::BTreeMap, iter};

use crate::{
    backend::Backend,
    ceiling::{CeilingKind, mongo},
    client,
    closed::{self, Outcome, Progress, Stop},
    figures::{self, RoundLatency, Spread},
    lab::{Lab, Target},
    measure,
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

/// Rates of a ceiling, one a round.
type Ceilings = Vec<(mongo::Ceiling, CeilingKind, Vec<f64>)>;

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
        let mut ceilings = self.ceilings().await?;
        target.watched.reset_peak()?;
        let stop = Stop::after(self.pace.warm_up);
        closed::run(&mut open, source, &mut progress, stop).await?;
        let mut rounds = Vec::with_capacity(self.pace.rounds);
        for number in 1..=self.pace.rounds {
            let before = target.watched.cpu_times()?;
            let stop = Stop::after(self.pace.round);
            let outcome = closed::run(&mut open, source, &mut progress, stop).await?;
            let cpu = target.watched.cpu_times()?.since(before);
            eprintln!(
                "  {connections} connections, round {number} of {}: {:.0}/s",
                self.pace.rounds,
                outcome.rate()
            );
            rounds.push((outcome, cpu));
            for (ceiling, kind, rates) in &mut ceilings {
                let rate = ceiling.measure(connections, self.pace.ceiling_round)?;
                eprintln!("    {kind}: {rate:.0}/s");
                rates.push(rate);
            }
        }
        self.condense(target, connections, &rounds, ceilings)
    }

    async fn ceilings(&self) -> anyhow::Result<Ceilings> {
        let mut ceilings = Vec::new();
        if let Some(set) = self.lab.set() {
            for kind in CeilingKind::on_mongodb(self.workload) {
                ceilings.push((mongo::Ceiling::new(*kind, set).await?, *kind, Vec::new()));
            }
        }
        Ok(ceilings)
    }

    fn condense(
        &self,
        target: &Target,
        connections: usize,
        rounds: &[(Outcome, CpuTimes)],
        ceilings: Ceilings,
    ) -> anyhow::Result<Closed> {
        let outcomes = rounds.iter().map(|(outcome, _)| outcome);
        let rates: Vec<f64> = outcomes.clone().map(Outcome::rate).collect();
        let costs: Vec<_> = rounds
            .iter()
            .map(|(it, cpu)| (*cpu, it.answers()))
            .collect();
        let items = figures::float(self.workload.items());
        let latencies: Vec<_> = outcomes.clone().map(|it| &it.latencies).collect();
        let ceilings = ceilings.into_iter().map(|(_, kind, others)| Ceiling {
            kind,
            ratio: Spread::of(iter::zip(&rates, &others).map(|(own, other)| own * items / other)),
            rate: Spread::of(others),
        });
        Ok(Closed {
            backend: self.backend,
            workload: self.workload,
            connections,
            answers: outcomes.clone().map(|it| it.latencies.len()).sum(),
            latency_micros: RoundLatency::of(&latencies)?,
            errors: errors(outcomes),
            cpu_micros: measure::cpu(&costs),
            memory: target.watched.memory()?,
            ceilings: ceilings.collect(),
            rate: Spread::of(rates),
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
    use crate::workload::Failure;

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

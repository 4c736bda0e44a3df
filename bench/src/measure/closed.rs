//! A workload in a closed loop, at several numbers of connections, with its ceilings in between.

use crate::{
    client,
    closed::{self, Outcome, Progress, Stop},
    figures::{RoundLatency, Spread},
    lab::Target,
    measure::{self, Bench, ceilings::Ceilings},
    metrics::Commits,
    process::CpuTimes,
    results::{Ceiling, Closed},
    workload::{self, Source, Workload},
};

/// A workload and where it is measured.
pub(crate) struct Subject<'a> {
    pub(crate) bench: &'a Bench<'a>,
    pub(crate) workload: Workload,
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
        let target = self.bench.lab.target(&[]).await?;
        measure::prepare(&target, workload::preload(&self.bench.run, preload)).await?;
        let mut measured = Vec::with_capacity(connections.len());
        for connections in connections {
            let group = format!("{}-{connections}", self.bench.run);
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
        let stop = Stop::after(self.bench.pace.warm_up);
        closed::run(&mut open, source, &mut progress, stop).await?;
        let mut rounds = Vec::with_capacity(self.bench.pace.rounds);
        for number in 1..=self.bench.pace.rounds {
            let commits = Commits::read(&target.admin).await?;
            let before = target.watched.cpu_times()?;
            let stop = Stop::after(self.bench.pace.round);
            let outcome = closed::run(&mut open, source, &mut progress, stop).await?;
            let round = Round {
                cpu: target.watched.cpu_times()?.since(before),
                batch: Commits::read(&target.admin).await?.mean_since(commits),
                outcome,
            };
            let rate = round.outcome.rate();
            let of = self.bench.pace.rounds;
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
            backend: self.bench.backend,
            workload: self.workload,
            connections,
            answers: outcomes.clone().map(|it| it.latencies.len()).sum(),
            rate: Spread::of(outcomes.clone().map(Outcome::rate)),
            latency_micros: RoundLatency::of(&latencies)?,
            errors: measure::errors(outcomes.map(|it| &it.failures)),
            cpu_micros: measure::cpu(&costs.collect::<Vec<_>>()),
            memory: target.watched.memory()?,
            batch: batches.map(Spread::of),
            ceilings,
        })
    }
}

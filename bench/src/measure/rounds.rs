//! Rounds of a closed loop, and what they are condensed to.

use std::collections::BTreeMap;

use crate::{
    client::{self, Connection},
    closed::{self, Outcome, Progress, Stop},
    figures::{RoundLatency, Spread},
    lab::Target,
    measure::{self, Bench},
    metrics::Commits,
    process::{CpuTimes, Memory},
    results::Cpu,
    workload::Source,
};

struct Round {
    outcome: Outcome,
    cpu: CpuTimes,
    figures: RoundFigures,
}

/// What is compared with another round beside it.
#[derive(Clone, Copy)]
pub(super) struct RoundFigures {
    /// Expected answers a second.
    pub(super) rate: f64,
    /// Records in a commit, if there was one.
    pub(super) batch: Option<f64>,
}

/// The rounds so far of one source at one number of connections, and what the next one needs.
pub(super) struct Rounds<'a> {
    bench: &'a Bench<'a>,
    target: &'a Target,
    source: Source,
    connections: Vec<Connection>,
    progress: Progress,
    done: Vec<Round>,
    /// Tells its rounds from those of another store.
    label: &'static str,
}

impl<'a> Rounds<'a> {
    /// Connects and warms up.
    pub(super) async fn warm_up(
        bench: &'a Bench<'a>,
        target: &'a Target,
        source: Source,
        connections: usize,
        label: &'static str,
    ) -> anyhow::Result<Self> {
        let mut open = client::connect(&target.urls, connections).await?;
        let mut progress = Progress::new(connections);
        target.watched.reset_peak()?;
        let stop = Stop::after(bench.pace.warm_up);
        closed::run(&mut open, &source, &mut progress, stop).await?;
        Ok(Self {
            bench,
            target,
            source,
            connections: open,
            progress,
            done: Vec::with_capacity(bench.pace.rounds),
            label,
        })
    }

    /// All of them, one after the other.
    pub(super) async fn measure(
        bench: &'a Bench<'a>,
        target: &'a Target,
        source: Source,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let mut rounds = Self::warm_up(bench, target, source, connections, "").await?;
        for _ in 0..bench.pace.rounds {
            rounds.next().await?;
        }
        Ok(rounds)
    }

    /// One more.
    pub(super) async fn next(&mut self) -> anyhow::Result<RoundFigures> {
        let Self {
            bench,
            target,
            source,
            connections,
            progress,
            done,
            label,
        } = self;
        let commits = Commits::read(&target.admin).await?;
        let before = target.watched.cpu_times()?;
        let stop = Stop::after(bench.pace.round);
        let outcome = closed::run(connections, source, progress, stop).await?;
        let cpu = target.watched.cpu_times()?.since(before);
        let figures = RoundFigures {
            rate: outcome.rate(),
            batch: Commits::read(&target.admin).await?.mean_since(commits),
        };
        eprintln!(
            "  {label}{} connections, round {} of {}: {:.0}/s",
            connections.len(),
            done.len() + 1,
            bench.pace.rounds,
            figures.rate
        );
        let round = Round {
            outcome,
            cpu,
            figures,
        };
        done.push(round);
        Ok(figures)
    }

    /// Expected answers in all.
    pub(super) fn answers(&self) -> u64 {
        self.done.iter().map(|it| it.outcome.latencies.len()).sum()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Of the service, now and at its peak since the warm-up began.
    pub(super) fn memory(&self) -> anyhow::Result<Option<Memory>> {
        self.target.watched.memory()
    }

    pub(super) fn rate(&self) -> Spread {
        Spread::of(self.done.iter().map(|it| it.figures.rate))
    }

    pub(super) fn latency(&self) -> anyhow::Result<RoundLatency> {
        let latencies: Vec<_> = self.done.iter().map(|it| &it.outcome.latencies).collect();
        RoundLatency::of(&latencies)
    }

    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        measure::errors(self.done.iter().map(|it| &it.outcome.failures))
    }

    pub(super) fn cpu(&self) -> Cpu {
        let costs = self.done.iter().map(|it| (it.cpu, it.outcome.answers()));
        measure::cpu(&costs.collect::<Vec<_>>())
    }

    /// Records in a commit; `None` if a round had no commit.
    pub(super) fn batch(&self) -> Option<Spread> {
        let batches: Option<Vec<f64>> = self.done.iter().map(|it| it.figures.batch).collect();
        batches.map(Spread::of)
    }
}

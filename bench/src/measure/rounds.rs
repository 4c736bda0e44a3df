//! Rounds of a closed loop, and what they are condensed to.

use std::collections::BTreeMap;

use crate::{
    client,
    closed::{self, Outcome, Progress, Stop},
    figures::{RoundLatency, Spread},
    lab::Target,
    measure::{self, Bench},
    metrics::Commits,
    process::CpuTimes,
    results::Cpu,
    workload::Source,
};

/// What a round gave.
pub(super) struct Round {
    outcome: Outcome,
    cpu: CpuTimes,
    /// Records in a commit, if there was one.
    pub(super) batch: Option<f64>,
}

/// All rounds of one source at one number of connections.
pub(super) struct Rounds(Vec<Round>);

impl Round {
    /// Expected answers a second.
    pub(super) fn rate(&self) -> f64 {
        self.outcome.rate()
    }
}

impl Rounds {
    /// Warms up and measures; `between` is called after each round, while nothing is sent.
    pub(super) async fn measure(
        bench: &Bench<'_>,
        target: &Target,
        source: &Source,
        connections: usize,
        mut between: impl AsyncFnMut(&Round) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut open = client::connect(&target.urls, connections).await?;
        let mut progress = Progress::new(connections);
        target.watched.reset_peak()?;
        let stop = Stop::after(bench.pace.warm_up);
        closed::run(&mut open, source, &mut progress, stop).await?;
        let mut rounds = Vec::with_capacity(bench.pace.rounds);
        for number in 1..=bench.pace.rounds {
            let commits = Commits::read(&target.admin).await?;
            let before = target.watched.cpu_times()?;
            let stop = Stop::after(bench.pace.round);
            let outcome = closed::run(&mut open, source, &mut progress, stop).await?;
            let round = Round {
                cpu: target.watched.cpu_times()?.since(before),
                batch: Commits::read(&target.admin).await?.mean_since(commits),
                outcome,
            };
            let rate = round.rate();
            let of = bench.pace.rounds;
            eprintln!("  {connections} connections, round {number} of {of}: {rate:.0}/s");
            between(&round).await?;
            rounds.push(round);
        }
        Ok(Self(rounds))
    }

    /// Expected answers in all.
    pub(super) fn answers(&self) -> u64 {
        self.0.iter().map(|it| it.outcome.latencies.len()).sum()
    }

    pub(super) fn rate(&self) -> Spread {
        Spread::of(self.0.iter().map(Round::rate))
    }

    pub(super) fn latency(&self) -> anyhow::Result<RoundLatency> {
        let latencies: Vec<_> = self.0.iter().map(|it| &it.outcome.latencies).collect();
        RoundLatency::of(&latencies)
    }

    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        measure::errors(self.0.iter().map(|it| &it.outcome.failures))
    }

    pub(super) fn cpu(&self) -> Cpu {
        let costs = self.0.iter().map(|it| (it.cpu, it.outcome.answers()));
        measure::cpu(&costs.collect::<Vec<_>>())
    }

    /// Records in a commit; `None` if a round had no commit.
    pub(super) fn batch(&self) -> Option<Spread> {
        let batches: Option<Vec<f64>> = self.0.iter().map(|it| it.batch).collect();
        batches.map(Spread::of)
    }
}

//! A workload in a closed loop, at several numbers of connections, with its ceilings in between.

use crate::{
    lab::Target,
    measure::{self, Bench, ceilings::Ceilings, rounds::Rounds},
    results::{Ceiling, Closed},
    workload::{self, Workload},
};

/// A workload and where it is measured.
pub(crate) struct Subject<'a> {
    pub(crate) bench: &'a Bench<'a>,
    pub(crate) workload: Workload,
}

impl<'a> Subject<'a> {
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
            let mut ceilings = Ceilings::start(self).await?;
            let mut rounds = self.warm_up(&target, *connections, "").await?;
            for _ in 0..self.bench.pace.rounds {
                let round = rounds.next().await?;
                ceilings.round(self, *connections, round).await?;
            }
            measured.push(self.condense(&rounds, ceilings.condense()?)?);
        }
        Ok(measured)
    }

    /// Stores what the workload needs, beside what is there already, and warms up.
    pub(super) async fn warm_up(
        &self,
        target: &'a Target,
        connections: usize,
        label: &'static str,
    ) -> anyhow::Result<Rounds<'a>> {
        let group = format!("{}-{}-{connections}", self.bench.run, self.workload);
        measure::prepare(target, self.workload.preparation(&group)).await?;
        let source = self.workload.source(&group);
        Rounds::warm_up(self.bench, target, source, connections, label).await
    }

    /// What all rounds gave.
    pub(super) fn condense(
        &self,
        rounds: &Rounds<'_>,
        ceilings: Vec<Ceiling>,
    ) -> anyhow::Result<Closed> {
        Ok(Closed {
            backend: self.bench.backend,
            workload: self.workload,
            connections: rounds.connections(),
            answers: rounds.answers(),
            rate: rounds.rate(),
            latency_micros: rounds.latency()?,
            errors: rounds.errors(),
            cpu_micros: rounds.cpu(),
            memory: rounds.memory()?,
            batch: rounds.batch(),
            ceilings,
        })
    }
}

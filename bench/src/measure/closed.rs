//! A workload in a closed loop, at several numbers of connections, with its ceilings in between.

use crate::{
    lab::Target,
    measure::{self, Bench, ceilings::Ceilings, rounds::Rounds},
    results::Closed,
    workload::{self, Workload},
};

/// A workload and where it is measured.
pub(crate) struct Subject<'a> {
    pub(crate) bench: &'a Bench<'a>,
    pub(crate) workload: Workload,
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
            let ceilings = Ceilings::start(self).await?;
            measured.push(self.on(&target, *connections, ceilings).await?);
        }
        Ok(measured)
    }

    /// Measures on a store that may have been used for something else already.
    pub(super) async fn on(
        &self,
        target: &Target,
        connections: usize,
        mut ceilings: Ceilings,
    ) -> anyhow::Result<Closed> {
        let group = format!("{}-{}-{connections}", self.bench.run, self.workload);
        measure::prepare(target, self.workload.preparation(&group)).await?;
        let source = self.workload.source(&group);
        let rounds = Rounds::measure(self.bench, target, &source, connections, async |round| {
            ceilings.round(self, connections, round).await
        });
        let rounds = rounds.await?;
        Ok(Closed {
            backend: self.bench.backend,
            workload: self.workload,
            connections,
            answers: rounds.answers(),
            rate: rounds.rate(),
            latency_micros: rounds.latency()?,
            errors: rounds.errors(),
            cpu_micros: rounds.cpu(),
            memory: target.watched.memory()?,
            batch: rounds.batch(),
            ceilings: ceilings.condense()?,
        })
    }
}

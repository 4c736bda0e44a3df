//! The same workloads on an empty store and on one that has grown.

use tokio::time::sleep;

use crate::{
    measure::{self, Bench, ceilings::Ceilings, closed::Subject},
    results::{Closed, Growth},
    workload::{self, Workload},
};

/// Of each workload.
const CONNECTIONS: usize = 64;

/// Measures on two stores, one after the other: two at the same time would share caches.
pub(crate) async fn measure(
    bench: &Bench<'_>,
    workloads: &[Workload],
    events: u64,
) -> anyhow::Result<Vec<Growth>> {
    let empty = on_store_with(bench, workloads, 0).await?;
    let grown = on_store_with(bench, workloads, events).await?;
    let pairs = empty.into_iter().zip(grown);
    let growth = pairs.map(|(empty, grown)| Growth {
        events,
        empty,
        grown,
    });
    Ok(growth.collect())
}

async fn on_store_with(
    bench: &Bench<'_>,
    workloads: &[Workload],
    events: u64,
) -> anyhow::Result<Vec<Closed>> {
    eprintln!("  on a store with {events} events");
    let target = bench.lab.target(&[]).await?;
    let run = format!("{}-{events}", bench.run);
    measure::prepare(&target, workload::preload(&run, events)).await?;
    // What the store has put off while it was filled is not what the workloads cost.
    sleep(bench.pace.warm_up).await;
    let mut measured = Vec::with_capacity(workloads.len());
    for workload in workloads {
        let subject = Subject {
            bench,
            workload: *workload,
        };
        let closed = subject.on(&target, CONNECTIONS, Ceilings::none()).await?;
        eprintln!("  {workload}: {:.0}/s", closed.rate.median);
        measured.push(closed);
    }
    Ok(measured)
}

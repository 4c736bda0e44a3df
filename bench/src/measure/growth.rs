//! The same workloads on an empty store and on one that has grown, in turn: what this machine does
//! differs more from minute to minute than a store may slow down.

use std::time::{Duration, Instant};

use crate::{
    lab::Target,
    measure::{self, Bench, closed::Subject},
    results::Growth,
    workload::{self, Workload},
};

/// Of each workload.
const CONNECTIONS: usize = 64;

/// How long a store is looked at to tell whether it rests.
const LOOK: Duration = Duration::from_secs(2);
/// CPU time in that of a store at rest, at most. Three idle members take about 0.15 s.
const AT_REST: Duration = Duration::from_millis(400);
/// How long a store may take to come to rest: a member's checkpoint comes once a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures a round on the one, then a round on the other. Each has a database of its own: in one
/// they would share caches, and what one is busy with would slow down the other as well.
pub(crate) async fn measure(
    bench: &Bench<'_>,
    workloads: &[Workload],
    events: u64,
) -> anyhow::Result<Vec<Growth>> {
    let labs = (
        bench.lab.beside(bench.backend).await?,
        bench.lab.beside(bench.backend).await?,
    );
    let empty = labs.0.target(&[]).await?;
    let grown = labs.1.target(&[]).await?;
    eprintln!("  storing {events} events in one of two stores");
    measure::prepare(&grown, workload::preload(&bench.run, events)).await?;
    rest(&grown).await?;
    let mut measured = Vec::with_capacity(workloads.len());
    for workload in workloads {
        let subject = Subject {
            bench,
            workload: *workload,
        };
        measured.push(in_turn(&subject, &empty, &grown, events).await?);
    }
    Ok(measured)
}

async fn in_turn(
    subject: &Subject<'_>,
    empty: &Target,
    grown: &Target,
    events: u64,
) -> anyhow::Result<Growth> {
    eprintln!("  {}: empty and grown in turn", subject.workload);
    let mut on_empty = subject.warm_up(empty, CONNECTIONS).await?;
    let mut on_grown = subject.warm_up(grown, CONNECTIONS).await?;
    for _ in 0..subject.bench.pace.rounds {
        on_empty.next().await?;
        on_grown.next().await?;
    }
    Ok(Growth {
        events,
        empty: subject.condense(&on_empty, Vec::new())?,
        grown: subject.condense(&on_grown, Vec::new())?,
    })
}

/// Waits until the store has done what it put off while it was filled: that is not what the
/// workloads cost.
async fn rest(target: &Target) -> anyhow::Result<()> {
    eprintln!("  waiting until it rests");
    let start = Instant::now();
    loop {
        let before = target.watched.cpu_times()?;
        tokio::time::sleep(LOOK).await;
        let cpu = target.watched.cpu_times()?.since(before);
        let busy = cpu.service.unwrap_or_default() + cpu.mongods.unwrap_or_default();
        if busy <= AT_REST {
            return Ok(());
        }
        anyhow::ensure!(
            start.elapsed() < PATIENCE,
            "the store that was filled does not come to rest"
        );
    }
}

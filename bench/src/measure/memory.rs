//! Memory against what is open or remembered: streams, and sessions whose place is known (lanes).

use std::time::Duration;

use anyhow::Context;
use tokio::time::sleep;

use crate::{
    lab::Target,
    measure::{self, Bench},
    results::{Memories, Remembered},
    stream::Subscribers,
    workload::{self, STREAMED_SESSIONS},
};

/// How long the service may take to come to rest.
const REST: Duration = Duration::from_secs(1);

/// Opens so many streams in all, one number after the other.
pub(crate) async fn of_streams(bench: &Bench<'_>, counts: &[u64]) -> anyhow::Result<Vec<Memories>> {
    let target = bench.lab.target(&[]).await?;
    let (preparation, source) = workload::streamed(&bench.run);
    measure::prepare(&target, preparation).await?;
    let mut open: Vec<Subscribers> = Vec::new();
    let mut before = 0;
    let mut measured = Vec::with_capacity(counts.len());
    for count in counts {
        let more = count.saturating_sub(before);
        debug_assert!(before.is_multiple_of(STREAMED_SESSIONS), "sessions in turn");
        if more > 0 {
            open.push(Subscribers::open(&target.urls, &source, more).await?);
        }
        before = *count;
        measured.push(resident(bench, &target, Remembered::Streams, *count).await?);
    }
    Ok(measured)
}

/// Appends to so many sessions in all, one number after the other.
pub(crate) async fn of_lanes(bench: &Bench<'_>, counts: &[u64]) -> anyhow::Result<Vec<Memories>> {
    let target = bench.lab.target(&[]).await?;
    let mut before = 0;
    let mut measured = Vec::with_capacity(counts.len());
    for count in counts {
        let group = format!("{}-{count}", bench.run);
        let more = count.saturating_sub(before);
        measure::prepare(&target, workload::touched(&group, more)).await?;
        before = *count;
        measured.push(resident(bench, &target, Remembered::Lanes, *count).await?);
    }
    Ok(measured)
}

async fn resident(
    bench: &Bench<'_>,
    target: &Target,
    what: Remembered,
    count: u64,
) -> anyhow::Result<Memories> {
    sleep(REST).await;
    let memory = target.watched.memory()?;
    let memory = memory.context("the process of the service is not known: give --pid")?;
    eprintln!("  {count} {what}: {} KiB", memory.resident_kib);
    Ok(Memories {
        backend: bench.backend,
        what,
        count,
        resident_kib: memory.resident_kib,
    })
}

//! The same workloads on an empty store and on one that has grown, in turn: what a shared machine
//! does differs more from minute to minute than a store may slow down.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    figures::Spread,
    lab::Target,
    measure::{self, Bench, closed::Subject},
    results::Growth,
    workload::{self, Workload},
};

/// Of each workload.
const CONNECTIONS: usize = 64;

/// The connections to one store wait while the other is measured.
const SERVICE: [&str; 2] = ["--idle-timeout", "1h"];

/// How long a store that was filled is left alone at least: a member writes a checkpoint once a
/// minute, so one is written by then.
pub(crate) const CALM: Duration = Duration::from_secs(65);
/// How long a store is looked at to tell whether it rests.
const LOOK: Duration = Duration::from_secs(2);
/// How long it may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures a round on the one, then a round on the other. Each has a database of its own: in one
/// they would share its cache.
pub(crate) async fn measure(
    bench: &Bench<'_>,
    workloads: &[Workload],
    events: u64,
) -> anyhow::Result<Vec<Growth>> {
    // Before the services, so that these end first.
    let lab_of_empty = bench.lab.beside(bench.backend).await?;
    let lab_of_grown = bench.lab.beside(bench.backend).await?;
    let empty = lab_of_empty.target(&SERVICE).await?;
    let grown = lab_of_grown.target(&SERVICE).await?;
    eprintln!("  storing {events} events in one of two stores");
    measure::prepare(&grown, workload::preload(&bench.run, events)).await?;
    rest(&grown, &empty).await?;
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
    let mut on_empty = subject.warm_up(empty, CONNECTIONS, "empty, ").await?;
    let mut on_grown = subject.warm_up(grown, CONNECTIONS, "grown, ").await?;
    let rounds = subject.bench.pace.rounds;
    let mut ratios = Vec::with_capacity(rounds);
    for number in 0..rounds {
        // What the one puts off is done in a round of the other: each goes first in turn.
        let (rate_of_empty, rate_of_grown) = if number.is_multiple_of(2) {
            let empty = on_empty.next().await?.rate;
            (empty, on_grown.next().await?.rate)
        } else {
            let grown = on_grown.next().await?.rate;
            (on_empty.next().await?.rate, grown)
        };
        ratios.push(rate_of_grown / rate_of_empty);
    }
    let ratio = Spread::of(ratios);
    eprintln!("  grown through empty: {:.2}", ratio.median);
    Ok(Growth {
        events,
        empty: subject.condense(&on_empty, Vec::new())?,
        grown: subject.condense(&on_grown, Vec::new())?,
        ratio,
    })
}

/// Waits until the store has done what it put off while it was filled: that is not what the
/// workloads cost.
async fn rest(filled: &Target, idle: &Target) -> anyhow::Result<()> {
    eprintln!("  waiting until the store that was filled has come to rest");
    let start = Instant::now();
    sleep(CALM).await;
    loop {
        let before = (busy(filled)?, busy(idle)?);
        sleep(LOOK).await;
        let filled = busy(filled)?.saturating_sub(before.0);
        let idle = busy(idle)?.saturating_sub(before.1);
        if rests(filled, idle) {
            return Ok(());
        }
        anyhow::ensure!(
            start.elapsed() < PATIENCE,
            "the store that was filled does not come to rest: in {LOOK:?} it took {filled:?} of CPU \
             time, the empty one beside it {idle:?}"
        );
    }
}

/// CPU time of the service and the database so far.
fn busy(target: &Target) -> anyhow::Result<Duration> {
    let times = target.watched.cpu_times()?;
    Ok(times.service.unwrap_or_default() + times.mongods.unwrap_or_default())
}

/// Whether a store takes hardly more CPU time in a look than an idle one: a twentieth of a core.
fn rests(filled: Duration, idle: Duration) -> bool {
    filled <= idle + LOOK / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_rests_when_it_takes_hardly_more_than_an_idle_one() {
        let millis = Duration::from_millis;
        assert!(rests(millis(230), millis(150)));
        assert!(rests(millis(90), millis(0)));
        assert!(!rests(millis(260), millis(150)));
    }
}

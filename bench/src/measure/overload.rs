//! More than the service can carry: what it still does, what it refuses, and how fast.

use std::iter;

use crate::{
    client,
    closed::{self, Progress},
    figures::{self, Latencies, Percentiles, Spread},
    measure::{self, Bench},
    open::{self, Outcome, Schedule},
    process::{CpuTimes, Memory},
    results::Overload,
    workload::Workload,
};

/// Of capacity.
const FACTOR: f64 = 3.0;

/// Connections that offer the load. A request that is accepted keeps one busy while it waits in
/// the queue, so there have to be more than that has room for; half as many again, since every one
/// that has nothing to wait for is another request that the two sides work on at the same time.
const CONNECTIONS: usize = 768;

/// What the service is started with: over HTTP/1.1 its queue is reached only if it has less room
/// than there are connections. The default is 10,000, and so is that of connections.
const QUEUE_ITEMS: &str = "500";

/// Connections of the closed loop that finds the capacity.
const CAPACITY_CONNECTIONS: usize = 256;

/// A round of each kind, in turn, so that both see the same machine.
struct Round {
    capacity: closed::Outcome,
    overload: Outcome,
    cpu: CpuTimes,
}

pub(crate) async fn measure(bench: &Bench<'_>) -> anyhow::Result<Overload> {
    let target = bench.lab.target(&["--queue-items", QUEUE_ITEMS]).await?;
    let workload = Workload::Append;
    let [calm, hard] = ["capacity", "overload"].map(|name| format!("{}-{name}", bench.run));
    measure::prepare(&target, workload.preparation(&calm)).await?;
    measure::prepare(&target, workload.preparation(&hard)).await?;
    let [calm, hard] = [calm, hard].map(|group| workload.source(&group));
    let mut few = client::connect(&target.urls, CAPACITY_CONNECTIONS).await?;
    let mut many = client::connect(&target.urls, CONNECTIONS).await?;
    let mut progress = Progress::new(CAPACITY_CONNECTIONS);
    let warm_up = bench.pace.warm_up;
    measure::capacity(&mut few, &calm, &mut progress, warm_up).await?;
    target.watched.reset_peak()?;

    let mut next = 0;
    let mut rounds = Vec::with_capacity(bench.pace.rounds);
    for number in 1..=bench.pace.rounds {
        let time = bench.pace.round;
        let capacity = measure::capacity(&mut few, &calm, &mut progress, time).await?;
        let schedule = Schedule::new(FACTOR * capacity.rate(), time);
        let before = target.watched.cpu_times()?;
        let overload = open::run_now(&mut many, &hard, next, schedule).await?;
        let cpu = target.watched.cpu_times()?.since(before);
        next += schedule.requests();
        eprintln!(
            "  round {number} of {}: capacity {:.0}/s, goodput under {FACTOR} times as much {:.0}/s",
            bench.pace.rounds,
            capacity.rate(),
            overload.goodput()
        );
        rounds.push(Round {
            capacity,
            overload,
            cpu,
        });
    }
    condense(bench, &rounds, target.watched.memory()?)
}

fn condense(
    bench: &Bench<'_>,
    rounds: &[Round],
    memory: Option<Memory>,
) -> anyhow::Result<Overload> {
    let capacity: Vec<f64> = rounds.iter().map(|it| it.capacity.rate()).collect();
    let outcomes = || rounds.iter().map(|it| &it.overload);
    let goodput: Vec<f64> = outcomes().map(Outcome::goodput).collect();
    let costs = rounds.iter().map(|it| (it.cpu, it.overload.answers()));
    let failures = rounds
        .iter()
        .flat_map(|it| [&it.capacity.failures, &it.overload.failures]);
    let percentiles = |part: fn(&Outcome) -> &Latencies| {
        let latencies: Vec<_> = outcomes().map(part).collect();
        anyhow::Ok(Percentiles::of(&figures::merged(&latencies)?))
    };
    let offered = outcomes().map(|it| figures::float(it.due) / it.length.as_secs_f64());
    let ratios = iter::zip(&goodput, &capacity).map(|(goodput, capacity)| goodput / capacity);
    Ok(Overload {
        backend: bench.backend,
        offered: Spread::of(offered),
        ratio: Spread::of(ratios),
        capacity: Spread::of(capacity),
        goodput: Spread::of(goodput),
        accepted: outcomes().map(|it| it.accepted.count()).sum(),
        refused: outcomes().map(|it| it.refused.count()).sum(),
        unsent: outcomes().map(|it| it.unsent).sum(),
        accepted_micros: percentiles(|it| &it.accepted.from_due)?,
        accepted_from_sent_micros: percentiles(|it| &it.accepted.from_sent)?,
        refused_micros: percentiles(|it| &it.refused.from_due)?,
        refused_from_sent_micros: percentiles(|it| &it.refused.from_sent)?,
        lateness_micros: percentiles(|it| &it.lateness)?,
        errors: measure::errors(failures),
        cpu_micros: measure::cpu(&costs.collect::<Vec<_>>()),
        memory,
    })
}

//! Events on their way to subscribers: how long until they arrive.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    client,
    figures::{Latencies, RoundLatency},
    measure::{self, Bench},
    open::{self, Outcome, Schedule},
    process::CpuTimes,
    results::Stream,
    stream::{Counted, Subscribers},
    workload::{self, STREAMED_SESSIONS},
};

/// Of each session.
const SUBSCRIBERS: u64 = 10;

/// Connections that append: far more than are busy.
const CONNECTIONS: usize = 64;

/// How long to wait for the last deliveries of a round.
const PATIENCE: Duration = Duration::from_secs(2);

struct Round {
    appends: Outcome,
    deliveries: Latencies,
    missing: u64,
    cpu: CpuTimes,
}

/// Appends so many events a second, in turn to each of 100 sessions.
pub(crate) async fn measure(bench: &Bench<'_>, rate: f64) -> anyhow::Result<Stream> {
    let target = bench.lab.target(&[]).await?;
    let (preparation, source) = workload::streamed(&bench.run);
    measure::prepare(&target, preparation).await?;
    let streams = STREAMED_SESSIONS * SUBSCRIBERS;
    let subscribers = Subscribers::open(&target.urls, &source, streams).await?;
    let mut connections = client::connect(&target.urls, CONNECTIONS).await?;
    target.watched.reset_peak()?;
    let warm_up = Schedule::new(rate, bench.pace.warm_up);
    open::run_now(&mut connections, &source, 0, warm_up).await?;
    let mut first = warm_up.requests();
    let mut rounds = Vec::with_capacity(bench.pace.rounds);
    for number in 1..=bench.pace.rounds {
        let schedule = Schedule::new(rate, bench.pace.round);
        let before = target.watched.cpu_times()?;
        let start = Instant::now();
        subscribers.count(Counted {
            first,
            schedule,
            start,
        });
        let appends = open::run(&mut connections, &source, first, schedule, start).await?;
        let expected = appends.accepted.count() * SUBSCRIBERS;
        wait_for(&subscribers, expected).await;
        let cpu = target.watched.cpu_times()?.since(before);
        let deliveries = subscribers.take()?;
        first += schedule.requests();
        eprintln!(
            "  round {number} of {}: {} deliveries, half of them within {:.1} ms",
            bench.pace.rounds,
            deliveries.len(),
            Duration::from_nanos(deliveries.value_at_quantile(0.5)).as_secs_f64() * 1e3
        );
        rounds.push(Round {
            missing: expected.saturating_sub(deliveries.len()),
            appends,
            deliveries,
            cpu,
        });
    }
    let memory = target.watched.memory()?;
    let appends: Vec<_> = rounds
        .iter()
        .map(|it| &it.appends.accepted.from_due)
        .collect();
    let deliveries: Vec<_> = rounds.iter().map(|it| &it.deliveries).collect();
    let costs: Vec<_> = rounds
        .iter()
        .map(|it| (it.cpu, it.deliveries.len()))
        .collect();
    let missing = rounds.iter().map(|it| it.missing).sum();
    let mut errors = measure::errors(rounds.iter().map(|it| &it.appends.failures));
    measure::note(&mut errors, "not delivered", missing);
    Ok(Stream {
        backend: bench.backend,
        sessions: STREAMED_SESSIONS,
        subscribers: streams,
        rate,
        delivered: deliveries.iter().map(|it| it.len()).sum(),
        missing,
        append_micros: RoundLatency::of(&appends)?,
        delivery_micros: RoundLatency::of(&deliveries)?,
        errors,
        cpu_micros: measure::cpu(&costs),
        memory,
    })
}

async fn wait_for(subscribers: &Subscribers, deliveries: u64) {
    let end = Instant::now() + PATIENCE;
    while subscribers.delivered() < deliveries && Instant::now() < end {
        sleep(Duration::from_millis(1)).await;
    }
}

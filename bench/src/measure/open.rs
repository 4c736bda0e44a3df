//! A workload in an open loop, at shares of what the service can carry.

use crate::{
    client,
    closed::Progress,
    figures::{self, Percentiles, RoundLatency, Spread},
    lab::Target,
    measure::{self, Bench},
    open::{self, Outcome, Schedule},
    plan::Rates,
    process::CpuTimes,
    results::Open,
    workload::Workload,
};

/// Connections that share the requests: far more than are busy unless the service stalls.
const CONNECTIONS: usize = 256;

/// Connections of the closed loop that finds what the service can carry.
const CAPACITY_CONNECTIONS: usize = 64;

/// Measures on one store, each rate going on with what the last has left.
pub(crate) async fn measure(
    bench: &Bench<'_>,
    workload: Workload,
    rates: &Rates,
) -> anyhow::Result<Vec<Open>> {
    let target = bench.lab.target(&[]).await?;
    let mut measured = Vec::new();
    for (rate, share) in absolute(bench, &target, workload, rates).await? {
        let one = at_rate(bench, &target, workload, rate).await?;
        measured.push(Open { share, ..one });
    }
    Ok(measured)
}

/// Requests a second, with the share of the capacity that they are.
async fn absolute(
    bench: &Bench<'_>,
    target: &Target,
    workload: Workload,
    rates: &Rates,
) -> anyhow::Result<Vec<(f64, Option<f64>)>> {
    let shares = match rates {
        Rates::Absolute(rates) => return Ok(rates.iter().map(|rate| (*rate, None)).collect()),
        Rates::OfCapacity(shares) => shares,
    };
    let group = format!("{}-capacity", bench.run);
    measure::prepare(target, workload.preparation(&group)).await?;
    let source = workload.source(&group);
    let mut connections = client::connect(&target.urls, CAPACITY_CONNECTIONS).await?;
    let mut progress = Progress::new(CAPACITY_CONNECTIONS);
    measure::capacity(&mut connections, &source, &mut progress, bench.pace.warm_up).await?;
    let time = bench.pace.round;
    let capacity = measure::capacity(&mut connections, &source, &mut progress, time).await?;
    let capacity = capacity.rate();
    eprintln!("  capacity at {CAPACITY_CONNECTIONS} connections: {capacity:.0}/s");
    let rates = shares.iter().map(|share| (share * capacity, Some(*share)));
    Ok(rates.collect())
}

async fn at_rate(
    bench: &Bench<'_>,
    target: &Target,
    workload: Workload,
    rate: f64,
) -> anyhow::Result<Open> {
    let group = format!("{}-{rate:.0}", bench.run);
    measure::prepare(target, workload.preparation(&group)).await?;
    let source = workload.source(&group);
    let mut connections = client::connect(&target.urls, CONNECTIONS).await?;
    let warm_up = Schedule::new(rate, bench.pace.warm_up);
    target.watched.reset_peak()?;
    open::run_now(&mut connections, &source, 0, warm_up).await?;
    let mut next = warm_up.requests();
    let mut rounds: Vec<(Outcome, CpuTimes)> = Vec::with_capacity(bench.pace.rounds);
    for number in 1..=bench.pace.rounds {
        let schedule = Schedule::new(rate, bench.pace.round);
        let before = target.watched.cpu_times()?;
        let outcome = open::run_now(&mut connections, &source, next, schedule).await?;
        let cpu = target.watched.cpu_times()?.since(before);
        next += schedule.requests();
        eprintln!(
            "  {rate:.0}/s, round {number} of {}: {:.0}/s answered",
            bench.pace.rounds,
            outcome.goodput()
        );
        rounds.push((outcome, cpu));
    }
    let outcomes = || rounds.iter().map(|(outcome, _)| outcome);
    let latencies: Vec<_> = outcomes().map(|it| &it.accepted.from_due).collect();
    let lateness: Vec<_> = outcomes().map(|it| &it.lateness).collect();
    let costs: Vec<_> = rounds
        .iter()
        .map(|(it, cpu)| (*cpu, it.answers()))
        .collect();
    let mut errors = measure::errors(outcomes().map(|it| &it.failures));
    // Below capacity nothing should be refused or have to wait for a connection.
    let refused = outcomes().map(|it| it.refused.count()).sum();
    measure::note(&mut errors, "refused", refused);
    measure::note(&mut errors, "unsent", outcomes().map(|it| it.unsent).sum());
    Ok(Open {
        backend: bench.backend,
        workload,
        rate,
        share: None,
        answered: Spread::of(outcomes().map(Outcome::goodput)),
        latency_micros: RoundLatency::of(&latencies)?,
        lateness_micros: Percentiles::of(&figures::merged(&lateness)?),
        errors,
        cpu_micros: measure::cpu(&costs),
        memory: target.watched.memory()?,
    })
}

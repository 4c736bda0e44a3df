//! Measurements: one file a kind, each from an empty store to figures.

mod ceilings;
pub(crate) mod closed;
pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod open;
pub(crate) mod overload;
pub(crate) mod pages;
mod rounds;
pub(crate) mod soak;
pub(crate) mod stream;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    backend::Backend,
    client::{self, Connection},
    closed::Outcome,
    closed::{Progress, Stop},
    figures::{self, Spread},
    lab::{Lab, Target},
    plan::Pace,
    process::CpuTimes,
    results::Cpu,
    workload::{Failure, Preparation, Source},
};

/// Where and how something is measured.
pub(crate) struct Bench<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) backend: Backend,
    pub(crate) pace: Pace,
    /// Ids of an earlier run against the same server must not come again: all begin with this.
    pub(crate) run: String,
}

/// Connections that prepare a store: enough for large commits, and few enough that what the service
/// needed for them is not what its memory is measured by later.
const PREPARING: usize = 16;

/// Parts of a preparation that is told of while it goes on.
const TOLD_PARTS: u64 = 20;

/// For how long nothing is told of a preparation.
const UNTOLD: Duration = Duration::from_secs(10);

/// Sends what has to be stored before; here every answer has to be the expected one.
pub(crate) async fn prepare(target: &Target, preparation: Preparation) -> anyhow::Result<()> {
    prepare_over(target, preparation, PREPARING).await
}

/// The same one request after the other, so that events are stored in the order of their times.
pub(crate) async fn prepare_in_order(
    target: &Target,
    preparation: Preparation,
) -> anyhow::Result<()> {
    prepare_over(target, preparation, 1).await
}

async fn prepare_over(
    target: &Target,
    preparation: Preparation,
    connections: usize,
) -> anyhow::Result<()> {
    let mut connections = client::connect(&target.urls, connections).await?;
    let all: u64 = preparation.iter().map(|(_, requests)| requests).sum();
    let mut before = 0;
    let mut told = Instant::now();
    for (source, requests) in preparation {
        let mut progress = Progress::new(connections.len());
        for part in 1..=TOLD_PARTS {
            let end = requests * part / TOLD_PARTS;
            let stop = Stop::Before(end);
            let outcome = crate::closed::run(&mut connections, &source, &mut progress, stop)
                .await
                .context("cannot prepare the store")?;
            anyhow::ensure!(
                outcome.failures.is_empty(),
                "cannot prepare the store: {:?}",
                outcome.failures
            );
            if told.elapsed() >= UNTOLD {
                let done = before + end;
                eprintln!("  prepared: {done} of {all} requests");
                told = Instant::now();
            }
        }
        before += requests;
    }
    Ok(())
}

/// CPU time for each answer, of rounds with so many.
pub(crate) fn cpu(rounds: &[(CpuTimes, u64)]) -> Cpu {
    let per_answer =
        |(time, answers): (Duration, u64)| figures::micros(time) / figures::float(answers.max(1));
    let known = |part: fn(&CpuTimes) -> Option<Duration>| {
        let times = rounds
            .iter()
            .map(|(cpu, answers)| Some((part(cpu)?, *answers)));
        let times: Option<Vec<(Duration, u64)>> = times.collect();
        times.map(|it| Spread::of(it.into_iter().map(per_answer)))
    };
    let generator = rounds
        .iter()
        .map(|(cpu, answers)| (cpu.generator, *answers));
    Cpu {
        service: known(|it| it.service),
        mongods: known(|it| it.mongods),
        generator: Spread::of(generator.map(per_answer)),
    }
}

/// What was not as expected, in all rounds together.
pub(crate) fn errors<'a>(
    rounds: impl Iterator<Item = &'a BTreeMap<Failure, u64>>,
) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (failure, count) in rounds.flatten() {
        *errors.entry(failure.to_string()).or_default() += count;
    }
    errors
}

/// Adds something that should not be there, if it is.
pub(crate) fn note(errors: &mut BTreeMap<String, u64>, what: &str, count: u64) {
    if count > 0 {
        *errors.entry(what.to_owned()).or_default() += count;
    }
}

/// Expected answers a second in a closed loop: what an open loop can be measured by.
async fn capacity(
    connections: &mut [Connection],
    source: &Source,
    progress: &mut Progress,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let outcome = crate::closed::run(connections, source, progress, Stop::after(time)).await?;
    anyhow::ensure!(
        !outcome.latencies.is_empty(),
        "nothing was answered as expected: {:?}",
        outcome.failures
    );
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_all_rounds_are_added_up_by_kind() {
        let rounds = [
            BTreeMap::from([(Failure::Connection, 2)]),
            BTreeMap::from([(Failure::Connection, 3), (Failure::Refused, 1)]),
        ];
        let errors = errors(rounds.iter());
        let expected = [("connection lost".to_owned(), 5), ("refused".to_owned(), 1)];
        assert_eq!(errors, BTreeMap::from(expected));
    }

    #[test]
    fn cpu_time_is_spread_over_all_answers_of_a_round() {
        let times = |millis| CpuTimes {
            service: Some(Duration::from_millis(millis)),
            mongods: None,
            generator: Duration::from_millis(millis / 2),
        };
        let cpu = cpu(&[(times(10), 100), (times(20), 100), (times(40), 100)]);
        assert_eq!(cpu.service.unwrap().median.to_string(), "200");
        assert_eq!(cpu.generator.max.to_string(), "200");
        assert_eq!(cpu.mongods, None);
    }
}

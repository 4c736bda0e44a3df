//! The same load for long: whether memory grows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::time::sleep;

use crate::{
    client,
    closed::{self, Progress, Stop},
    measure::{self, Bench},
    process::Watched,
    results::{Sample, Soak},
    workload::Workload,
};

const CONNECTIONS: usize = 64;

/// How many times memory is looked at.
const LOOKS: u32 = 120;

/// Whole conversations for so long.
pub(crate) async fn measure(bench: &Bench<'_>, time: Duration) -> anyhow::Result<Soak> {
    let target = bench.lab.target(&[]).await?;
    let workload = Workload::Mixed;
    let source = workload.source(&bench.run);
    let mut connections = client::connect(&target.urls, CONNECTIONS).await?;
    let mut progress = Progress::new(CONNECTIONS);
    let samples: Arc<Mutex<Vec<Sample>>> = Arc::default();
    let looking = look(target.watched.clone(), time / LOOKS, Arc::clone(&samples));
    let looking = tokio::spawn(looking);
    let stop = Stop::after(time);
    let outcome = closed::run(&mut connections, &source, &mut progress, stop).await;
    looking.abort();
    let outcome = outcome?;
    let samples = samples
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let growth = growth(&samples).context("the process of the service is not known: give --pid")?;
    eprintln!(
        "  {:.0}/s, memory at the end {growth:.2} × that in the first half",
        outcome.rate()
    );
    Ok(Soak {
        backend: bench.backend,
        workload,
        connections: CONNECTIONS,
        rate: outcome.rate(),
        growth,
        samples,
        errors: measure::errors([&outcome.failures].into_iter()),
    })
}

async fn look(watched: Watched, pause: Duration, samples: Arc<Mutex<Vec<Sample>>>) {
    let start = Instant::now();
    loop {
        sleep(pause).await;
        let Ok(Some(memory)) = watched.memory() else {
            return;
        };
        let sample = Sample {
            seconds: start.elapsed().as_secs_f64(),
            resident_kib: memory.resident_kib,
        };
        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push(sample);
    }
}

/// Memory of the last quarter through that of the second: the first is warming up.
fn growth(samples: &[Sample]) -> Option<f64> {
    let quarter = samples.len() / 4;
    let mean = |part: &[Sample]| {
        let sum: u64 = part.iter().map(|it| it.resident_kib).sum();
        (!part.is_empty())
            .then(|| crate::figures::float(sum) / crate::figures::float(part.len() as u64))
    };
    let second = samples.get(quarter..2 * quarter)?;
    let last = samples.get(3 * quarter..)?;
    Some(mean(last)? / mean(second)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(kib: &[u64]) -> Vec<Sample> {
        let samples = kib.iter().map(|kib| Sample {
            seconds: 0.0,
            resident_kib: *kib,
        });
        samples.collect()
    }

    #[test]
    fn memory_that_stays_after_warming_up_does_not_grow() {
        let flat = samples(&[10, 50, 100, 100, 100, 100, 100, 100]);
        assert_eq!(growth(&flat), Some(1.0));
    }

    #[test]
    fn memory_that_rises_all_the_time_grows() {
        let rising = samples(&[100, 200, 300, 400, 500, 600, 700, 800]);
        assert!(growth(&rising).unwrap() > 2.0);
    }

    #[test]
    fn too_few_looks_say_nothing() {
        assert_eq!(growth(&samples(&[100, 100, 100])), None);
    }
}

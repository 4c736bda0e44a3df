//! Measurements: one file a kind, each from an empty store to figures.

mod ceilings;
pub(crate) mod closed;

use std::time::Duration;

use anyhow::Context;

use crate::{
    client,
    closed::{Progress, Stop},
    figures::{self, Spread},
    lab::Target,
    process::CpuTimes,
    results::Cpu,
    workload::Preparation,
};

/// Connections that prepare a store: enough for large commits.
const PREPARING: usize = 64;

/// Sends what has to be stored before; here every answer has to be the expected one.
pub(crate) async fn prepare(target: &Target, preparation: Preparation) -> anyhow::Result<()> {
    let mut connections = client::connect(&target.urls, PREPARING).await?;
    for (source, requests) in preparation {
        let mut progress = Progress::new(PREPARING);
        let stop = Stop::Before(requests);
        let outcome = crate::closed::run(&mut connections, &source, &mut progress, stop)
            .await
            .context("cannot prepare the store")?;
        anyhow::ensure!(
            outcome.failures.is_empty(),
            "cannot prepare the store: {:?}",
            outcome.failures
        );
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

#[cfg(test)]
mod tests {
    use super::*;

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

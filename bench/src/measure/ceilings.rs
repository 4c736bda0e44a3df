//! The ceilings of one workload at one number of connections, measured after each of its rounds.

use std::iter;

use crate::{
    ceiling::{self, CeilingKind, Drive, Sample},
    figures::{RoundLatency, Spread, float},
    measure::{closed::Subject, rounds::RoundFigures},
    results::Ceiling,
};

/// Running ceilings and what they gave so far.
pub(super) struct Ceilings(Vec<Running>);

struct Running {
    kind: CeilingKind,
    ceiling: ceiling::Ceiling,
    /// Of each round, with the service's own rate in a form that can be compared.
    samples: Vec<(f64, Sample)>,
    /// Items in a call of each round.
    batches: Vec<f64>,
}

impl Ceilings {
    pub(super) async fn start(subject: &Subject<'_>) -> anyhow::Result<Self> {
        let mut running = Vec::new();
        for kind in CeilingKind::of(subject.bench.backend, subject.workload) {
            running.push(Running {
                kind: *kind,
                ceiling: ceiling::Ceiling::new(*kind, subject.bench.lab, subject.workload).await?,
                samples: Vec::new(),
                batches: Vec::new(),
            });
        }
        Ok(Self(running))
    }

    /// After a round of the service.
    pub(super) async fn round(
        &mut self,
        subject: &Subject<'_>,
        connections: usize,
        round: RoundFigures,
    ) -> anyhow::Result<()> {
        let items = float(subject.workload.items());
        for running in &mut self.0 {
            let drive = Drive {
                connections,
                batch: whole(round.batch.unwrap_or(1.0)),
                time: subject.bench.pace.ceiling_round,
            };
            let sample = running.ceiling.measure(drive).await?;
            eprintln!("    {}: {:.0}/s", running.kind, sample.rate);
            let own = running.kind.comparable(round.rate, items);
            running.samples.push((own, sample));
            running.batches.push(float(drive.batch));
        }
        Ok(())
    }

    pub(super) fn condense(self) -> anyhow::Result<Vec<Ceiling>> {
        self.0.into_iter().map(Running::condense).collect()
    }
}

impl Running {
    fn condense(self) -> anyhow::Result<Ceiling> {
        let samples = self.samples.iter();
        let latencies: Vec<_> = samples.clone().map(|(_, it)| &it.latencies).collect();
        let (own, rates): (Vec<f64>, Vec<f64>) = samples.map(|(own, it)| (*own, it.rate)).unzip();
        Ok(Ceiling {
            kind: self.kind,
            batch: self.kind.is_batched().then(|| Spread::of(self.batches)),
            latency_micros: RoundLatency::of(&latencies)?,
            ratio: Spread::of(iter::zip(own, &rates).map(|(own, rate)| own / rate)),
            rate: Spread::of(rates),
        })
    }
}

/// The nearest number of items, at least one.
fn whole(mean: f64) -> u64 {
    let largest = 100_000.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 1 and the largest batch that the service can be set to"
    )]
    let whole = mean.round().clamp(1.0, largest) as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_batch_is_rounded_to_a_batch_that_can_be_sent() {
        assert_eq!([0.0, 1.4, 57.6].map(whole), [1, 1, 58]);
    }
}

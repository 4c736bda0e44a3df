//! Figures that rounds are condensed to. Pure.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Latencies in nanoseconds.
pub(crate) type Latencies = Histogram<u64>;

/// What latencies are counted in: from a microsecond to a minute, right to 0.1 %.
pub(crate) fn latencies() -> anyhow::Result<Latencies> {
    Ok(Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?)
}

/// Counts one latency; what is beyond a minute counts as a minute.
pub(crate) fn record(latencies: &mut Latencies, latency: Duration) {
    latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
}

/// One figure of several rounds. How far they lie apart is what the machine adds by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

/// Where latencies lie, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p75: f64,
    pub(crate) p90: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) p9999: f64,
    pub(crate) max: f64,
}

/// Latencies of several rounds, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct RoundLatency {
    /// Of each round.
    pub(crate) p50: Spread,
    /// Of each round.
    pub(crate) p99: Spread,
    /// Of all rounds together.
    pub(crate) all: Percentiles,
}

impl Spread {
    /// Of no rounds at all: zeros.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        let last = sorted.len().saturating_sub(1);
        Self {
            min: at(0),
            // Of an even number of rounds the lower one: no figure that was not measured.
            median: at(last / 2),
            max: at(last),
        }
    }
}

impl Percentiles {
    pub(crate) fn of(latencies: &Latencies) -> Self {
        let at = |quantile| float(latencies.value_at_quantile(quantile)) / 1_000.0;
        Self {
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: at(1.0),
        }
    }
}

impl RoundLatency {
    pub(crate) fn of(rounds: &[&Latencies]) -> anyhow::Result<Self> {
        let each = |quantile| {
            let rounds = rounds.iter();
            Spread::of(rounds.map(|it| float(it.value_at_quantile(quantile)) / 1_000.0))
        };
        Ok(Self {
            p50: each(0.5),
            p99: each(0.99),
            all: Percentiles::of(&merged(rounds)?),
        })
    }
}

/// All rounds together: percentiles cannot be averaged, the counts behind them can be added.
pub(crate) fn merged(rounds: &[&Latencies]) -> anyhow::Result<Latencies> {
    let mut all = latencies()?;
    for round in rounds {
        all.add(*round)?;
    }
    Ok(all)
}

/// Figures for people: the 53 bits of an f64 hold any count that a run can reach.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_millis(millis: &[u64]) -> Latencies {
        let mut latencies = latencies().unwrap();
        for latency in millis {
            record(&mut latencies, Duration::from_millis(*latency));
        }
        latencies
    }

    #[test]
    fn a_spread_is_told_by_measured_values_only() {
        let spread = Spread::of([30.0, 10.0, 20.0, 40.0]);
        let expected = Spread {
            min: 10.0,
            median: 20.0,
            max: 40.0,
        };
        assert_eq!(spread, expected);
    }

    #[test]
    fn percentiles_of_rounds_are_those_of_all_their_latencies_together() {
        let rounds = [of_millis(&[1; 99]), of_millis(&[50])];
        let latency = RoundLatency::of(&rounds.each_ref()).unwrap();
        assert!((latency.all.p50 - 1_000.0).abs() < 10.0, "{latency:?}");
        assert!((latency.all.max - 50_000.0).abs() < 100.0, "{latency:?}");
    }

    #[test]
    fn each_round_tells_its_own_median() {
        let rounds = [of_millis(&[1]), of_millis(&[3]), of_millis(&[2])];
        let Spread { min, median, max } = RoundLatency::of(&rounds.each_ref()).unwrap().p50;
        let millis = [min, median, max].map(|it| format!("{:.0}", it / 1_000.0));
        assert_eq!(millis, ["1", "2", "3"]);
    }

    #[test]
    fn a_latency_beyond_a_minute_still_counts() {
        let mut latencies = latencies().unwrap();
        record(&mut latencies, Duration::from_secs(3_600));
        assert_eq!(latencies.len(), 1);
    }
}

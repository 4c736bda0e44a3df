//! The figures of a run: condensed, as a table for people and as JSON for what comes later.

use std::{collections::BTreeMap, fmt, process::Command, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    load::{self, Outcome},
    measure::{Machine, Memory},
    workload::{Failure, Workload},
};

/// CPU times of server, if known, and generator.
type CpuTimes = (Option<Duration>, Duration);

/// One round of a workload.
pub(crate) struct Round {
    elapsed: Duration,
    latencies: Histogram<u64>,
    failures: BTreeMap<Failure, u64>,
    server_cpu: Option<Duration>,
    generator_cpu: Duration,
}

/// The figures of one workload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    workload: String,
    requests: u64,
    requests_per_second: Spread,
    latency_microseconds: Latency,
    errors: BTreeMap<String, u64>,
    server_cpu_microseconds_per_request: Option<f64>,
    generator_cpu_microseconds_per_request: f64,
    server_memory: Option<Memory>,
    ceiling: Option<Ceiling>,
}

/// What the plain driver did between the rounds, on the same members.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ceiling {
    what: &'static str,
    per_second: Spread,
    ratio: f64,
}

/// Of the rounds.
#[derive(Debug, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

/// Of all rounds together.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

/// Everything that was measured, and what the figures depend on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    measured_at: String,
    commit: Option<String>,
    machine: Machine,
    connections: usize,
    seconds_per_round: u64,
    preloaded_events: u64,
    workloads: Vec<Measurement>,
}

impl Round {
    pub(crate) fn new(outcome: Outcome, before: CpuTimes, after: CpuTimes) -> Self {
        Self {
            elapsed: outcome.elapsed,
            latencies: outcome.latencies,
            failures: outcome.failures,
            server_cpu: before
                .0
                .zip(after.0)
                .map(|(before, after)| after.saturating_sub(before)),
            generator_cpu: after.1.saturating_sub(before.1),
        }
    }

    /// Expected answers in a second.
    pub(crate) fn requests_per_second(&self) -> f64 {
        float(self.latencies.len()) / self.elapsed.as_secs_f64()
    }
}

impl Measurement {
    /// Condenses rounds, of which there must be one.
    pub(crate) fn new(
        workload: Workload,
        rounds: &[Round],
        memory: Option<Memory>,
        ceiling: Option<(&'static str, &[f64])>,
    ) -> anyhow::Result<Self> {
        let requests: u64 = rounds.iter().map(|round| round.latencies.len()).sum();
        // A refused request costs too.
        let answers = requests
            + rounds
                .iter()
                .flat_map(|it| it.failures.values())
                .sum::<u64>();
        let per_request = |total: Duration| micros(total) / float(answers.max(1));
        let server_cpu: Option<Duration> = rounds.iter().map(|round| round.server_cpu).sum();
        let requests_per_second = Spread::of(rounds.iter().map(Round::requests_per_second));
        Ok(Self {
            workload: workload.to_string(),
            requests,
            ceiling: ceiling.map(|(what, rates)| Ceiling::of(what, rates, &requests_per_second)),
            requests_per_second,
            latency_microseconds: Latency::of(rounds)?,
            errors: errors_of(rounds),
            server_cpu_microseconds_per_request: server_cpu.map(per_request),
            generator_cpu_microseconds_per_request: per_request(
                rounds.iter().map(|round| round.generator_cpu).sum(),
            ),
            server_memory: memory,
        })
    }
}

impl Ceiling {
    fn of(what: &'static str, rates: &[f64], measured: &Spread) -> Self {
        let per_second = Spread::of(rates.iter().copied());
        Self {
            what,
            ratio: measured.median / per_second.median,
            per_second,
        }
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
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

impl Latency {
    fn of(rounds: &[Round]) -> anyhow::Result<Self> {
        let mut all = load::new_histogram()?;
        for round in rounds {
            all.add(&round.latencies)?;
        }
        let at = |quantile| float(all.value_at_quantile(quantile)) / 1_000.0;
        Ok(Self {
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        })
    }
}

impl Report {
    pub(crate) fn new(
        connections: usize,
        seconds_per_round: u64,
        preloaded_events: u64,
        workloads: Vec<Measurement>,
    ) -> Self {
        Self {
            measured_at: jiff::Timestamp::now().to_string(),
            commit: commit(),
            machine: Machine::here(),
            connections,
            seconds_per_round,
            preloaded_events,
            workloads,
        }
    }

    /// Whether any answer was not the expected one.
    pub(crate) fn has_errors(&self) -> bool {
        self.workloads.iter().any(|it| !it.errors.is_empty())
    }
}

/// The columns of the table: heading and width.
const COLUMNS: [(&str, usize); 10] = [
    ("requests/s", 11),
    ("min", 9),
    ("max", 9),
    ("p50 ms", 9),
    ("p99 ms", 9),
    ("max ms", 9),
    ("server µs", 10),
    ("own µs", 8),
    ("RSS MiB", 9),
    ("peak MiB", 9),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commit = self.commit.as_deref().unwrap_or("unknown");
        writeln!(f, "\n{}, commit {commit}", self.machine)?;
        writeln!(
            f,
            "{} connections, rounds of {} s, {} events stored before; µs: CPU a request\n",
            self.connections, self.seconds_per_round, self.preloaded_events,
        )?;
        write!(f, "{:<12}", "workload")?;
        for (heading, width) in COLUMNS {
            write!(f, "{heading:>width$}")?;
        }
        writeln!(f, "  errors")?;
        for workload in &self.workloads {
            writeln!(f, "{workload}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = &self.requests_per_second;
        let latency = &self.latency_microseconds;
        let memory = |part: fn(&Memory) -> u64| {
            let memory = self.server_memory.as_ref().map(part);
            memory.map(|kib| format!("{:.1}", float(kib) / 1_024.0))
        };
        let server_cpu = self.server_cpu_microseconds_per_request;
        let cells = [
            Some(format!("{:.0}", rate.median)),
            Some(format!("{:.0}", rate.min)),
            Some(format!("{:.0}", rate.max)),
            Some(format!("{:.2}", latency.p50 / 1_000.0)),
            Some(format!("{:.2}", latency.p99 / 1_000.0)),
            Some(format!("{:.2}", latency.max / 1_000.0)),
            server_cpu.map(|micros| format!("{micros:.1}")),
            Some(format!(
                "{:.1}",
                self.generator_cpu_microseconds_per_request
            )),
            memory(|it| it.resident_kib),
            memory(|it| it.peak_kib),
        ];
        write!(f, "{:<12}", self.workload)?;
        for ((_, width), cell) in COLUMNS.into_iter().zip(cells) {
            write!(f, "{:>width$}", cell.as_deref().unwrap_or("-"))?;
        }
        if self.errors.is_empty() {
            write!(f, "  none")?;
        }
        for (failure, count) in &self.errors {
            write!(f, "  {count} × {failure}")?;
        }
        if let Some(ceiling) = &self.ceiling {
            let Ceiling {
                what,
                per_second,
                ratio,
            } = ceiling;
            write!(f, "  = {ratio:.2} × {what} ({:.0}/s)", per_second.median)?;
        }
        Ok(())
    }
}

fn errors_of(rounds: &[Round]) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (failure, count) in rounds.iter().flat_map(|round| &round.failures) {
        *errors.entry(failure.to_string()).or_default() += count;
    }
    errors
}

/// The checked-out commit, if this is a checkout, and whether anything was changed since.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args([
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
            "--abbrev=12",
        ])
        .output()
        .ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| name.trim().to_owned())
}

/// Figures for people: the 53 bits of an f64 hold any count that a run can reach.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(seconds: u64, latencies_ms: &[u64], failures: &[(Failure, u64)]) -> Round {
        let mut histogram = load::new_histogram().unwrap();
        for latency in latencies_ms {
            histogram.record(latency * 1_000_000).unwrap();
        }
        Round {
            elapsed: Duration::from_secs(seconds),
            latencies: histogram,
            failures: failures.iter().copied().collect(),
            server_cpu: Some(Duration::from_micros(100)),
            generator_cpu: Duration::from_micros(40),
        }
    }

    fn measurement(rounds: &[Round]) -> Measurement {
        Measurement::new(Workload::Append, rounds, None, None).unwrap()
    }

    #[test]
    fn the_rate_is_the_median_of_the_rounds() {
        let rounds = [
            round(1, &[1; 30], &[]),
            round(1, &[1; 10], &[]),
            round(1, &[1; 20], &[]),
        ];
        let rate = measurement(&rounds).requests_per_second;
        let figures = [rate.min, rate.median, rate.max].map(|it| format!("{it:.0}"));
        assert_eq!(figures, ["10", "20", "30"]);
    }

    #[test]
    fn latencies_are_those_of_all_rounds_together() {
        let latency =
            measurement(&[round(1, &[1; 99], &[]), round(1, &[50], &[])]).latency_microseconds;
        assert!((latency.p50 - 1_000.0).abs() < 10.0, "{latency:?}");
        assert!((latency.max - 50_000.0).abs() < 100.0, "{latency:?}");
    }

    #[test]
    fn cpu_is_spread_over_all_answers() {
        let measured = measurement(&[round(1, &[1, 1], &[]), round(1, &[1, 1], &[])]);
        assert_eq!(measured.server_cpu_microseconds_per_request, Some(50.0));
        assert!((measured.generator_cpu_microseconds_per_request - 20.0).abs() < 1e-6);
    }

    #[test]
    fn failures_are_added_up_by_kind_and_shown() {
        let lost = (Failure::Connection, 2);
        let measured = measurement(&[round(1, &[1], &[lost]), round(1, &[1], &[lost])]);
        assert_eq!(measured.errors["connection lost"], 4);
        assert!(measured.to_string().ends_with("4 × connection lost"));
        assert!(Report::new(1, 1, 0, vec![measured]).has_errors());
    }

    #[test]
    fn a_figure_is_shown_as_a_ratio_to_what_the_driver_does() {
        let rounds = [round(1, &[1; 30], &[])];
        let ceiling = Some(("raw insert_one", [10.0, 12.0, 14.0].as_slice()));
        let measured = Measurement::new(Workload::Append, &rounds, None, ceiling).unwrap();
        assert!(
            measured
                .to_string()
                .ends_with("= 2.50 × raw insert_one (12/s)")
        );
    }

    #[test]
    fn a_row_has_a_cell_for_every_column() {
        let row = measurement(&[round(1, &[1], &[])]).to_string();
        assert_eq!(row.split_whitespace().count(), COLUMNS.len() + 2);
    }
}

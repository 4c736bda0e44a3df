//! What the operator measures: one registry, and the metrics of reconciling. Those of the API
//! server's calls are in `calls`, those of the watches in `streams`, those of the lead beside it.
//!
//! No name of an object is ever a label: the number of series must not grow with the cluster.

mod calls;
mod streams;

use std::time::{Duration, Instant};

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry,
    exponential_buckets,
};

use crate::version;

pub use calls::{ApiMetrics, CountCalls};
pub use streams::StreamAges;

/// A registry with what is known of this build and this process.
///
/// # Errors
/// When a name is registered already.
pub fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    let build_info = GaugeVec::new(
        Opts::new(
            "sessionstore_operator_build_info",
            "Always 1; its labels say what was built.",
        ),
        &["version", "revision"],
    )?;
    let revision = version::revision().unwrap_or("unknown");
    build_info
        .with_label_values(&[version::VERSION, revision])
        .set(1.0);
    registry.register(Box::new(build_info))?;
    // CPU seconds, resident memory, open files, threads: read from /proc when asked for.
    #[cfg(target_os = "linux")]
    registry.register(Box::new(
        prometheus::process_collector::ProcessCollector::for_self(),
    ))?;
    Ok(registry)
}

/// How a reconcile went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it should be, and nothing had to be done.
    Unchanged,
    /// Something was done, or is being waited for.
    Progressed,
    /// An error: it is tried again.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Unchanged, Self::Progressed, Self::Failed];

    fn label(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Progressed => "progressed",
            Self::Failed => "failed",
        }
    }
}

/// How a command to a database went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// It was done.
    Done,
    /// The member said no.
    Refused,
    /// No answer came: it may have been done.
    Lost,
}

impl CommandOutcome {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Lost => "lost",
        }
    }
}

/// The metrics of reconciling. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: HistogramVec,
    errors: IntCounterVec,
    queue: IntGauge,
    in_flight: IntGauge,
    commands: HistogramVec,
}

impl Metrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            reconciles: HistogramVec::new(
                HistogramOpts::new(
                    "sessionstore_operator_reconcile_duration_seconds",
                    "How long one reconcile of one SessionStore took, by how it went.",
                )
                // From one that finds nothing to do (no call, some 100 µs) to a planned step-down of
                // a primary (12 s).
                .buckets(exponential_buckets(0.000_25, 4.0, 9)?),
                &["outcome"],
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "sessionstore_operator_reconcile_errors_total",
                    "Reconciles that failed, by the reason that the object's condition names.",
                ),
                &["reason"],
            )?,
            queue: IntGauge::new(
                "sessionstore_operator_queue_depth",
                "SessionStores that wait for a reconcile that is due; more than 0 for long means \
                 that --concurrency is too small.",
            )?,
            in_flight: IntGauge::new(
                "sessionstore_operator_reconciles_in_flight",
                "Reconciles that run now.",
            )?,
            commands: HistogramVec::new(
                HistogramOpts::new(
                    "sessionstore_operator_mongodb_command_duration_seconds",
                    "How long one command to a member of a replica set took, by its name.",
                )
                // From a status of a member nearby (1 ms) to a step-down that waits for the others
                // to catch up (10 s).
                .buckets(exponential_buckets(0.001, 4.0, 8)?),
                &["command", "outcome"],
            )?,
        };
        registry.register(Box::new(metrics.reconciles.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.queue.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.commands.clone()))?;
        // A rate can be taken only of what was there before it first counted.
        for outcome in Outcome::ALL {
            metrics.reconciles.with_label_values(&[outcome.label()]);
        }
        Ok(metrics)
    }

    /// A reconcile begins; it counts as in flight until the answer is dropped.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight {
            metrics: self.clone(),
            begun: Instant::now(),
        }
    }

    /// A reconcile failed for this reason: one of a closed list, never a text of an error.
    pub fn failed(&self, reason: &'static str) {
        self.errors.with_label_values(&[reason]).inc();
    }

    /// So many objects are due and wait.
    pub fn queued(&self, objects: usize) {
        self.queue.set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// A command to a database took so long.
    pub fn command(&self, name: &'static str, took: Duration, outcome: CommandOutcome) {
        self.commands
            .with_label_values(&[name, outcome.label()])
            .observe(took.as_secs_f64());
    }
}

/// A reconcile that runs. One that is dropped unfinished was cancelled: it leaves no duration.
#[derive(Debug)]
pub struct InFlight {
    metrics: Metrics,
    begun: Instant,
}

impl InFlight {
    /// It went like this.
    pub fn finish(self, outcome: Outcome) {
        self.metrics
            .reconciles
            .with_label_values(&[outcome.label()])
            .observe(self.begun.elapsed().as_secs_f64());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;
    use prometheus::proto::MetricFamily;

    use super::*;

    fn text(registry: &Registry) -> String {
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    #[test]
    fn the_build_and_the_process_tell_about_themselves() {
        let families = registry().unwrap().gather();
        let names: Vec<_> = families.iter().map(MetricFamily::name).collect();
        for name in [
            "sessionstore_operator_build_info",
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
        ] {
            assert!(names.contains(&name), "no {name} in {names:?}");
        }
    }

    #[test]
    fn a_reconcile_counts_as_in_flight_until_it_ends_either_way() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let (finished, cancelled) = (metrics.begin(), metrics.begin());
        assert_eq!(metrics.in_flight.get(), 2);
        finished.finish(Outcome::Unchanged);
        drop(cancelled);
        assert_eq!(metrics.in_flight.get(), 0);
        let count = "sessionstore_operator_reconcile_duration_seconds_count";
        let text = text(&registry);
        assert!(
            text.contains(&format!("{count}{{outcome=\"unchanged\"}} 1")),
            "{text}"
        );
        assert!(
            text.contains(&format!("{count}{{outcome=\"failed\"}} 0")),
            "{text}"
        );
    }

    #[test]
    fn errors_and_commands_are_told_apart_by_closed_labels() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.failed("InvalidSpec");
        metrics.queued(3);
        metrics.command(
            "replSetGetStatus",
            Duration::from_millis(2),
            CommandOutcome::Done,
        );
        let text = text(&registry);
        for line in [
            "sessionstore_operator_reconcile_errors_total{reason=\"InvalidSpec\"} 1",
            "sessionstore_operator_queue_depth 3",
            "sessionstore_operator_mongodb_command_duration_seconds_count\
             {command=\"replSetGetStatus\",outcome=\"done\"} 1",
        ] {
            assert!(text.contains(line), "no {line} in {text}");
        }
    }
}

//! What the operator measures: one registry, and the metrics of reconciling. Those of the API
//! server's calls are in `calls`, those of what waits in `queue`, those of each `SessionStore` in
//! `stores`, those of the watches in `streams`; those of the lead and of the commands to members
//! are beside them.
//!
//! No name of an object is a label but in `stores`: the number of all other series must not grow
//! with the cluster.

mod calls;
mod queue;
mod stores;
mod streams;

use std::time::Instant;

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry,
    exponential_buckets,
};

use crate::mongo::CommandMetrics;
use crate::version;

pub use calls::{ApiMetrics, CountCalls};
pub use queue::Queue;
pub use stores::Stores;
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

/// The metrics of reconciling. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: HistogramVec,
    errors: IntCounterVec,
    in_flight: IntGauge,
    /// What waits for a reconcile.
    pub queue: Queue,
    /// What is shown of each `SessionStore`.
    pub stores: Stores,
    /// Of commands to members.
    pub commands: CommandMetrics,
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
            in_flight: IntGauge::new(
                "sessionstore_operator_reconciles_in_flight",
                "Reconciles that run now.",
            )?,
            queue: Queue::register(registry)?,
            stores: Stores::register(registry)?,
            commands: CommandMetrics::register(registry)?,
        };
        registry.register(Box::new(metrics.reconciles.clone()))?;
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
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

    /// A term of leadership begins. What only the leader tells is told until the answer is dropped.
    pub fn lead(&self) -> Telling {
        Telling(self.clone())
    }
}

/// Tells of the `SessionStore`s while this process leads.
#[derive(Debug)]
pub struct Telling(Metrics);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.queue.clear();
        self.0.stores.clear();
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
    use std::time::Duration;

    use prometheus::TextEncoder;
    use prometheus::proto::MetricFamily;

    use crate::cache::Target;
    use crate::crd::SessionStoreStatus;

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
    fn errors_are_told_apart_by_closed_labels() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.failed("InvalidSpec");
        let line = "sessionstore_operator_reconcile_errors_total{reason=\"InvalidSpec\"} 1";
        let text = text(&registry);
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn who_leads_no_more_tells_of_no_store() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let telling = metrics.lead();
        let target = Target::new("voice").within("shop");
        let status = SessionStoreStatus::default();
        metrics.stores.show(&target, &status, None);
        metrics.queue.put(&target, Duration::ZERO);
        let told = text(&registry);
        assert!(told.contains("name=\"voice\""), "{told}");
        assert!(told.contains("queue_depth 1"), "{told}");
        drop(telling);
        let told = text(&registry);
        assert!(!told.contains("name=\"voice\""), "{told}");
        assert!(told.contains("queue_depth 0"), "{told}");
    }
}

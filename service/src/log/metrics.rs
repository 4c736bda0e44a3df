//! What the committer tells Prometheus.

use prometheus::{Histogram, HistogramOpts, IntGauge, Registry};

/// The committer's metrics.
#[derive(Clone, Debug)]
pub struct LogMetrics {
    pub(super) batch_size: Histogram,
    pub(super) wait: Histogram,
    pub(super) queue_depth: IntGauge,
    pub(super) lanes: IntGauge,
}

impl LogMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            // Doubling from 1 to the largest batch: shows whether batches grow with load.
            batch_size: Histogram::with_opts(
                HistogramOpts::new(
                    "sessionstore_committer_batch_size",
                    "Records in one commit. Grows with load; 1 when idle.",
                )
                .buckets(prometheus::exponential_buckets(1.0, 2.0, 11)?),
            )?,
            // From a fraction of a journal sync to the default deadline.
            wait: Histogram::with_opts(
                HistogramOpts::new(
                    "sessionstore_committer_wait_seconds",
                    "How long an append waited for its batch to start.",
                )
                .buckets(prometheus::exponential_buckets(0.000_1, 4.0, 9)?),
            )?,
            queue_depth: IntGauge::new(
                "sessionstore_committer_queue_depth",
                "Appends, closings and creations that are queued or in flight.",
            )?,
            lanes: IntGauge::new(
                "sessionstore_lanes",
                "Sessions whose tail is known to this process.",
            )?,
        };
        registry.register(Box::new(metrics.batch_size.clone()))?;
        registry.register(Box::new(metrics.wait.clone()))?;
        registry.register(Box::new(metrics.queue_depth.clone()))?;
        registry.register(Box::new(metrics.lanes.clone()))?;
        Ok(metrics)
    }
}

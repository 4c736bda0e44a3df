//! What the election shows of itself.

use prometheus::{IntCounter, IntGauge, Registry};

/// The metrics of leadership. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LeaderMetrics {
    pub(super) is_leader: IntGauge,
    pub(super) terms: IntCounter,
    pub(super) losses: IntCounter,
}

impl LeaderMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            is_leader: IntGauge::new(
                "sessionstore_operator_leader",
                "1 while this process leads; the sum over all processes is 1, or for some seconds 0.",
            )?,
            terms: IntCounter::new(
                "sessionstore_operator_leader_terms_total",
                "How often this process has begun to lead.",
            )?,
            // Alone in this: giving the Lease away at the end is no loss.
            losses: IntCounter::new(
                "sessionstore_operator_leader_losses_total",
                "How often this process lost the lead without being told to stop.",
            )?,
        };
        registry.register(Box::new(metrics.is_leader.clone()))?;
        registry.register(Box::new(metrics.terms.clone()))?;
        registry.register(Box::new(metrics.losses.clone()))?;
        Ok(metrics)
    }
}

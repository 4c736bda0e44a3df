//! Requests in numbers, by the names that the OpenTelemetry conventions have for them.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus::{HistogramOpts, HistogramVec, IntGauge, Registry};

/// The metrics of all requests.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    durations: HistogramVec,
    active: IntGauge,
}

/// The label of a path that is no route's. Templates begin with a slash.
const NO_ROUTE: &str = "none";

/// In seconds. The conventions' own buckets begin at 5 ms, where most requests here have ended:
/// a read takes some 100 µs, an append one journal sync. They end at the default deadline.
const BUCKETS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

impl HttpMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "http_server_request_duration_seconds",
                    "From the head of a request to the head of its answer. A stream counts until \
                     it begins.",
                )
                .buckets(BUCKETS.to_vec()),
                &[
                    "http_request_method",
                    "http_route",
                    "http_response_status_code",
                ],
            )?,
            active: IntGauge::new(
                "http_server_active_requests",
                "Requests whose answer has not begun.",
            )?,
        };
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.active.clone()))?;
        Ok(metrics)
    }

    /// A request has come; it is active until the guard is dropped, also if its client hangs up.
    pub(super) fn enter(&self) -> Active {
        self.active.inc();
        Active(self.active.clone())
    }

    /// A request was answered. Everything here is one of a few: no path, no id.
    pub(super) fn answered(
        &self,
        method: &'static str,
        route: Option<&str>,
        status: StatusCode,
        took: Duration,
    ) {
        let labels = [method, route.unwrap_or(NO_ROUTE), status.as_str()];
        self.durations
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
    }
}

/// A request that is not answered yet.
pub(super) struct Active(IntGauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

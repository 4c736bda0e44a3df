//! What streams tell Prometheus.

use prometheus::{IntGauge, Registry};

/// The metrics of streams.
#[derive(Clone, Debug)]
pub struct StreamMetrics {
    open: IntGauge,
}

impl StreamMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let open = IntGauge::new("sessionstore_streams_open", "Event streams being served.")?;
        registry.register(Box::new(open.clone()))?;
        Ok(Self { open })
    }

    /// Counts one stream for as long as the result lives.
    pub(super) fn opened(&self) -> OpenStream {
        self.open.inc();
        OpenStream(self.open.clone())
    }
}

/// A stream that is counted.
pub(super) struct OpenStream(IntGauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

//! What the process tells about itself: lines of a log, traces, metrics. Which request is told how
//! is decided in `http::observe`.

mod logs;
mod metrics;
mod traces;

pub use logs::{LogError, start as start_logs, subscriber};
pub use metrics::registry;
pub use traces::{TraceError, Traces};

//! What the process tells about itself: the lines of its log, and traces by OTLP.

mod logs;
mod traces;

pub use logs::{LogError, start as start_logs};
pub use traces::{TraceError, Traces};

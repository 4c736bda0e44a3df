//! The line that a request leaves in the log.

use std::time::Duration;

use axum::http::{StatusCode, Uri};
use opentelemetry::TraceId;
use tracing::Level;

use crate::http::RequestId;
use crate::http::problem::Problem;

/// What is told of a request. A good one is told at debug, so not by default.
pub(super) struct Line<'a> {
    pub(super) method: &'static str,
    pub(super) uri: &'a Uri,
    pub(super) status: StatusCode,
    pub(super) took: Duration,
    pub(super) problem: Option<&'a Problem>,
    pub(super) request_id: &'a RequestId,
}

/// Longest path that is logged, in bytes. The longest of a route is below.
const PATH_BYTES: usize = 2048;

macro_rules! write_line {
    ($level:expr, $line:expr, $trace_id:expr, $message:literal) => {
        tracing::event!(
            target: "sessionstore::request",
            $level,
            method = $line.method,
            path = $line.path(),
            status = $line.status.as_u16(),
            duration_ms = $line.took.as_secs_f64() * 1000.0,
            problem = $line.problem.map(|problem| problem.kind().slug()),
            detail = $line.detail(),
            request_id = &*$line.request_id.0,
            trace_id = $trace_id,
            $message
        )
    };
}

impl Line<'_> {
    /// Whether it would be written at all.
    pub(super) fn is_wanted(&self) -> bool {
        self.status.as_u16() >= 400
            || tracing::enabled!(target: "sessionstore::request", Level::DEBUG)
    }

    /// The fault of the client is its own concern: information. What the server could not do is a
    /// warning, what it should never do an error.
    pub(super) fn write(&self, trace_id: Option<TraceId>) {
        let trace_id = trace_id.map(|trace_id| trace_id.to_string());
        let trace_id = trace_id.as_deref();
        match self.status.as_u16() {
            500 => write_line!(Level::ERROR, self, trace_id, "request failed"),
            501.. => write_line!(Level::WARN, self, trace_id, "request failed"),
            400..=499 => write_line!(Level::INFO, self, trace_id, "request failed"),
            _ => write_line!(Level::DEBUG, self, trace_id, "request"),
        }
    }

    fn path(&self) -> &str {
        let path = self.uri.path();
        path.get(..PATH_BYTES).unwrap_or(path)
    }

    /// What the client is told, and beside it what it is not.
    fn detail(&self) -> Option<String> {
        Some(match self.problem? {
            problem @ Problem::Unavailable(cause) => format!("{problem} ({cause})"),
            problem => problem.to_string(),
        })
    }
}

//! What the black-box tests share: where the service is, a thin client that speaks its language,
//! a reader of Server-Sent Events, raw TCP for requests that no client would send, and servers
//! that a test starts, kills and starts again.
//!
//! Nothing here uses the service's code: the suite is written from the HTTP contract alone, so
//! that it runs against any backend and any URL. The promises themselves are in `tests/contract`
//! (any URL: `SESSIONSTORE_E2E_URL` and `SESSIONSTORE_E2E_ADMIN_URL`, or a server it starts; for a
//! service of several processes the URLs of all, with commas between them) and in
//! `tests/process`, `tests/three_processes` and `tests/degraded` (always binaries of their own:
//! `SESSIONSTORE_BIN`, or one they build; the last two on MongoDB replica sets that they start).
//! `tests/operator` is about the operator, on a Kubernetes that is up.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    reason = "everything here runs inside a test, and a test fails by panicking"
)]

pub mod binary;
pub mod client;
pub mod log;
pub mod metrics;
pub mod problem;
pub mod processes;
pub mod raw;
pub mod sample;
pub mod server;
pub mod session;
pub mod sse;
pub mod target;

use std::time::Duration;

/// How long anything may take before the test that waits for it fails: far above what the
/// contract allows, so that a busy machine fails no test and a hang fails it with a message.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `outcome`, and fails with `what` when it does not come within [`PATIENCE`].
pub async fn within<F: Future>(what: &str, outcome: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, outcome).await {
        Ok(value) => value,
        Err(late) => panic!("no {what} within {PATIENCE:?}: {late}"),
    }
}

/// Runs `count` copies of a task at the same time and returns what they answered, in order.
pub async fn all_at_once<F: Future>(count: usize, task: impl Fn(usize) -> F) -> Vec<F::Output> {
    futures::future::join_all((0..count).map(task)).await
}

/// Asks again and again until `is_so`, for states that nothing announces; fails with `what` when it
/// does not come to be within [`PATIENCE`].
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    let asking = async {
        while !is_so().await {
            pace.tick().await;
        }
    };
    within(what, asking).await;
}

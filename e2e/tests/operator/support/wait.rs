//! Waiting for what kubectl has no condition for.

use std::time::{Duration, Instant};

/// How long anything may take: far above what it takes, so that a busy machine fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Looks again and again until there is something; fails with `what` when nothing comes within
/// [`PATIENCE`].
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    // Each look is a process of its own.
    let mut pace = tokio::time::interval(Duration::from_millis(300));
    loop {
        pace.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
    }
}

//! Waiting for what has no event: looking again and again, for a limited time.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use crate::{ClusterError, limits};

/// What one look saw: `Break` with what was waited for, `Continue` with what is there instead.
pub(crate) type Look<T> = ControlFlow<T, String>;

/// Looks until `look` breaks, or fails, or `limit` is over.
pub(crate) fn until<T>(
    condition: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Look<T>, ClusterError>,
) -> Result<T, ClusterError> {
    let end = Instant::now() + limit;
    loop {
        match look()? {
            ControlFlow::Break(seen) => return Ok(seen),
            ControlFlow::Continue(last) if Instant::now() >= end => {
                return Err(ClusterError::TimedOut {
                    condition: condition.to_owned(),
                    last,
                });
            }
            ControlFlow::Continue(_) => thread::sleep(limits::PAUSE),
        }
    }
}

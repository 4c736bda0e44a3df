//! Waiting for what has no event: looking again and again, for a limited time.

use std::{ops::ControlFlow, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{SetError, limits};

/// What one look saw: `Break` with what was waited for, `Continue` with what is there instead.
pub(crate) type Look<T> = ControlFlow<T, String>;

/// Looks until `look` breaks, or fails, or `limit` is over.
pub(crate) async fn until<T, F>(
    condition: &'static str,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, SetError>
where
    F: Future<Output = Result<Look<T>, SetError>>,
{
    let end = Instant::now() + limit;
    loop {
        match look().await? {
            ControlFlow::Break(seen) => return Ok(seen),
            ControlFlow::Continue(last) if Instant::now() >= end => {
                return Err(SetError::TimedOut { condition, last });
            }
            ControlFlow::Continue(_) => sleep(limits::PAUSE).await,
        }
    }
}

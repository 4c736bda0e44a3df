//! The clock of an open loop: lets requests go when they are due.

use std::{
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::sync::Semaphore;

use crate::open::schedule::Schedule;

/// What is due within this time is let go together: waking up costs CPU time that the service
/// needs. Each still counts from its own time on.
const TICK: Duration = Duration::from_micros(200);

/// Gives one permit for each request that becomes due, from `start` on, and `waiting` more at the
/// end, so that nobody waits for a request that does not come.
///
/// On a thread of its own: the runtime's timers know whole milliseconds only.
pub(super) fn start(
    schedule: Schedule,
    start: Instant,
    waiting: usize,
) -> anyhow::Result<Arc<Semaphore>> {
    let permits = Arc::new(Semaphore::new(0));
    let given = Arc::downgrade(&permits);
    thread::Builder::new()
        .name("pacer".to_owned())
        .spawn(move || give(schedule, start, waiting, &given))
        .context("cannot start a thread")?;
    Ok(permits)
}

/// Ends with the schedule, or when nobody waits any more.
fn give(schedule: Schedule, start: Instant, waiting: usize, permits: &Weak<Semaphore>) {
    let mut given = 0;
    while given < schedule.requests() {
        let due = schedule.due_by(start.elapsed());
        let Some(permits) = permits.upgrade() else {
            return;
        };
        permits.add_permits(usize::try_from(due - given).unwrap_or(usize::MAX));
        given = due;
        drop(permits);
        let next = schedule.due_at(given).saturating_sub(start.elapsed());
        thread::sleep(next.max(TICK));
    }
    if let Some(permits) = permits.upgrade() {
        permits.add_permits(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_request_gets_its_permit_and_everybody_who_waits_is_let_go() {
        let schedule = Schedule::new(10_000.0, Duration::from_millis(20));
        let start_at = Instant::now();
        let permits = start(schedule, start_at, 3).unwrap();
        let all = permits.acquire_many(203).await;
        assert_eq!(all.unwrap().num_permits(), 203);
        assert!(start_at.elapsed() >= Duration::from_millis(19));
    }
}

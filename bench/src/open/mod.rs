//! The open loop: requests at a fixed rate, whether those before them are answered or not, as
//! independent callers send them.
//!
//! A latency counts from the time at which the request was due, not from when it could be sent: a
//! request that had to wait behind a stall has waited (no coordinated omission).

mod pacer;
mod schedule;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use tokio::sync::Semaphore;

pub(crate) use schedule::Schedule;

use crate::{
    client::Connection,
    figures::{self, Latencies},
    workload::{Failure, Source, Turn},
};

/// What came of a run.
pub(crate) struct Outcome {
    /// How long requests were due.
    pub(crate) length: Duration,
    /// Requests that were due.
    pub(crate) due: u64,
    /// Those that could not be sent, all connections being busy.
    pub(crate) unsent: u64,
    /// Expected answers while requests were due; those that came later are in `accepted` only.
    pub(crate) in_time: u64,
    /// Expected answers.
    pub(crate) accepted: Answers,
    /// Refusals as the contract has them.
    pub(crate) refused: Answers,
    /// How late requests were sent: what the generator could not do better, or had no connection
    /// for.
    pub(crate) lateness: Latencies,
    /// What came instead of an expected answer or a refusal.
    pub(crate) failures: BTreeMap<Failure, u64>,
}

/// Latencies of one kind of answer.
pub(crate) struct Answers {
    /// From when the request was due.
    pub(crate) from_due: Latencies,
    /// From when it was sent.
    pub(crate) from_sent: Latencies,
}

/// How long after the last request was due one may still be sent.
const GRACE: Duration = Duration::from_secs(1);

/// What the connections of one run share; they all live on one thread.
struct Run<'a> {
    source: &'a Source,
    schedule: Schedule,
    start: Instant,
    first: u64,
    permits: &'a Semaphore,
    /// The next of the schedule.
    next: Cell<u64>,
    tally: RefCell<Tally>,
}

struct Tally {
    in_time: u64,
    accepted: Answers,
    refused: Answers,
    lateness: Latencies,
    failures: BTreeMap<Failure, u64>,
}

/// Sends the requests of `source` from the number `first` on, the first of them at `start`.
pub(crate) async fn run(
    connections: &mut [Connection],
    source: &Source,
    first: u64,
    schedule: Schedule,
    start: Instant,
) -> anyhow::Result<Outcome> {
    let permits = pacer::start(schedule, start, connections.len())?;
    let run = Run {
        source,
        schedule,
        start,
        first,
        permits: &permits,
        next: Cell::new(0),
        tally: RefCell::new(Tally::new()?),
    };
    try_join_all(connections.iter_mut().map(|it| run.drive(it))).await?;
    let tally = run.tally.into_inner();
    Ok(Outcome {
        length: schedule.length(),
        due: schedule.requests(),
        unsent: schedule.requests().saturating_sub(run.next.get()),
        in_time: tally.in_time,
        accepted: tally.accepted,
        refused: tally.refused,
        lateness: tally.lateness,
        failures: tally.failures,
    })
}

/// The same, at once.
pub(crate) async fn run_now(
    connections: &mut [Connection],
    source: &Source,
    first: u64,
    schedule: Schedule,
) -> anyhow::Result<Outcome> {
    run(connections, source, first, schedule, Instant::now()).await
}

impl Outcome {
    /// Expected answers a second, while requests were due.
    pub(crate) fn goodput(&self) -> f64 {
        figures::float(self.in_time) / self.length.as_secs_f64()
    }

    /// All answers, expected or not.
    pub(crate) fn answers(&self) -> u64 {
        let failed: u64 = self.failures.values().sum();
        self.accepted.count() + self.refused.count() + failed
    }
}

impl Answers {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            from_due: figures::latencies()?,
            from_sent: figures::latencies()?,
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.from_due.len()
    }

    fn record(&mut self, due: Instant, sent: Instant, now: Instant) {
        figures::record(&mut self.from_due, now.saturating_duration_since(due));
        figures::record(&mut self.from_sent, now.saturating_duration_since(sent));
    }
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            in_time: 0,
            accepted: Answers::new()?,
            refused: Answers::new()?,
            lateness: figures::latencies()?,
            failures: BTreeMap::new(),
        })
    }
}

impl Run<'_> {
    /// Sends whatever is due and not sent yet, as long as there is something; ends with an error
    /// only when the server can no longer be reached.
    async fn drive(&self, connection: &mut Connection) -> anyhow::Result<()> {
        let length = self.schedule.length();
        loop {
            self.permits.acquire().await?.forget();
            let number = self.next.get();
            let is_over = self.start.elapsed() > length + GRACE;
            if number >= self.schedule.requests() || is_over {
                return Ok(());
            }
            self.next.set(number + 1);
            let turn = Turn::nth(self.first + number);
            let request = self.source.request(turn, connection.host());
            let due = self.start + self.schedule.due_at(number);
            let sent = Instant::now();
            let answer = connection.exchange(request).await;
            let verdict = match answer {
                Ok(answer) => self.source.judge(turn, &answer),
                Err(_) => Err(Failure::Connection),
            };
            self.count(verdict, due, sent);
            if verdict == Err(Failure::Connection) {
                connection.reopen().await?;
            }
        }
    }

    fn count(&self, verdict: Result<(), Failure>, due: Instant, sent: Instant) {
        let now = Instant::now();
        let mut tally = self.tally.borrow_mut();
        figures::record(&mut tally.lateness, sent.saturating_duration_since(due));
        match verdict {
            Ok(()) => {
                if now.saturating_duration_since(self.start) <= self.schedule.length() {
                    tally.in_time += 1;
                }
                tally.accepted.record(due, sent, now);
            }
            Err(Failure::Refused) => tally.refused.record(due, sent, now),
            Err(failure) => *tally.failures.entry(failure).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use axum::{Router, routing::post};
    use hyper::{StatusCode, Uri, header::RETRY_AFTER};
    use tokio::{net::TcpListener, time::sleep};

    use super::*;
    use crate::{client, workload::Workload};

    async fn serve(router: Router) -> Uri {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url.parse().unwrap()
    }

    async fn appends(url: Uri, connections: usize, rate: f64) -> Outcome {
        let mut connections = client::connect(&[url], connections).await.unwrap();
        let source = Workload::Append.source("r");
        let schedule = Schedule::new(rate, Duration::from_millis(500));
        run_now(&mut connections, &source, 0, schedule)
            .await
            .unwrap()
    }

    const PATH: &str = "/v1/sessions/{id}/events";

    #[tokio::test]
    async fn a_stall_is_counted_for_every_request_that_was_due_meanwhile() {
        let calls = Arc::new(AtomicU64::new(0));
        let stalling = move || {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                if call == 10 {
                    sleep(Duration::from_millis(250)).await;
                }
                StatusCode::CREATED
            }
        };
        let url = serve(Router::new().route(PATH, post(stalling))).await;
        let outcome = appends(url, 1, 200.0).await;
        assert_eq!(outcome.accepted.count() + outcome.unsent, 100);
        // Fifty were due during the stall; a closed loop would have seen one slow answer.
        let slow = Duration::from_millis(100).as_nanos();
        let slow = outcome
            .accepted
            .from_due
            .count_between(u64::try_from(slow).unwrap(), u64::MAX);
        assert!(slow >= 20, "{slow}");
    }

    #[tokio::test]
    async fn refusals_are_told_from_answers_and_from_failures() {
        let calls = Arc::new(AtomicU64::new(0));
        let mixed = move || {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                match call % 4 {
                    0 => (StatusCode::CREATED, [(RETRY_AFTER, "1")]),
                    3 => (StatusCode::INTERNAL_SERVER_ERROR, [(RETRY_AFTER, "1")]),
                    _ => (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]),
                }
            }
        };
        let url = serve(Router::new().route(PATH, post(mixed))).await;
        let outcome = appends(url, 4, 200.0).await;
        let quarter = outcome.answers() / 4;
        assert!(quarter > 0);
        assert_eq!(outcome.accepted.count(), outcome.answers().div_ceil(4));
        let broken = Failure::Status(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(outcome.failures, BTreeMap::from([(broken, quarter)]));
        assert_eq!(outcome.answers() + outcome.unsent, outcome.due);
    }

    #[tokio::test]
    async fn what_finds_no_free_connection_is_counted_as_unsent() {
        let slow = || async {
            sleep(Duration::from_millis(400)).await;
            StatusCode::CREATED
        };
        let url = serve(Router::new().route(PATH, post(slow))).await;
        let outcome = appends(url, 1, 100.0).await;
        assert_eq!(outcome.due, 50);
        assert_eq!(outcome.unsent, 50 - outcome.answers());
        assert!(outcome.unsent > 40);
    }
}

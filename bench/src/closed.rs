//! The closed loop: connections that each send the next request when the last is answered.
//!
//! It finds the throughput at a given concurrency. Its latencies are those of a caller that waits
//! for the answer before it goes on; when the service stalls, it sends less, and so sees less of
//! the stall than callers who do not wait: those are in `open`.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use crate::{
    client::Connection,
    figures::{self, Latencies},
    workload::{Failure, Source, Turn},
};

/// How far each connection has come with a source.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Vec<u64>);

/// When to send no more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// Before the request with this number.
    Before(u64),
    /// At this time.
    At(Instant),
}

/// What came of a run.
pub(crate) struct Outcome {
    /// Until the last answer.
    pub(crate) elapsed: Duration,
    /// Of expected answers.
    pub(crate) latencies: Latencies,
    /// What came instead of expected answers, and how often.
    pub(crate) failures: BTreeMap<Failure, u64>,
}

/// What the connections of one run share; they all live on one thread.
struct Run<'a> {
    source: &'a Source,
    connections: u64,
    stop: Stop,
    latencies: RefCell<Latencies>,
    failures: RefCell<BTreeMap<Failure, u64>>,
}

/// Goes on with the requests of `source` from where `progress` says.
pub(crate) async fn run(
    connections: &mut [Connection],
    source: &Source,
    progress: &mut Progress,
    stop: Stop,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let run = Run {
        source,
        connections: connections.len() as u64,
        stop,
        latencies: RefCell::new(figures::latencies()?),
        failures: RefCell::default(),
    };
    let driven = (0..).zip(connections).zip(&mut progress.0);
    let driven = driven.map(|((number, connection), step)| run.drive(number, connection, step));
    try_join_all(driven).await?;
    Ok(Outcome {
        elapsed: start.elapsed(),
        latencies: run.latencies.into_inner(),
        failures: run.failures.into_inner(),
    })
}

impl Progress {
    /// So many connections that have sent nothing yet.
    pub(crate) fn new(connections: usize) -> Self {
        Self(vec![0; connections])
    }
}

impl Stop {
    pub(crate) fn after(time: Duration) -> Self {
        Self::At(Instant::now() + time)
    }

    fn is_reached(self, turn: Turn) -> bool {
        match self {
            Self::Before(end) => turn.number() >= end,
            Self::At(time) => Instant::now() >= time,
        }
    }
}

impl Outcome {
    /// Expected answers in a second.
    pub(crate) fn rate(&self) -> f64 {
        figures::float(self.latencies.len()) / self.elapsed.as_secs_f64()
    }

    /// All answers, expected or not.
    pub(crate) fn answers(&self) -> u64 {
        self.latencies.len() + self.failures.values().sum::<u64>()
    }
}

impl Run<'_> {
    /// Sends one request after the other over one connection; ends with an error only when the
    /// server can no longer be reached.
    async fn drive(
        &self,
        number: u64,
        connection: &mut Connection,
        step: &mut u64,
    ) -> anyhow::Result<()> {
        loop {
            let turn = Turn {
                connection: number,
                connections: self.connections,
                step: *step,
            };
            if self.stop.is_reached(turn) {
                return Ok(());
            }
            *step += 1;
            let request = self.source.request(turn, connection.host());
            let sent = Instant::now();
            let answer = connection.exchange(request).await;
            let latency = sent.elapsed();
            let verdict = match answer {
                Ok(answer) => self.source.judge(turn, &answer),
                Err(_) => Err(Failure::Connection),
            };
            match verdict {
                Ok(()) => figures::record(&mut self.latencies.borrow_mut(), latency),
                Err(failure) => *self.failures.borrow_mut().entry(failure).or_default() += 1,
            }
            if verdict == Err(Failure::Connection) {
                connection.reopen().await?;
            }
        }
    }
}

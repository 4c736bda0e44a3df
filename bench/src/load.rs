//! The closed loop: connections that each send the next request when the last is answered.
//!
//! It drives hyper's connections directly, without a client's pool in between: the generator
//! shares the machine with the server, so what it costs takes from what it measures.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode, Uri,
    client::conn::http1::{self, SendRequest},
    header::HeaderValue,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::workload::{Failure, Source};

/// What latencies are counted in: nanoseconds from a microsecond to a minute, right to 0.1 %.
pub(crate) fn new_histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 60_000_000_000, 3)?)
}

/// Open connections to one server, or spread over several.
pub(crate) struct Load {
    servers: Vec<Address>,
    connections: Vec<SendRequest<Full<Bytes>>>,
}

struct Address {
    authority: String,
    host: HeaderValue,
}

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
    /// The number of the first request that was not sent.
    pub(crate) next: u64,
    /// Until the last answer.
    pub(crate) elapsed: Duration,
    /// Of expected answers, in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
    /// What came instead of expected answers, and how often.
    pub(crate) failures: BTreeMap<Failure, u64>,
}

impl Load {
    pub(crate) async fn connect(urls: &[Uri], connections: usize) -> anyhow::Result<Self> {
        let servers: Vec<Address> = urls.iter().map(Address::of).collect::<Result<_, _>>()?;
        let each = servers.iter().cycle().take(connections);
        let connections = try_join_all(each.map(Address::connect)).await?;
        Ok(Self {
            servers,
            connections,
        })
    }

    /// Sends the requests of `source` from the number `first` on.
    pub(crate) async fn run(
        &mut self,
        source: &Source,
        first: u64,
        stop: Stop,
    ) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let run = Run {
            source,
            stop,
            next: Cell::new(first),
            latencies: RefCell::new(new_histogram()?),
            failures: RefCell::default(),
        };
        let servers = self.servers.iter().cycle();
        let driven = self.connections.iter_mut().zip(servers);
        try_join_all(driven.map(|(connection, server)| run.drive(server, connection))).await?;
        Ok(Outcome {
            next: run.next.get(),
            elapsed: start.elapsed(),
            latencies: run.latencies.into_inner(),
            failures: run.failures.into_inner(),
        })
    }
}

impl Address {
    fn of(url: &Uri) -> anyhow::Result<Self> {
        let host = url.host().context("the URL names no host")?;
        let authority = format!("{host}:{}", url.port_u16().unwrap_or(80));
        Ok(Self {
            host: HeaderValue::try_from(&authority)?,
            authority,
        })
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let unreachable = || format!("cannot connect to {}", self.authority);
        let stream = TcpStream::connect(&self.authority)
            .await
            .with_context(unreachable)?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .with_context(unreachable)?;
        // Its error is the error of the request that was on the way.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// What the connections of one run share; they all live on one thread.
struct Run<'a> {
    source: &'a Source,
    stop: Stop,
    next: Cell<u64>,
    latencies: RefCell<Histogram<u64>>,
    failures: RefCell<BTreeMap<Failure, u64>>,
}

impl Run<'_> {
    /// Sends one request after the other over one connection; ends with an error only when the
    /// server can no longer be reached.
    async fn drive(
        &self,
        server: &Address,
        connection: &mut SendRequest<Full<Bytes>>,
    ) -> anyhow::Result<()> {
        while let Some(number) = self.take_number() {
            let request = self.source.request(number, &server.host);
            let sent = Instant::now();
            let answer = exchange(connection, request).await;
            let latency = sent.elapsed();
            let verdict = match answer {
                Ok((status, body)) => self.source.judge(status, &body),
                Err(_) => Err(Failure::Connection),
            };
            match verdict {
                Ok(()) => {
                    let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                    self.latencies.borrow_mut().saturating_record(nanoseconds);
                }
                Err(failure) => *self.failures.borrow_mut().entry(failure).or_default() += 1,
            }
            if verdict == Err(Failure::Connection) {
                *connection = server.connect().await?;
            }
        }
        Ok(())
    }

    fn take_number(&self) -> Option<u64> {
        let number = self.next.get();
        let go_on = match self.stop {
            Stop::Before(end) => number < end,
            Stop::At(time) => Instant::now() < time,
        };
        go_on.then(|| {
            self.next.set(number + 1);
            number
        })
    }
}

async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> hyper::Result<(StatusCode, Bytes)> {
    connection.ready().await?;
    let response = connection.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, body))
}

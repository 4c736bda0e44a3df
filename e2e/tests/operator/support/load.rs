//! Clients that write and read all the time, and what they met.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use sessionstore_e2e::{
    client::{Api, Reply},
    sample,
    session::{Session, texts},
    target::Target,
};
use tokio::{task::JoinHandle, time::Interval};

use super::{store::Store, wait::eventually};

/// How many write at the same time, each into sessions of its own.
const WRITERS: usize = 4;

/// Between two requests of one client: enough to meet every moment, and little for two cores.
const PACE: Duration = Duration::from_millis(25);

/// After so many events a session is completed and another one begun, by new connections: so that
/// all kinds of writes and all pods are met.
const SESSION_EVENTS: u64 = 60;

/// What a client outside grants an answer. The service's own limit is 10 s.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Clients outside of the cluster that write and read until they are stopped. An answer that is no
/// success counts as an error; the same request is then sent again until it is one, as the contract
/// says that clients may.
pub(crate) struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Vec<Written>>>,
    reader: JoinHandle<()>,
}

struct Shared {
    began: Instant,
    urls: Vec<String>,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    /// Answers that an acknowledged event is not there.
    missed: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
    /// The last event of each writer that was acknowledged, for the reader.
    newest: [Mutex<Option<(String, u64)>>; WRITERS],
}

/// What a writer has of one session.
struct Written {
    session: String,
    /// Events that were acknowledged; at most one more may be stored.
    acknowledged: u64,
    is_completed: bool,
}

/// One answer that was no success.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    after: Duration,
    what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:.1} s: {}", self.after.as_secs_f64(), self.what)
    }
}

/// What became of a load.
pub(crate) struct Report {
    written: Vec<Written>,
    failures: Vec<Failure>,
    slowest: Duration,
}

impl Load {
    /// By way of all nodes; returns when every client has had its first answers.
    pub(crate) async fn start(store: &Store) -> Self {
        Self::start_by(store, &[1, 2, 3]).await
    }

    /// By way of these nodes, for a test that hurts another one.
    pub(crate) async fn start_by(store: &Store, nodes: &[usize]) -> Self {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            urls: store.urls_by(nodes).await,
            is_over: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            failures: Mutex::default(),
            missed: Mutex::default(),
            slowest: Mutex::default(),
            newest: Default::default(),
        });
        let writers = (0..WRITERS)
            .map(|number| tokio::spawn(write(shared.clone(), number)))
            .collect();
        let reader = tokio::spawn(read(shared.clone()));
        let load = Self {
            shared,
            writers,
            reader,
        };
        load.go_on().await;
        load
    }

    /// Waits until some more has been acknowledged than now: what is to be met is met under load.
    pub(crate) async fn go_on(&self) {
        let before = self.shared.acknowledged.load(Ordering::Relaxed);
        eventually("more is acknowledged", async || {
            let now = self.shared.acknowledged.load(Ordering::Relaxed);
            (now >= before + 2 * WRITERS as u64).then_some(())
        })
        .await;
    }

    /// Ends the clients and reads everything back through `store`, which has to be well again. Fails
    /// if anything that was acknowledged is missing, is there twice or in another place, or was said
    /// not to be there in the meantime.
    pub(crate) async fn stop(self, store: &Store) -> Report {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut written = Vec::new();
        for writer in self.writers {
            written.extend(writer.await.unwrap());
        }
        self.reader.await.unwrap();
        let report = Report {
            written,
            failures: self.shared.failures.lock().unwrap().clone(),
            slowest: *self.shared.slowest.lock().unwrap(),
        };
        eprintln!("{}: {report}", store.namespace);
        let missed = self.shared.missed.lock().unwrap().clone();
        assert!(
            missed.is_empty(),
            "acknowledged, and then not found: {missed:?}"
        );
        let api = store.client().await;
        for written in &report.written {
            written.assert_stored(&api).await;
        }
        report
    }
}

impl Report {
    /// Fails if any client met an error.
    #[track_caller]
    pub(crate) fn assert_no_error(&self) {
        assert!(self.failures.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        let events: u64 = self.written.iter().map(|it| it.acknowledged).sum();
        write!(
            f,
            "{} sessions with {events} events acknowledged, the slowest answer after {:.1} s, {} errors",
            self.written.len(),
            self.slowest.as_secs_f64(),
            self.failures.len(),
        )?;
        for failure in self.failures.iter().take(SHOWN) {
            write!(f, "\n  {failure}")?;
        }
        Ok(())
    }
}

impl Written {
    /// Its log is contiguous, holds each acknowledged event at the place that was acknowledged, and
    /// at most the one besides that was on its way.
    async fn assert_stored(&self, api: &Api) {
        let session = api.session(&self.session);
        let log = session.log().await;
        let stored = log.len() as u64;
        let allowed = self.acknowledged..=self.acknowledged + u64::from(!self.is_completed);
        assert!(
            allowed.contains(&stored),
            "{}: {stored} events are stored, {} were acknowledged",
            self.session,
            self.acknowledged
        );
        let expected = (1..=stored).map(event_id);
        assert!(texts(&log, "eventId").into_iter().eq(expected), "{log:?}");
        if self.is_completed {
            assert_eq!(session.current().await["status"], "completed");
        }
    }
}

fn event_id(number: u64) -> String {
    format!("e{number}")
}

/// One client, with connections of its own.
struct Client<'a> {
    api: Api,
    shared: &'a Shared,
    pace: Interval,
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared, turn: usize) -> Self {
        let first = turn % shared.urls.len();
        let urls = [&shared.urls[first..], &shared.urls[..first]].concat();
        let target = Target::new(&urls.join(","), None);
        Self {
            api: Api::of(target),
            shared,
            pace: tokio::time::interval(PACE),
        }
    }

    /// Sends a request once.
    async fn once(
        &mut self,
        request: RequestBuilder,
        is_good: impl Fn(&Reply) -> bool,
    ) -> Option<Reply> {
        self.pace.tick().await;
        let start = Instant::now();
        let answer = tokio::time::timeout(CLIENT_TIMEOUT, self.api.try_send(request)).await;
        let took = start.elapsed();
        let what = match answer {
            Ok(Ok(reply)) if is_good(&reply) => {
                let mut slowest = self.shared.slowest.lock().unwrap();
                *slowest = took.max(*slowest);
                return Some(reply);
            }
            Ok(Ok(reply)) => format!("{} gave {}: {}", reply.request, reply.status, reply.text),
            Ok(Err(error)) => {
                let mut causes = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(inner) = cause {
                    causes = format!("{causes}: {inner}");
                    cause = inner.source();
                }
                causes
            }
            Err(_) => format!("no answer within {CLIENT_TIMEOUT:?}"),
        };
        let after = start.duration_since(self.shared.began);
        let what = format!("{what} (sent for {:.1} s)", took.as_secs_f64());
        self.shared
            .failures
            .lock()
            .unwrap()
            .push(Failure { after, what });
        None
    }

    /// Sends a request again and again until it is answered well; not if the load is over.
    async fn settle(&mut self, request: impl Fn(&Api) -> RequestBuilder) -> Option<Reply> {
        let is_good = |reply: &Reply| [200, 201].contains(&reply.status);
        loop {
            let request = request(&self.api);
            if let Some(reply) = self.once(request, is_good).await {
                return Some(reply);
            }
            if self.shared.is_over.load(Ordering::Relaxed) {
                return None;
            }
        }
    }
}

fn json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// Session after session.
async fn write(shared: Arc<Shared>, number: usize) -> Vec<Written> {
    let mut sessions = Vec::new();
    while !shared.is_over.load(Ordering::Relaxed) {
        let client = Client::new(&shared, number + sessions.len());
        sessions.extend(write_session(client, number).await);
    }
    sessions
}

/// One session from its creation to its end; `None` if it may not exist.
async fn write_session(mut client: Client<'_>, number: usize) -> Option<Written> {
    let shared = client.shared;
    let session: Session = client.api.session(sample::fresh("load"));
    let body = sample::session(&session.id);
    client
        .settle(|api| json(api.request(Method::POST, "/v1/sessions"), &body))
        .await?;
    let mut written = Written {
        session: session.id.clone(),
        acknowledged: 0,
        is_completed: false,
    };
    while written.acknowledged < SESSION_EVENTS {
        if shared.is_over.load(Ordering::Relaxed) {
            return Some(written);
        }
        let event = sample::event(&event_id(written.acknowledged + 1));
        let path = session.path("/events");
        let Some(reply) = client
            .settle(|api| json(api.request(Method::POST, &path), &event))
            .await
        else {
            return Some(written);
        };
        written.acknowledged += 1;
        // It is its only writer, so the number says whether one was lost or stored twice.
        assert_eq!(reply.number_at("/event/seq"), written.acknowledged);
        shared.acknowledged.fetch_add(1, Ordering::Relaxed);
        *shared.newest[number].lock().unwrap() = Some((session.id.clone(), written.acknowledged));
    }
    let path = session.path("/complete");
    let completed = client.settle(|api| api.request(Method::POST, &path)).await;
    written.is_completed = completed.is_some();
    Some(written)
}

/// Reads what was acknowledged last, of each writer in turn, by connections of its own.
async fn read(shared: Arc<Shared>) {
    let mut turn = 0;
    let mut client = Client::new(&shared, turn);
    while !shared.is_over.load(Ordering::Relaxed) {
        turn += 1;
        if turn % 50 == 0 {
            client = Client::new(&shared, turn / 50);
        }
        let newest = shared.newest[turn % WRITERS].lock().unwrap().clone();
        let Some((session, number)) = newest else {
            client.pace.tick().await;
            continue;
        };
        let event = client
            .api
            .session(session)
            .path(&format!("/events/{}", event_id(number)));
        let request = client.api.request(Method::GET, &event);
        let is_it = |reply: &Reply| {
            if reply.status == 404 {
                shared.missed.lock().unwrap().push(event.clone());
            }
            reply.status == 200 && reply.number_at("/event/seq") == number
        };
        client.once(request, is_it).await;
    }
}

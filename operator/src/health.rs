//! Whether the process lives and whether it is ready: how long ago each of its watches, and its
//! event loop, gave a sign of life.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use crate::clock::{self, Time};

/// How long one watch call may last, in seconds, for `watcher::Config::timeout`.
///
/// The watcher takes a connection for dead when nothing has come for this time and 5 s. Its default
/// is 290: that long an operator would not see a member that needs help. An API server sends a
/// bookmark every minute (`defaultBookmarkFrequency` in `k8s.io/apiserver`,
/// `pkg/storage/cacher/cacher.go`) and one before the end, so a watch that lives is never silent
/// for much more than 60 s.
pub const WATCH_SECONDS: u32 = 120;

/// How long a watch may show no life at all. It is the last resort, so everything that repairs
/// itself comes first: the watcher gives up a dead connection after 125 s, its pause before the
/// next try is at most 30 s (`DefaultBackoff` of kube), and so is the time to connect. An API server
/// that cannot be reached is a sign of life too: a restart would not bring it back.
pub const WATCH_LIMIT: Duration = Duration::from_secs(300);

/// How often the event loop shows that it turns.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long it may not. Far above what a machine under load takes.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(60);

/// Everything that has to keep moving. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<Vec<Arc<Stream>>>>);

#[derive(Debug)]
struct Stream {
    kind: &'static str,
    detail: String,
    limit: Duration,
    pulse: Pulse,
}

/// When something was last seen of a stream; nanoseconds of [`clock::now`].
#[derive(Debug)]
struct Pulse {
    heard: AtomicU64,
    tried: AtomicU64,
    is_synced: AtomicBool,
}

/// One watch. Dropping it does not take it off the list: a task that has died is exactly what is
/// to be found. [`Watch::retire`] does.
#[derive(Debug)]
pub struct Watch {
    stream: Arc<Stream>,
    streams: Streams,
}

/// A stream, as it stands at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is watched, such as `pods`: one of a few words.
    pub kind: &'static str,
    /// Which of them, or empty.
    pub detail: String,
    /// How long ago something last came.
    pub heard: Duration,
    /// How long ago there was last a sign of life, a refusal or an error included.
    pub tried: Duration,
    /// How long that may be.
    pub limit: Duration,
    /// Whether everything that is there has been seen once.
    pub is_synced: bool,
}

impl Standing {
    /// Whether something must have died.
    pub fn is_silent(&self) -> bool {
        self.tried > self.limit
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        if !self.detail.is_empty() {
            write!(f, " {}", self.detail)?;
        }
        Ok(())
    }
}

impl Streams {
    /// Begins to look after a watch. `kind` becomes a label of a metric, so it is one of a few
    /// words; `detail` says which, where one kind has several.
    pub fn watch(&self, kind: &'static str, detail: &str) -> Watch {
        self.add(kind, detail, WATCH_LIMIT, false)
    }

    /// Looks after the runtime itself: the future ticks for ever.
    pub fn heartbeat(&self) -> impl Future<Output = ()> + Send + use<> {
        let watch = self.add("event loop", "", HEARTBEAT_LIMIT, true);
        async move {
            let mut ticks = tokio::time::interval(HEARTBEAT);
            loop {
                ticks.tick().await;
                watch.stream.pulse.heard(clock::now());
            }
        }
    }

    /// How everything stands, in the order in which it began.
    pub fn standing(&self, now: Time) -> Vec<Standing> {
        self.list()
            .iter()
            .map(|stream| stream.standing(now))
            .collect()
    }

    fn add(&self, kind: &'static str, detail: &str, limit: Duration, is_synced: bool) -> Watch {
        let stream = Arc::new(Stream {
            kind,
            detail: detail.to_owned(),
            limit,
            pulse: Pulse::new(clock::now(), is_synced),
        });
        self.list().push(Arc::clone(&stream));
        Watch {
            stream,
            streams: self.clone(),
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Stream>>> {
        // Nothing that holds the lock can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn standing(&self, now: Time) -> Standing {
        let ago = |then: &AtomicU64| {
            now.saturating_sub(Duration::from_nanos(then.load(Ordering::Relaxed)))
        };
        Standing {
            kind: self.kind,
            detail: self.detail.clone(),
            heard: ago(&self.pulse.heard),
            tried: ago(&self.pulse.tried),
            limit: self.limit,
            is_synced: self.pulse.is_synced.load(Ordering::Relaxed),
        }
    }
}

impl Pulse {
    fn new(now: Time, is_synced: bool) -> Self {
        Self {
            heard: AtomicU64::new(nanos(now)),
            tried: AtomicU64::new(nanos(now)),
            is_synced: AtomicBool::new(is_synced),
        }
    }

    fn heard(&self, now: Time) {
        self.heard.store(nanos(now), Ordering::Relaxed);
        self.tried(now);
    }

    fn tried(&self, now: Time) {
        self.tried.store(nanos(now), Ordering::Relaxed);
    }
}

fn nanos(time: Time) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Watch {
    /// A client for this watch alone: every answer and every piece of it counts as a sign of life,
    /// bookmarks too, which a `watcher` keeps to itself.
    pub fn client(&self, client: &Client) -> Client {
        let (inner, stream) = (client.clone(), Arc::clone(&self.stream));
        let service = service_fn(move |request: Request<Body>| {
            let (client, stream) = (inner.clone(), Arc::clone(&stream));
            async move {
                let answer = client.send(request).await;
                stream.pulse.tried(clock::now());
                let response = answer?;
                if response.status().is_success() {
                    stream.pulse.heard(clock::now());
                }
                Ok::<_, kube::Error>(observe(response, stream))
            }
        });
        Client::new(service, client.default_namespace())
    }

    /// Everything that is there has been seen once: the first list is complete.
    pub fn synced(&self) {
        self.stream.pulse.is_synced.store(true, Ordering::Relaxed);
    }

    /// Nothing is watched here any more, as intended.
    pub fn retire(self) {
        self.streams
            .list()
            .retain(|stream| !Arc::ptr_eq(stream, &self.stream));
    }
}

fn observe(
    response: Response<Body>,
    stream: Arc<Stream>,
) -> Response<impl axum::body::HttpBody<Data = bytes::Bytes, Error = axum::BoxError> + Send> {
    response.map(|body| {
        body.map_frame(move |frame| {
            stream.pulse.heard(clock::now());
            frame
        })
        .map_err(axum::BoxError::from)
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use futures::StreamExt;
    use tokio::sync::mpsc;

    use super::*;

    const LATER: Duration = Duration::from_secs(301);

    fn standing(streams: &Streams, now: Time) -> Standing {
        streams.standing(now).pop().unwrap()
    }

    #[test]
    fn a_watch_that_shows_no_life_is_silent() {
        let streams = Streams::default();
        let _watch = streams.watch("pods", "");
        let now = clock::now();
        assert!(!standing(&streams, now).is_silent());
        assert!(standing(&streams, now + LATER).is_silent());
    }

    #[test]
    fn a_watch_whose_task_has_died_goes_silent() {
        let streams = Streams::default();
        drop(streams.watch("pods", ""));
        assert!(standing(&streams, clock::now() + LATER).is_silent());
    }

    #[test]
    fn a_watch_that_was_retired_is_nobodys_concern() {
        let streams = Streams::default();
        let other = streams.watch("secrets", "voice/uri");
        streams.watch("secrets", "chat/uri").retire();
        assert_eq!(
            standing(&streams, clock::now()).to_string(),
            "secrets voice/uri"
        );
        other.retire();
        assert_eq!(streams.standing(clock::now()), []);
    }

    #[test]
    fn a_watch_is_ready_once_its_first_list_is_complete() {
        let streams = Streams::default();
        let watch = streams.watch("pods", "");
        assert!(!standing(&streams, clock::now()).is_synced);
        watch.synced();
        assert!(standing(&streams, clock::now()).is_synced);
    }

    #[tokio::test(start_paused = true)]
    async fn the_event_loop_shows_that_it_turns() {
        let streams = Streams::default();
        let heartbeat = streams.heartbeat();
        let begun = streams.0.lock().unwrap()[0]
            .pulse
            .heard
            .load(Ordering::Relaxed);
        let _ = tokio::time::timeout(HEARTBEAT, heartbeat).await;
        let last = streams.0.lock().unwrap()[0]
            .pulse
            .heard
            .load(Ordering::Relaxed);
        assert!(last > begun);
        assert!(standing(&streams, clock::now()).is_synced);
    }

    /// A client whose server answers with this status and sends what comes from the channel.
    fn client(status: StatusCode, body: mpsc::UnboundedReceiver<&'static str>) -> Client {
        let body = Mutex::new(Some(body));
        let service = service_fn(move |_: Request<Body>| {
            let body = body.lock().unwrap().take().unwrap();
            let pieces = futures::stream::unfold(body, async |mut body| {
                let piece = body.recv().await?;
                Some((Ok::<_, std::io::Error>(piece), body))
            });
            let body = axum::body::Body::from_stream(pieces);
            let response = Response::builder().status(status).body(body);
            async { response }
        });
        Client::new(service, "default")
    }

    fn request() -> Request<Body> {
        Request::new(Body::empty())
    }

    /// Takes away all signs of life.
    fn forget(watch: &Watch) {
        let pulse = &watch.stream.pulse;
        pulse.heard.store(0, Ordering::Relaxed);
        pulse.tried.store(0, Ordering::Relaxed);
    }

    fn has_life(watch: &Watch) -> (bool, bool) {
        let is_set = |time: &AtomicU64| time.load(Ordering::Relaxed) > 0;
        let pulse = &watch.stream.pulse;
        (is_set(&pulse.heard), is_set(&pulse.tried))
    }

    #[tokio::test]
    async fn every_piece_of_a_watch_is_a_sign_of_life() {
        let (server, body) = mpsc::unbounded_channel();
        let watch = Streams::default().watch("pods", "");
        let client = watch.client(&client(StatusCode::OK, body));
        forget(&watch);
        let response = client.send(request()).await.unwrap();
        assert_eq!(has_life(&watch), (true, true), "the answer itself");
        forget(&watch);
        server.send("{\"type\":\"BOOKMARK\"}\n").unwrap();
        let mut pieces = response.into_body().into_data_stream();
        pieces.next().await.unwrap().unwrap();
        assert_eq!(has_life(&watch), (true, true), "a bookmark");
    }

    #[tokio::test]
    async fn a_refusal_is_a_sign_of_life_but_no_news() {
        let (_server, body) = mpsc::unbounded_channel();
        let watch = Streams::default().watch("pods", "");
        let client = watch.client(&client(StatusCode::FORBIDDEN, body));
        forget(&watch);
        client.send(request()).await.unwrap();
        assert_eq!(has_life(&watch), (false, true));
    }
}

//! The API in the process, over a store in memory: what `router` promises beyond what each part
//! promises by itself. The whole service is tested from outside, by the suite in `e2e`.

mod batches;
mod bodies;
mod documentation;
mod fake;
mod fuzz;
mod overload;
mod pages;
mod routes;
mod sessions;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::domain::{CreationIds, Limits, Timestamp};
use crate::http::{Api, Problem, RequestId, StreamMetrics, Timing, router};
use crate::log::{Log, LogMetrics, Settings};

use fake::FakeStore;

/// The time at which everything in these tests happens.
const NOW: &str = "2026-11-25T09:30:00.000Z";

/// The id of every request in these tests.
const REQUEST_ID: &str = "request-1";

/// The API, and the strings to pull at.
struct Server {
    router: Router,
    store: Arc<FakeStore>,
    log: Log,
    stopping: CancellationToken,
    metrics: prometheus::Registry,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Server {
    fn new() -> Self {
        Self::with(Limits::default(), Timing::default())
    }

    fn with(limits: Limits, timing: Timing) -> Self {
        Self::over(limits, timing, Settings::default())
    }

    fn over(limits: Limits, timing: Timing, settings: Settings) -> Self {
        let metrics = prometheus::Registry::new();
        let store = Arc::new(FakeStore::default());
        let log_metrics = LogMetrics::register(&metrics).unwrap();
        let log = Log::new(store.clone(), settings, log_metrics);
        let stopping = CancellationToken::new();
        let api = Api::new(
            log.clone(),
            Arc::new(limits),
            timing,
            stopping.clone(),
            StreamMetrics::register(&metrics).unwrap(),
            || Timestamp::parse(NOW).unwrap(),
            CreationIds::new([7; 5]),
        );
        Self {
            router: router(api).layer(from_fn(render)),
            store,
            log,
            stopping,
            metrics,
        }
    }

    async fn answer(&self, request: Request) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, request: Request) -> Answer {
        let (parts, body) = self.answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Body::empty()).unwrap())
            .await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(request("DELETE", path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, body: impl ToString) -> Answer {
        self.send_json("POST", path, body).await
    }

    async fn patch(&self, path: &str, body: impl ToString) -> Answer {
        self.send_json("PATCH", path, body).await
    }

    async fn send_json(&self, method: &str, path: &str, body: impl ToString) -> Answer {
        let request = request(method, path).header("content-type", "application/json");
        self.send(request.body(body.to_string().into()).unwrap())
            .await
    }

    /// Creates a session with so many events `e1`, `e2` …
    async fn with_events(&self, session_id: &str, count: usize) {
        let session = json!({"sessionId": session_id, "language": "en"});
        let created = self.post("/v1/sessions", session).await;
        assert_eq!(created.status, 201);
        for number in 1..=count {
            let path = format!("/v1/sessions/{session_id}/events");
            let appended = self.post(&path, event(&format!("e{number}"))).await;
            assert_eq!(appended.status, 201);
        }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }

    /// Status and name of the problem, for a look at one line.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["instance"], REQUEST_ID);
        let (_, name) = body["type"].as_str().unwrap().split_once('#').unwrap();
        (self.status.as_u16(), name.to_owned())
    }

    /// The places that are wrong.
    fn places(&self) -> Vec<String> {
        assert_eq!(self.problem(), (400, "invalid-request".to_owned()));
        places(&self.json())
    }
}

/// The places that a problem names.
fn places(problem: &Value) -> Vec<String> {
    let place = |error: &Value| {
        let members = ["pointer", "parameter", "header"];
        let place = members.iter().find_map(|member| error[member].as_str());
        place.unwrap().to_owned()
    };
    problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(place)
        .collect()
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

/// An event to append.
fn event(event_id: &str) -> Value {
    json!({"eventId": event_id, "type": "user_speech", "payload": {"text": "Hello"}})
}

/// A problem of this status and name, for comparison.
fn problem(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

/// What the layer in front of the router does.
async fn render(mut request: Request, next: Next) -> Response {
    request
        .extensions_mut()
        .insert(RequestId(REQUEST_ID.into()));
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem.render(REQUEST_ID),
        None => response,
    }
}

/// Compares a generated file with the one that is checked in; writes it if `UPDATE_DOCS` is set.
pub(super) fn checked_in(path: &str, generated: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(absolute(path), generated).unwrap();
    }
    assert!(
        checked_in_text(path) == generated,
        "{path} is not what the code says: run the tests with UPDATE_DOCS=1, look at the difference"
    );
}

/// A file that is checked in.
fn checked_in_text(path: &str) -> String {
    std::fs::read_to_string(absolute(path)).unwrap_or_default()
}

fn absolute(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

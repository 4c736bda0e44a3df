//! The HTTP API: one file an endpoint, over the session log.
//!
//! An endpoint extracts its arguments as one struct, calls the [`Log`], and writes the answer. What
//! they share is beside them: reading ([`request`], [`parameters`], [`body`], [`fields`]), writing
//! ([`answer`], [`wire`], [`page`], [`cursor`]), errors ([`problem`]), documentation ([`openapi`]).
//! Listening, request ids and metrics are not here: whoever serves the router does that, and
//! renders the [`Problem`]s.

mod answer;
mod append;
mod batch;
mod body;
mod close;
mod create;
mod cursor;
mod delete;
mod event;
mod events;
mod fields;
mod get;
mod if_match;
mod list;
mod media;
mod meta;
mod new_event;
pub mod observe;
pub mod openapi;
mod page;
mod parameters;
mod patch;
mod percent;
mod problem;
mod request;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::{MethodRouter, get, post};
use tokio_util::sync::CancellationToken;

use crate::domain::{CreationId, CreationIds, Limits, Timestamp};
use crate::log::Log;

pub use media::Accepted;
pub use problem::{Kind, Place, Problem, Retry, Violation, Violations, errors_markdown};
pub use stream::StreamMetrics;

/// Everything that the endpoints need.
pub struct Api {
    log: Log,
    limits: Arc<Limits>,
    timing: Timing,
    /// Cancelled when the process is about to stop: streams end then.
    stopping: CancellationToken,
    streams: StreamMetrics,
    clock: fn() -> Timestamp,
    creation_ids: Mutex<CreationIds>,
}

/// How long the API waits for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the body of a request may take to arrive.
    pub body: Duration,
    /// How often a stream says that it is alive, and reads the log without being told of news.
    pub heartbeat: Duration,
    /// How long the reader of a stream may take nothing before it is dropped.
    pub stalled: Duration,
    /// How long a client is asked to wait before it connects to a stream again.
    pub reconnect: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            body: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            stalled: Duration::from_secs(30),
            reconnect: Duration::from_secs(1),
        }
    }
}

/// The id of a request, as the outermost layer puts it into the extensions of the request. The
/// problems inside the results of a batch carry it as their `instance`, as whole ones do.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl Api {
    /// An API over `log`. `creation_ids` are those of this process, `stopping` tells when it is
    /// about to stop.
    pub fn new(
        log: Log,
        limits: Arc<Limits>,
        timing: Timing,
        stopping: CancellationToken,
        streams: StreamMetrics,
        clock: fn() -> Timestamp,
        creation_ids: CreationIds,
    ) -> Self {
        Self {
            log,
            limits,
            timing,
            stopping,
            streams,
            clock,
            creation_ids: Mutex::new(creation_ids),
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn creation_id(&self, now: Timestamp) -> CreationId {
        // Nothing that can panic runs under this lock.
        let mut ids = self
            .creation_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ids.next(now)
    }
}

/// The routes. What is refused leaves as a response with a [`Problem`] in its extensions.
pub fn router(api: Api) -> Router {
    const READ: &str = "GET, HEAD";
    let session = get(get::get).patch(patch::patch).delete(delete::delete);
    Router::new()
        .route(
            "/v1/sessions",
            only("GET, HEAD, POST", get(list::list).post(create::create)),
        )
        .route(
            "/v1/sessions/{sessionId}",
            only("GET, HEAD, PATCH, DELETE", session),
        )
        .route(
            "/v1/sessions/{sessionId}/events",
            only("GET, HEAD, POST", get(events::events).post(append::append)),
        )
        .route(
            "/v1/sessions/{sessionId}/events:batch",
            only("POST", post(batch::append_to_session)),
        )
        .route(
            "/v1/events:batch",
            only("POST", post(batch::append_to_sessions)),
        )
        .route(
            "/v1/sessions/{sessionId}/events/{eventId}",
            only(READ, get(event::event)),
        )
        .route(
            "/v1/sessions/{sessionId}/stream",
            only(READ, get(stream::stream)),
        )
        .route(
            "/v1/sessions/{sessionId}/complete",
            only("POST", post(close::complete)),
        )
        .route(
            "/v1/sessions/{sessionId}/fail",
            only("POST", post(close::fail)),
        )
        .route("/openapi.json", only(READ, get(meta::openapi_json)))
        .route("/docs", only(READ, get(meta::page)))
        .route("/docs/{asset}", only(READ, get(meta::asset)))
        .fallback(|request| refuse(request, Problem::RouteNotFound))
        .with_state(Arc::new(api))
}

/// A route whose other methods are refused with this `Allow`.
fn only(allow: &'static str, methods: MethodRouter<Arc<Api>>) -> MethodRouter<Arc<Api>> {
    methods.fallback(move |request| refuse(request, Problem::MethodNotAllowed { allow }))
}

fn refuse(request: Request, problem: Problem) -> Ready<Problem> {
    let (parts, body) = request.into_parts();
    body::discard(&parts.headers, body);
    ready(problem)
}

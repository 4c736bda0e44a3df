//! `GET /v1/sessions/{sessionId}/stream`: what is stored, then what comes, as Server-Sent Events
//! (HTML Living Standard §9.2).
//!
//! Here is the endpoint; `feed` reads the log and feeds the reader, `frame` knows how events look.

mod feed;
mod frame;
mod metrics;

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use crate::domain::{PageQuery, SessionId};
use crate::http::openapi::{params, schemas};
use crate::http::parameters::{Parameters, after_seq};
use crate::http::problem::Problem;
use crate::http::{Api, answer};

pub use metrics::StreamMetrics;

/// A stream to open.
pub(super) struct StreamRequest {
    session_id: SessionId,
    /// What the reader has seen.
    after: u64,
}

const LAST_EVENT_ID: &str = "Last-Event-ID";

impl FromRequestParts<Arc<Api>> for StreamRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let mut given = Parameters::of(&parts.uri);
        let session_id = given.session_id(&api.limits);
        let [after] = given.query(["after"]);
        let after = given.optional(&after, after_seq);
        let last_event_id = last_event_id(&parts.headers)
            .inspect_err(|detail| given.wrong_header(LAST_EVENT_ID, detail))
            .unwrap_or_default();
        given.finish(|| {
            Some(Self {
                session_id: session_id?,
                after: last_event_id.or(after).unwrap_or(0),
            })
        })
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, String> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err("must not be repeated".to_owned());
    }
    after_seq(value.to_str().unwrap_or_default()).map(Some)
}

/// Stream a session's events
///
/// Server-Sent Events: what is stored after `after`, then what comes. `id` is the `seq`, `data`
/// the event as JSON; a comment every 15 seconds says that the stream is alive. The end of the
/// session is the event `end`, with `data` `{status, endedAt, reason?}` and the `id` after that of
/// the last event; then the stream closes, and connecting again is answered with 204, which stops
/// an `EventSource`. If the session is erased meanwhile, the stream ends with the status `erased`.
#[utoipa::path(
    get,
    path = "/v1/sessions/{sessionId}/stream",
    operation_id = "streamEvents",
    tag = "events",
    params(params::SessionPath, params::AfterParameter, params::LastEventIdHeader),
    responses(
        (status = 200, description = "The stream.", body = schemas::StreamMessage, content_type = "text/event-stream"),
        (status = 204, description = "The session is closed, and everything was seen: nothing will ever come."),
    ),
)]
pub(super) async fn stream(
    State(api): State<Arc<Api>>,
    request: StreamRequest,
) -> Result<Response, Problem> {
    // Followed before it is read: what is committed in between is news then.
    let follower = api.log.follow(&request.session_id);
    let query = PageQuery::following(request.after, &api.limits);
    let first = api.log.events(&request.session_id, &query).await?;
    if let Some(terminal) = &first.terminal
        && request.after >= terminal.seq.get()
    {
        return Ok(answer::no_content());
    }
    let body = feed::start(&api, request.session_id, request.after, follower, first);
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let event_stream = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, event_stream);
    let no_store = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, no_store);
    // nginx and those who took after it hold answers back otherwise.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

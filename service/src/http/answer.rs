//! Answers of more than one endpoint: JSON bodies, and the headers that go with one session.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::domain::{Event, Session, Version};
use crate::http::wire;

/// Tells that the answer is about what an earlier request stored.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// `{session}` with its `ETag`.
pub(super) fn one_session(status: StatusCode, session: &Session) -> Response {
    let mut body = String::with_capacity(wire::session_bytes(session));
    body.push_str("{\"session\":");
    wire::session(&mut body, session);
    body.push('}');
    with_etag(json(status, body), session.version)
}

/// `{event}`
pub(super) fn one_event(status: StatusCode, event: &Event) -> Response {
    let mut body = String::with_capacity(wire::event_bytes(event));
    body.push_str("{\"event\":");
    wire::event(&mut body, event);
    body.push('}');
    json(status, body)
}

/// The answer, with the entity tag of this version.
pub(super) fn with_etag(mut response: Response, version: Version) -> Response {
    insert(
        response.headers_mut(),
        header::ETAG,
        format!("\"{}\"", version.0),
    );
    response
}

/// The answer, telling where the new thing is.
pub(super) fn with_location(mut response: Response, location: String) -> Response {
    insert(response.headers_mut(), header::LOCATION, location);
    response
}

/// The answer, telling that the request was carried out before.
pub(super) fn as_replay(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Nothing to say.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    let value = HeaderValue::try_from(value);
    debug_assert!(value.is_ok(), "only digits and percent-encoded text");
    headers.extend(value.ok().map(|value| (name, value)));
}

//! `GET /v1/sessions/{sessionId}/events/{eventId}`

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::domain::{Consistency, EventId, SessionId};
use crate::http::openapi::{params, schemas};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::{Api, answer};

/// An event to read.
pub(super) struct EventRequest {
    session_id: SessionId,
    event_id: EventId,
    consistency: Consistency,
}

impl FromRequestParts<Arc<Api>> for EventRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let mut given = Parameters::of(&parts.uri);
        let session_id = given.session_id(&api.limits);
        let event_id = given.event_id(&api.limits);
        let [consistency] = given.query(["consistency"]);
        let consistency = given.consistency(&consistency);
        given.finish(|| {
            Some(Self {
                session_id: session_id?,
                event_id: event_id?,
                consistency,
            })
        })
    }
}

/// Get one event
#[utoipa::path(
    get,
    path = "/v1/sessions/{sessionId}/events/{eventId}",
    operation_id = "getEvent",
    tag = "events",
    params(params::EventPath, params::ConsistencyParameter),
    responses((status = 200, description = "The event.", body = schemas::EventAnswer)),
)]
pub(super) async fn event(
    State(api): State<Arc<Api>>,
    request: EventRequest,
) -> Result<Response, Problem> {
    let event = api
        .log
        .event(&request.session_id, &request.event_id, request.consistency)
        .await?
        .ok_or(Problem::EventNotFound)?;
    Ok(answer::one_event(StatusCode::OK, &event))
}

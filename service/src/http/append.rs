//! `POST /v1/sessions/{sessionId}/events`

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::NewEvent;
use crate::http::fields::Base;
use crate::http::media::Accepted;
use crate::http::new_event::{self, Context};
use crate::http::openapi::{Conflict, params, schemas, values};
use crate::http::problem::Problem;
use crate::http::request::{no_query, parameters};
use crate::http::{Api, answer, percent};

/// An event to append.
pub(super) struct AppendRequest(NewEvent);

impl FromRequest<Arc<Api>> for AppendRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let unread = parameters(request, |parts| {
            no_query(parts, |given| given.session_id(&api.limits))
        })?;
        let limit = api.limits.body_bytes;
        unread
            .queued_body(api, Accepted::Json, limit, |session_id, body| {
                let context = Context::of(api);
                new_event::of_session(body, Base::Root, &session_id, context).map(Self)
            })
            .await
    }
}

/// Append an event
///
/// Idempotent by `eventId`: the same event again is answered as it is stored, also when the
/// session is closed by then. The same `eventId` with another `type`, `payload` or `timestamp` is
/// refused.
#[utoipa::path(
    post,
    path = "/v1/sessions/{sessionId}/events",
    operation_id = "appendEvent",
    tag = "events",
    params(params::SessionPath),
    request_body = schemas::NewEvent,
    responses(
        (status = 201, description = "Appended.", body = schemas::EventAnswer, headers(
            ("Location" = String, description = "The path of the event."),
        )),
        (status = 200, description = "It was stored before, and is unchanged.", body = schemas::EventAnswer, headers(
            ("Idempotent-Replayed" = values::Replayed, description = "Always `true`."),
        )),
        (status = 409, response = Conflict),
    ),
)]
pub(super) async fn append(
    State(api): State<Arc<Api>>,
    AppendRequest(event): AppendRequest,
) -> Result<Response, Problem> {
    let appended = api.log.append(event).await?;
    if appended.replayed {
        let answer = answer::one_event(StatusCode::OK, &appended.event);
        return Ok(answer::as_replay(answer));
    }
    let mut location = "/v1/sessions/".to_owned();
    percent::push_segment(&mut location, appended.event.session_id.as_str());
    location.push_str("/events/");
    percent::push_segment(&mut location, appended.event.event_id.as_str());
    let answer = answer::one_event(StatusCode::CREATED, &appended.event);
    Ok(answer::with_location(answer, location))
}

//! `GET /v1/sessions/{sessionId}/events`

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::http::openapi::{params, schemas};
use crate::http::page::{PageParameters, PageRequest};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::{Api, answer};

/// A page of events to read.
pub(super) struct EventsRequest(PageRequest);

impl FromRequestParts<Arc<Api>> for EventsRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let mut given = Parameters::of(&parts.uri);
        let session_id = given.session_id(&api.limits);
        let [
            limit,
            cursor,
            offset,
            after_seq,
            order,
            kind,
            since,
            until,
            consistency,
        ] = given.query([
            "limit",
            "cursor",
            "offset",
            "afterSeq",
            "order",
            "type",
            "since",
            "until",
            "consistency",
        ]);
        let page = PageParameters {
            limit,
            cursor,
            offset,
            after_seq,
            order,
            kind,
            since,
            until,
            consistency,
        };
        let request = PageRequest::read(&mut given, session_id, &page, &api.limits);
        given.finish(|| request.map(Self))
    }
}

/// Read a page of events
///
/// A page may be shorter than `limit`: only a missing `nextCursor` is the end. What was stored
/// when the walk began comes exactly once. With `afterSeq` there is no `nextCursor`: go on from the
/// last `seq`; an empty page means that there is nothing newer.
#[utoipa::path(
    get,
    path = "/v1/sessions/{sessionId}/events",
    operation_id = "listEvents",
    tag = "events",
    params(params::SessionPath, params::PageParameters, params::EventFilterParameters),
    responses((status = 200, description = "A page of events.", body = schemas::EventPageAnswer)),
)]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    EventsRequest(request): EventsRequest,
) -> Result<Response, Problem> {
    let page = api.log.events(&request.session_id, &request.query).await?;
    let mut body = String::with_capacity(PageRequest::bytes(&page));
    body.push('{');
    request.write(&mut body, &page);
    body.push('}');
    Ok(answer::json(StatusCode::OK, body))
}

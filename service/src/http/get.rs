//! `GET /v1/sessions/{sessionId}`

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::http::openapi::{params, schemas, values};
use crate::http::page::{PageParameters, PageRequest};
use crate::http::parameters::{Parameter, Parameters};
use crate::http::problem::Problem;
use crate::http::{Api, answer, wire};

/// A session, and the page of its events that goes with it.
pub(super) struct GetRequest(PageRequest);

impl FromRequestParts<Arc<Api>> for GetRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let mut given = Parameters::of(&parts.uri);
        let session_id = given.session_id(&api.limits);
        let [limit, cursor, offset, order, consistency] =
            given.query(["limit", "cursor", "offset", "order", "consistency"]);
        let page = PageParameters {
            limit,
            cursor,
            offset,
            order,
            consistency,
            after_seq: Parameter::absent("afterSeq"),
            kind: Parameter::absent("type"),
            since: Parameter::absent("since"),
            until: Parameter::absent("until"),
        };
        let request = PageRequest::read(&mut given, session_id, &page, &api.limits);
        given.finish(|| request.map(Self))
    }
}

/// Get a session with a page of its events
///
/// Both are of one moment.
#[utoipa::path(
    get,
    path = "/v1/sessions/{sessionId}",
    operation_id = "getSession",
    tag = "sessions",
    params(params::SessionPath, params::PageParameters),
    responses((status = 200, description = "The session.", body = schemas::SessionPageAnswer, headers(
        ("ETag" = values::EntityTag, description = "The version, for `If-Match`."),
    ))),
)]
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    GetRequest(request): GetRequest,
) -> Result<Response, Problem> {
    let (session, page) = api
        .log
        .session_with_events(&request.session_id, &request.query)
        .await?;
    let mut body = String::with_capacity(wire::session_bytes(&session) + PageRequest::bytes(&page));
    body.push_str("{\"session\":");
    wire::session(&mut body, &session);
    body.push(',');
    request.write(&mut body, &page);
    body.push('}');
    let answer = answer::json(StatusCode::OK, body);
    Ok(answer::with_etag(answer, session.version))
}

//! `GET /v1/sessions`

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::domain::{Language, SessionFilter, SessionListQuery, SessionStatus, Timestamp};
use crate::http::cursor::Walk;
use crate::http::openapi::{params, schemas};
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::http::{Api, answer, page, wire};

/// A page of sessions to list.
pub(super) struct ListRequest(SessionListQuery);

impl FromRequestParts<Arc<Api>> for ListRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let limits = &api.limits;
        let mut given = Parameters::of(&parts.uri);
        let [
            status,
            language,
            started_after,
            started_before,
            limit,
            cursor,
            consistency,
        ] = given.query([
            "status",
            "language",
            "startedAfter",
            "startedBefore",
            "limit",
            "cursor",
            "consistency",
        ]);
        let filter = SessionFilter {
            status: given.optional(&status, str::parse::<SessionStatus>),
            language: given.optional(&language, |text| {
                Language::parse(text, limits.language_bytes)
            }),
            started_after: given.optional(&started_after, Timestamp::parse),
            started_before: given.optional(&started_before, Timestamp::parse),
        };
        let walk = Walk::sessions(&filter);
        let query = SessionListQuery {
            after: given.optional(&cursor, |cursor| walk.session(cursor)),
            limit: page::limit(&mut given, &limit, limits),
            consistency: given.consistency(&consistency),
            filter,
        };
        given.finish(|| Some(Self(query)))
    }
}

/// List sessions
///
/// Newest `startedAt` first, ties by creation, newest first. Erased sessions are not listed. A
/// page may be shorter than `limit`, even empty, and not be the last: only a missing `nextCursor`
/// is the end.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "listSessions",
    tag = "sessions",
    params(params::ListParameters),
    responses((status = 200, description = "A page of sessions.", body = schemas::SessionListAnswer)),
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    ListRequest(query): ListRequest,
) -> Result<Response, Problem> {
    let page = api.log.list(&query).await?;
    let bytes: usize = page.sessions.iter().map(wire::session_bytes).sum();
    let mut body = String::with_capacity(bytes + 200);
    body.push_str("{\"sessions\":");
    wire::list(&mut body, &page.sessions, wire::session);
    body.push_str(",\"pagination\":{\"limit\":");
    wire::plain(&mut body, query.limit);
    if let Some(position) = page.next {
        body.push_str(",\"nextCursor\":\"");
        body.push_str(&Walk::sessions(&query.filter).after_session(position));
        body.push('"');
    }
    body.push_str("}}");
    Ok(answer::json(StatusCode::OK, body))
}

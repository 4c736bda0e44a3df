//! `DELETE /v1/sessions/{sessionId}`

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;

use crate::domain::SessionId;
use crate::http::openapi::params;
use crate::http::problem::Problem;
use crate::http::request::no_query;
use crate::http::{Api, answer};

/// A session to erase.
pub(super) struct DeleteRequest(SessionId);

impl FromRequestParts<Arc<Api>> for DeleteRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        no_query(parts, |given| given.session_id(&api.limits)).map(Self)
    }
}

/// Erase a session
///
/// Session and events, everywhere and for ever. The id stays spent: every other call on it is
/// answered with 410 from then on. Idempotent.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{sessionId}",
    operation_id = "eraseSession",
    tag = "sessions",
    params(params::SessionPath),
    responses((status = 204, description = "Erased, now or before.")),
)]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    DeleteRequest(session_id): DeleteRequest,
) -> Result<Response, Problem> {
    api.log.erase(&session_id, api.now()).await?;
    Ok(answer::no_content())
}

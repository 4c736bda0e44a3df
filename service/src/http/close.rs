//! `POST /v1/sessions/{sessionId}/complete` and `…/fail`

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::{ClosingStatus, SessionId};
use crate::http::fields::{Base, Fields, text};
use crate::http::media::Accepted;
use crate::http::openapi::{Conflict, params, schemas, values};
use crate::http::problem::{Problem, Violations};
use crate::http::request::{no_query, parameters};
use crate::http::{Api, answer};
use crate::json::Value;

/// A session to close.
pub(super) struct CloseRequest {
    session_id: SessionId,
    reason: Option<Arc<str>>,
}

impl FromRequest<Arc<Api>> for CloseRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let unread = parameters(request, |parts| {
            no_query(parts, |given| given.session_id(&api.limits))
        })?;
        let limits = &api.limits;
        unread
            .optional_body(
                api,
                Accepted::Json,
                limits.body_bytes,
                |session_id, body| {
                    let reason = match body {
                        Some(body) => read(body, limits.reason_bytes)?,
                        None => None,
                    };
                    Ok(Self { session_id, reason })
                },
            )
            .await
    }
}

fn read(body: Value<'_>, reason_bytes: usize) -> Result<Option<Arc<str>>, Problem> {
    let mut violations = Violations::default();
    let mut fields = Fields::new(Base::Root, &mut violations);
    let Some([reason]) = fields.of(body, ["reason"]) else {
        return Err(Problem::Invalid(violations));
    };
    let reason = fields.optional(reason, |value| {
        let text = text(value)?;
        if text.len() > reason_bytes {
            return Err(format!("must be at most {reason_bytes} bytes of UTF-8"));
        }
        Ok(text.into())
    });
    violations.finish(|| Some(reason))
}

/// Complete a session
///
/// Closes its log: no event comes after. Idempotent: `endedAt` and `endReason` are those of the
/// first request. A body is optional.
#[utoipa::path(
    post,
    path = "/v1/sessions/{sessionId}/complete",
    operation_id = "completeSession",
    tag = "sessions",
    params(params::SessionPath),
    request_body = schemas::Closing,
    responses(
        (status = 200, description = "Completed, now or before.", body = schemas::SessionAnswer, headers(
            ("ETag" = values::EntityTag, description = "The version, for `If-Match`."),
        )),
        (status = 409, response = Conflict),
    ),
)]
pub(super) async fn complete(
    State(api): State<Arc<Api>>,
    request: CloseRequest,
) -> Result<Response, Problem> {
    close(&api, request, ClosingStatus::Completed).await
}

/// Fail a session
///
/// Like completing it, with the other outcome. A session has one outcome: the first.
#[utoipa::path(
    post,
    path = "/v1/sessions/{sessionId}/fail",
    operation_id = "failSession",
    tag = "sessions",
    params(params::SessionPath),
    request_body = schemas::Closing,
    responses(
        (status = 200, description = "Failed, now or before.", body = schemas::SessionAnswer, headers(
            ("ETag" = values::EntityTag, description = "The version, for `If-Match`."),
        )),
        (status = 409, response = Conflict),
    ),
)]
pub(super) async fn fail(
    State(api): State<Arc<Api>>,
    request: CloseRequest,
) -> Result<Response, Problem> {
    close(&api, request, ClosingStatus::Failed).await
}

async fn close(
    api: &Api,
    request: CloseRequest,
    status: ClosingStatus,
) -> Result<Response, Problem> {
    let CloseRequest { session_id, reason } = request;
    let session = api.log.close(session_id, status, reason, api.now()).await?;
    Ok(answer::one_session(StatusCode::OK, &session))
}

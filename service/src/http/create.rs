//! `POST /v1/sessions`

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::{Document, Language, NewSession, SessionId, Timestamp};
use crate::http::fields::{Base, Fields, string};
use crate::http::media::Accepted;
use crate::http::openapi::{schemas, values};
use crate::http::problem::{Problem, Violations};
use crate::http::request::{no_query, parameters};
use crate::http::{Api, answer, percent};
use crate::json::Value;

/// A session to create.
pub(super) struct CreateRequest(NewSession);

impl FromRequest<Arc<Api>> for CreateRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let unread = parameters(request, |parts| no_query(parts, |_| Some(())))?;
        let limit = api.limits.body_bytes;
        unread
            .queued_body(api, Accepted::Json, limit, |(), body| read(api, body))
            .await
    }
}

fn read(api: &Api, body: Value<'_>) -> Result<CreateRequest, Problem> {
    let limits = &api.limits;
    let mut violations = Violations::default();
    let mut fields = Fields::new(Base::Root, &mut violations);
    let names = ["sessionId", "language", "metadata", "startedAt"];
    let Some([session_id, language, metadata, started_at]) = fields.of(body, names) else {
        return Err(Problem::Invalid(violations));
    };
    let session_id = fields.required(
        session_id,
        string(|text| SessionId::parse(text, limits.id_bytes)),
    );
    let language = fields.required(
        language,
        string(|text| Language::parse(text, limits.language_bytes)),
    );
    let metadata = fields.optional_document(metadata, limits.metadata_bytes, limits.nesting);
    let started_at = fields.optional(started_at, string(Timestamp::parse));
    violations.finish(|| {
        let now = api.now();
        Some(CreateRequest(NewSession {
            session_id: session_id?,
            creation_id: api.creation_id(now),
            language: language?,
            metadata: metadata.unwrap_or_else(Document::empty),
            started_at: started_at.unwrap_or(now),
            created_at: now,
        }))
    })
}

/// Create a session
///
/// Idempotent: the first write of an id wins. A repeated request, whatever its content, is
/// answered with the session as it is stored and the header `Idempotent-Replayed`.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    operation_id = "createSession",
    tag = "sessions",
    request_body = schemas::NewSession,
    responses(
        (status = 201, description = "Created.", body = schemas::SessionAnswer, headers(
            ("ETag" = values::EntityTag, description = "The version, for `If-Match`."),
            ("Location" = String, description = "The path of the session."),
        )),
        (status = 200, description = "It existed before, and is unchanged.", body = schemas::SessionAnswer, headers(
            ("ETag" = values::EntityTag, description = "The version, for `If-Match`."),
            ("Idempotent-Replayed" = values::Replayed, description = "Always `true`."),
        )),
    ),
)]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    CreateRequest(session): CreateRequest,
) -> Result<Response, Problem> {
    let created = api.log.create(session).await?;
    if created.replayed {
        let answer = answer::one_session(StatusCode::OK, &created.session);
        return Ok(answer::as_replay(answer));
    }
    let mut location = "/v1/sessions/".to_owned();
    percent::push_segment(&mut location, created.session.session_id.as_str());
    let answer = answer::one_session(StatusCode::CREATED, &created.session);
    Ok(answer::with_location(answer, location))
}

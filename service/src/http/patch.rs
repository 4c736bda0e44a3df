//! `PATCH /v1/sessions/{sessionId}`

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::domain::{Language, Limits, MetadataPatch, SessionId, SessionPatch};
use crate::http::fields::{Base, Fields, string};
use crate::http::if_match::IfMatch;
use crate::http::media::Accepted;
use crate::http::openapi::{PreconditionFailed, params, schemas, values};
use crate::http::parameters::Parameters;
use crate::http::problem::{Problem, Violations};
use crate::http::request::parameters;
use crate::http::{Api, answer};
use crate::json::Value;

/// A session to change.
pub(super) struct PatchRequest {
    target: Target,
    patch: SessionPatch,
}

/// Which session, at which version.
struct Target {
    session_id: SessionId,
    if_match: IfMatch,
}

impl FromRequest<Arc<Api>> for PatchRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let unread = parameters(request, |parts| Target::read(parts, &api.limits))?;
        let limit = api.limits.body_bytes;
        unread
            .body(api, Accepted::MergePatch, limit, |target, body| {
                let patch = read(body, &api.limits)?;
                Ok(Self { target, patch })
            })
            .await
    }
}

impl Target {
    fn read(parts: &Parts, limits: &Limits) -> Result<Self, Problem> {
        let mut given = Parameters::of(&parts.uri);
        let session_id = given.session_id(limits);
        let [] = given.query([]);
        let if_match = IfMatch::read(&parts.headers)
            .inspect_err(|error| given.wrong_header("If-Match", error))
            .ok();
        given.finish(|| {
            Some(Self {
                session_id: session_id?,
                if_match: if_match?,
            })
        })
    }
}

fn read(body: Value<'_>, limits: &Limits) -> Result<SessionPatch, Problem> {
    let mut violations = Violations::default();
    let mut fields = Fields::new(Base::Root, &mut violations);
    let Some([metadata, language]) = fields.of(body, ["metadata", "language"]) else {
        return Err(Problem::Invalid(violations));
    };
    let metadata = if metadata.is_null() {
        Some(MetadataPatch::Clear)
    } else {
        // A patch that removes much may be larger than what it leaves; that is measured later.
        fields
            .optional_document(metadata, limits.body_bytes, limits.nesting)
            .map(MetadataPatch::Merge)
    };
    let language = fields.given(
        language,
        string(|text| Language::parse(text, limits.language_bytes)),
    );
    violations.finish(|| Some(SessionPatch { language, metadata }))
}

/// Change a session's metadata or language
///
/// A JSON merge patch (RFC 7396): in `metadata` a null removes its key, `metadata: null` empties
/// all of it. Allowed after closing too. A patch that changes nothing makes no new version.
#[utoipa::path(
    patch,
    path = "/v1/sessions/{sessionId}",
    operation_id = "patchSession",
    tag = "sessions",
    params(params::SessionPath, params::IfMatchHeader),
    request_body(content(
        (schemas::SessionPatch = "application/merge-patch+json"),
        (schemas::SessionPatch = "application/json"),
    )),
    responses(
        (status = 200, description = "The session as it is now.", body = schemas::SessionAnswer, headers(
            ("ETag" = values::EntityTag, description = "The version, for `If-Match`."),
        )),
        (status = 412, response = PreconditionFailed),
    ),
)]
pub(super) async fn patch(
    State(api): State<Arc<Api>>,
    PatchRequest { target, patch }: PatchRequest,
) -> Result<Response, Problem> {
    let session = api
        .log
        .patch(
            &target.session_id,
            &patch,
            |version| target.if_match.accepts(version),
            api.limits.metadata_bytes,
            api.now(),
        )
        .await?;
    Ok(answer::one_session(StatusCode::OK, &session))
}

//! The API as OpenAPI 3.1: made from the documentation of the endpoints and of the types in
//! `schemas` and `params`, which exist for it alone. `problems` adds the errors.
//!
//! `docs/openapi.json` is this document, checked in, so that a change of the contract is seen.

pub mod params;
pub(in crate::http) mod patterns;
mod problems;
pub mod schemas;
pub mod values;

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::http::{
    append, batch, close, create, delete, event, events, get, list, meta, patch, stream,
};

use problems::CommonParts;
pub use problems::{Conflict, PreconditionFailed};

/// Collects the operations.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "SessionStore",
        description = "The record of every conversation: sessions, and the events inside them.\n\n\
            Every write is idempotent and safe to retry. Times are answered in UTC with \
            milliseconds. Unknown fields and parameters are refused. Errors are \
            `application/problem+json` (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "/", description = "This server.")),
    paths(
        create::create,
        list::list,
        get::get,
        patch::patch,
        delete::delete,
        close::complete,
        close::fail,
        append::append,
        batch::append_to_session,
        batch::append_to_sessions,
        events::events,
        event::event,
        stream::stream,
        meta::openapi_json,
        meta::page,
    ),
    components(schemas(
        schemas::Problem,
        schemas::NewEvent,
        schemas::NewSessionEvent,
        values::EntityTag,
        values::EntityTags,
        values::Replayed,
    )),
    tags(
        (name = "sessions", description = "Sessions: created, changed, closed, erased."),
        (name = "events", description = "The events of a session: appended, read, streamed."),
        (name = "documentation", description = "This document."),
    ),
    modifiers(&CommonParts),
)]
struct Document;

/// The document.
pub fn openapi() -> OpenApi {
    Document::openapi()
}

/// The document as it is served and checked in.
pub fn openapi_json() -> String {
    let text = openapi().to_pretty_json();
    debug_assert!(text.is_ok(), "a document is made of texts and numbers");
    text.unwrap_or_default() + "\n"
}

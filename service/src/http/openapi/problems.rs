//! The errors in the document: one shared response a status, added to every operation that can
//! answer it.

use axum::http::StatusCode;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{Modify, ToResponse};

use crate::http::problem::{DOCUMENTATION, Kind, Retry};

/// The response to a conflict.
pub struct Conflict;

/// The response to a failed precondition.
pub struct PreconditionFailed;

impl<'r> ToResponse<'r> for Conflict {
    fn response() -> (&'r str, RefOr<Response>) {
        ("Conflict", response(StatusCode::CONFLICT).into())
    }
}

impl<'r> ToResponse<'r> for PreconditionFailed {
    fn response() -> (&'r str, RefOr<Response>) {
        let status = StatusCode::PRECONDITION_FAILED;
        ("PreconditionFailed", response(status).into())
    }
}

/// Adds to each operation the errors that follow from what it takes, and to every response the
/// header that all of them have.
pub(super) struct CommonParts;

impl Modify for CommonParts {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.patch];
            for operation in operations.into_iter().flatten() {
                let erased = path.contains("{sessionId}") || is_create(operation);
                add_problems(path, operation, erased);
            }
            if let Some(operation) = &mut item.delete {
                // To erase again is no error.
                add_problems(path, operation, false);
            }
        }
        let components = document.components.get_or_insert_default();
        for kind in Kind::ALL {
            let status = kind.status();
            let response = response(status).into();
            components.responses.insert(name(status), response);
        }
        let request_id = HeaderBuilder::new()
            .schema(Some(Object::with_type(Type::String)))
            .description(Some(
                "The id of the request: the one that it brought, or a new one.",
            ))
            .build();
        components
            .headers
            .insert(REQUEST_ID.to_owned(), request_id.into());
    }
}

const REQUEST_ID: &str = "X-Request-Id";

fn is_create(operation: &Operation) -> bool {
    operation.operation_id.as_deref() == Some("createSession")
}

fn add_problems(path: &str, operation: &mut Operation, may_be_erased: bool) {
    let mut statuses = vec![StatusCode::BAD_REQUEST];
    if path.starts_with("/v1/") {
        statuses.push(StatusCode::SERVICE_UNAVAILABLE);
    }
    if path.contains("{sessionId}") {
        statuses.push(StatusCode::NOT_FOUND);
    }
    if may_be_erased {
        statuses.push(StatusCode::GONE);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        if path.ends_with("/complete") || path.ends_with("/fail") {
            body.required = Some(Required::False);
        }
        statuses.extend([
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ]);
    }
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            add_request_id(response);
        }
    }
    for status in statuses {
        let reference = Ref::from_response_name(name(status));
        responses.insert(status.as_u16().to_string(), reference.into());
    }
}

fn add_request_id(response: &mut Response) {
    let header = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
    response
        .headers
        .insert(REQUEST_ID.to_owned(), RefOr::Ref(header));
}

/// `NotFound`
fn name(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    reason.split(' ').collect()
}

/// The response of this status: its description lists the kinds of error it can be.
fn response(status: StatusCode) -> Response {
    let kinds = Kind::ALL.iter().filter(|kind| kind.status() == status);
    let lines: Vec<_> = kinds
        .clone()
        .map(|kind| {
            let (slug, title) = (kind.slug(), kind.title());
            format!("- [{slug}]({DOCUMENTATION}#{slug}): {title}.")
        })
        .collect();
    let problem = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    let mut response = ResponseBuilder::new()
        .description(lines.join("\n"))
        .content("application/problem+json", problem);
    if kinds
        .clone()
        .any(|kind| matches!(kind.retry(), Retry::HelpsAfter(_)))
    {
        let seconds = HeaderBuilder::new()
            .schema(Some(Object::with_type(Type::Integer)))
            .description(Some(
                "Seconds to wait before the same request is sent again.",
            ))
            .build();
        response = response.header("Retry-After", seconds);
    }
    let mut response = response.build();
    add_request_id(&mut response);
    response
}

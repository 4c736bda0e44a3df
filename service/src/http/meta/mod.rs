//! `GET /openapi.json`, and `GET /docs`: a page to read it and try it, all of it in the binary.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;

use crate::http::Api;
use crate::http::openapi;
use crate::http::problem::Problem;
use crate::http::request::no_query;

/// A request without parameters.
pub(super) struct Plain;

impl FromRequestParts<Arc<Api>> for Plain {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        no_query(parts, |_| Some(Self))
    }
}

/// One of the files behind the page.
pub(super) struct AssetRequest(File);

impl FromRequestParts<Arc<Api>> for AssetRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        let name = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let file = File::named(name).ok_or(Problem::RouteNotFound)?;
        no_query(parts, |_| Some(Self(file)))
    }
}

/// A file as it is served.
struct File {
    content_type: &'static str,
    bytes: Bytes,
}

impl File {
    /// The page's own script, or a file of Swagger UI.
    fn named(name: &str) -> Option<Self> {
        let content_type = match name {
            "start.js" => {
                return Some(Self {
                    content_type: "text/javascript; charset=utf-8",
                    bytes: Bytes::from_static(include_bytes!("start.js")),
                });
            }
            "swagger-ui-bundle.js" => "text/javascript; charset=utf-8",
            "swagger-ui.css" => "text/css; charset=utf-8",
            _ => return None,
        };
        let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
        let file = utoipa_swagger_ui::serve(name, config).ok().flatten()?;
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Some(Self {
            content_type,
            bytes,
        })
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.bytes));
        let content_type = HeaderValue::from_static(self.content_type);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
        response
    }
}

/// The document, written once.
static OPENAPI: LazyLock<Bytes> = LazyLock::new(|| openapi::openapi_json().into());

/// This document
///
/// The API as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenApi",
    tag = "documentation",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object, content_type = "application/json")),
)]
pub(super) async fn openapi_json(_: Plain) -> Response {
    let file = File {
        content_type: "application/json",
        bytes: OPENAPI.clone(),
    };
    file.into_response()
}

/// A page to read and try the API
///
/// Everything it needs is served from here.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getDocs",
    tag = "documentation",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(super) async fn page(_: Plain) -> Response {
    let file = File {
        content_type: "text/html; charset=utf-8",
        bytes: Bytes::from_static(include_bytes!("page.html")),
    };
    let mut response = file.into_response();
    protect(response.headers_mut());
    response
}

pub(super) async fn asset(AssetRequest(file): AssetRequest) -> Response {
    file.into_response()
}

/// Nothing from anywhere else, and no script in the page. Swagger UI sets styles in the page, and
/// its style sheet has images in itself.
fn protect(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
        img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
        frame-ancestors 'none'";
    let policy = HeaderValue::from_static(policy);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let no_referrer = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, no_referrer);
}

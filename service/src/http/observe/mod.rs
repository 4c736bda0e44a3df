//! What every request has, whatever its route: an id, a place in the metrics, a line of the log if
//! it fails, a span if spans are exported, and an answer even if a handler panics.
//!
//! The outermost layer of the API. It sees the route only as its template, knows no resource, and
//! renders the problems that handlers return, since it alone knows the request's id.

mod line;
mod metrics;
mod overload;
mod request_id;
mod span;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use opentelemetry_sdk::trace::SdkTracer;

use crate::http::RequestId;
use crate::http::problem::Problem;

pub use metrics::HttpMetrics;

use line::Line;
use overload::Overload;
use span::{RequestSpan, TraceParent};

/// Who observes. Cheap to clone.
#[derive(Clone)]
pub struct Observer(Arc<Tools>);

struct Tools {
    metrics: HttpMetrics,
    tracer: Option<SdkTracer>,
    overload: Overload,
}

impl Observer {
    /// An observer that makes spans only if it has a tracer.
    pub fn new(metrics: HttpMetrics, tracer: Option<SdkTracer>) -> Self {
        Self(Arc::new(Tools {
            metrics,
            tracer,
            overload: Overload::default(),
        }))
    }

    /// `router`, with everything that it answers observed.
    pub fn observe(self, router: Router) -> Router {
        // A layer of the router, not around it: only there the matched route is known.
        router.layer(middleware::from_fn_with_state(self, observe))
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let Tools {
        metrics,
        tracer,
        overload,
    } = &*observer.0;
    let _active = metrics.enter();
    let request_id = RequestId::of(request.headers());
    let trace_parent = TraceParent::of(request.headers());
    let method = method_label(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    let uri = request.uri().clone();
    let span = tracer
        .as_ref()
        .map(|tracer| RequestSpan::start(tracer, &trace_parent, method, route, &request));

    request.extensions_mut().insert(request_id.clone());
    let mut response = answer(next, request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        response = rendered(problem, response.headers(), &request_id);
    }
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, request_id.header());

    let status = response.status();
    let took = started.elapsed();
    metrics.answered(method, route, status, took);
    let line = Line {
        method,
        uri: &uri,
        status,
        took,
        problem: problem.as_ref(),
        request_id: &request_id,
    };
    if problem == Some(Problem::Overloaded) {
        if let Some(refused) = overload.refused(started) {
            tracing::warn!(
                target: "sessionstore::request",
                refused,
                "overloaded: requests are refused, see the queue's depth"
            );
        }
    } else if line.is_wanted() {
        let trace_id = match &span {
            Some(span) => Some(span.trace_id()),
            None => trace_parent.trace_id(),
        };
        line.write(trace_id);
    }
    if let Some(span) = span {
        span.end(status);
    }
    response
}

/// The handler's answer. No request should make one panic; if one does, the process lives on, and
/// the hook of panics has logged where it was.
async fn answer(next: Next, request: Request) -> Response {
    // What a handler shares with others is in locks that a panic poisons, or is its own.
    let running = AssertUnwindSafe(next.run(request)).catch_unwind();
    running
        .await
        .unwrap_or_else(|_panic| Problem::Internal.into_response())
}

/// `problem` as the client reads it, with the headers that were set on its way here.
fn rendered(problem: &Problem, set: &HeaderMap, request_id: &RequestId) -> Response {
    let mut response = problem.clone().render(&request_id.0);
    let headers = response.headers_mut();
    for (name, value) in set {
        if ![CONTENT_TYPE, CONTENT_LENGTH].contains(name) && !headers.contains_key(name) {
            headers.insert(name, value.clone());
        }
    }
    response
}

/// The method as a label: a client may invent any, and labels must stay few.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests;

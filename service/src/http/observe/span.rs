//! The span of a request, and the trace that it continues.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};

/// The W3C trace context that a request brings along, not looked into yet: most requests need it
/// for nothing.
pub(super) struct TraceParent {
    parent: Option<HeaderValue>,
    state: Option<HeaderValue>,
}

impl TraceParent {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            parent: headers.get("traceparent").cloned(),
            state: headers.get("tracestate").cloned(),
        }
    }

    /// The trace, if it is a valid one.
    pub(super) fn trace_id(&self) -> Option<TraceId> {
        self.parent.as_ref()?;
        let context = self.context();
        let span = context.span();
        let trace_id = span.span_context().trace_id();
        (trace_id != TraceId::INVALID).then_some(trace_id)
    }

    fn context(&self) -> Context {
        TraceContextPropagator::new().extract_with_context(&Context::new(), self)
    }
}

impl Extractor for TraceParent {
    fn get(&self, name: &str) -> Option<&str> {
        let value = match name {
            "traceparent" => &self.parent,
            "tracestate" => &self.state,
            _ => return None,
        };
        value.as_ref()?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// The span of one request. It ends with the answer, or when the client hangs up.
pub(super) struct RequestSpan(SdkSpan);

impl RequestSpan {
    /// Names and attributes are those of the OpenTelemetry conventions for HTTP servers.
    pub(super) fn start(
        tracer: &SdkTracer,
        parent: &TraceParent,
        method: &'static str,
        route: Option<&str>,
        request: &Request,
    ) -> Self {
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        let name = match route {
            Some(route) => format!("{verb} {route}"),
            None => verb.to_owned(),
        };
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.path", request.uri().path().to_owned()),
            KeyValue::new("url.scheme", "http"),
        ];
        if let Some(route) = route {
            attributes.push(KeyValue::new("http.route", route.to_owned()));
        }
        let agent = request.headers().get(header::USER_AGENT);
        if let Some(agent) = agent.and_then(|agent| agent.to_str().ok()) {
            attributes.push(KeyValue::new("user_agent.original", agent.to_owned()));
        }
        let builder = tracer
            .span_builder(name)
            .with_kind(SpanKind::Server)
            .with_attributes(attributes);
        Self(tracer.build_with_context(builder, &parent.context()))
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.0.span_context().trace_id()
    }

    pub(super) fn end(mut self, status: StatusCode) {
        let code = i64::from(status.as_u16());
        self.0
            .set_attribute(KeyValue::new("http.response.status_code", code));
        // A refusal is no error of the server.
        if status.is_server_error() {
            let kind = KeyValue::new("error.type", status.as_str().to_owned());
            self.0.set_attribute(kind);
            self.0.set_status(Status::error(""));
        }
        self.0.end();
    }
}

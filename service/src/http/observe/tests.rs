use std::cell::RefCell;
use std::io;
use std::sync::Once;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::routing::get;
use opentelemetry::trace::{SpanId, SpanKind, Status, TraceId, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use prometheus::{Registry, TextEncoder};
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt;
use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::store::StoreError;
use crate::telemetry;

use super::*;

thread_local! {
    /// What was logged on this thread, which is what one test logs.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to [`LOGGED`].
struct OfThisThread;

impl io::Write for OfThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What an observer tells from now on, on this thread.
struct Lines {
    filter: Level,
}

impl Lines {
    /// One subscriber serves all tests: those that come and go with a thread race each other for
    /// which levels are worth a call at all, and lines get lost.
    fn follow(filter: Level) -> Self {
        static GLOBAL: Once = Once::new();
        GLOBAL.call_once(|| {
            let all = EnvFilter::new("debug");
            let subscriber = telemetry::subscriber(all, LogFormat::Json, false, || OfThisThread);
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        LOGGED.with_borrow_mut(Vec::clear);
        Self { filter }
    }

    fn all(&self) -> Vec<Value> {
        let text = LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).unwrap());
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let passes = |line: &Value| {
            let level: Level = line["level"].as_str().unwrap().parse().unwrap();
            level <= self.filter
        };
        lines.filter(passes).collect()
    }
}

struct World {
    router: Router,
    registry: Registry,
}

impl World {
    fn new(router: Router, tracer: Option<SdkTracer>) -> Self {
        let registry = Registry::new();
        let metrics = HttpMetrics::register(&registry).unwrap();
        let router = Observer::new(metrics, tracer).observe(router);
        Self { router, registry }
    }

    async fn call(&self, request: Request) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The samples that contain this.
    fn metrics(&self, part: &str) -> Vec<String> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        let text = text.unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let wanted = samples.filter(|line| line.contains(part));
        wanted.map(str::to_owned).collect()
    }
}

fn routes() -> Router {
    Router::new()
        .route("/good/{id}", get(async || "good"))
        .route(
            "/bad/{id}",
            get(async || Problem::SessionNotFound)
                .fallback(async || Problem::MethodNotAllowed { allow: "GET, HEAD" }),
        )
        .route(
            "/away",
            get(async || Problem::Unavailable(StoreError::Damaged("block 7".to_owned()))),
        )
        .route("/full", get(async || Problem::Overloaded))
        .route("/panic", get(panics))
        .fallback(async || Problem::RouteNotFound)
}

async fn panics() -> &'static str {
    panic!("a defect")
}

fn request(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

fn with_header(path: &str, name: &'static str, value: &'static str) -> Request {
    let mut request = request(path);
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(name, value);
    request
}

async fn json(response: Response) -> Value {
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let world = World::new(routes(), None);
    for path in ["/good/1", "/bad/1", "/nowhere"] {
        let response = world.call(with_header(path, "x-request-id", "mine")).await;
        assert_eq!(response.headers()["x-request-id"], "mine");
        let made = world.call(request(path)).await;
        assert_eq!(made.headers()["x-request-id"].len(), 32);
    }
}

#[tokio::test]
async fn a_problem_is_rendered_with_the_id_of_its_request() {
    let world = World::new(routes(), None);
    let response = world
        .call(with_header("/bad/1", "x-request-id", "mine"))
        .await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    let problem = json(response).await;
    assert_eq!(problem["instance"], "mine");
    assert_eq!(problem["status"], 404);
}

#[tokio::test]
async fn the_headers_of_a_problem_stay() {
    let world = World::new(routes(), None);
    let mut post = request("/bad/1");
    *post.method_mut() = Method::POST;
    let response = world.call(post).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    let response = world.call(request("/away")).await;
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_and_hurts_nobody() {
    let world = World::new(routes(), None);
    let response = world.call(request("/panic")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!json(response).await.to_string().contains("a defect"));
    assert_eq!(
        world.call(request("/good/1")).await.status(),
        StatusCode::OK
    );
    assert_eq!(world.metrics("active"), ["http_server_active_requests 0"]);
}

#[tokio::test]
async fn requests_are_counted_by_method_template_and_status() {
    let world = World::new(routes(), None);
    for id in 0..3 {
        world.call(request(&format!("/good/{id}"))).await;
    }
    world.call(request("/bad/1")).await;
    world.call(request("/secret-path")).await;
    let mut invented = request("/good/1");
    *invented.method_mut() = Method::from_bytes(b"INVENTED").unwrap();
    world.call(invented).await;

    let counts = world.metrics("seconds_count");
    let expected = [
        r#"{http_request_method="GET",http_response_status_code="200",http_route="/good/{id}"} 3"#,
        r#"{http_request_method="GET",http_response_status_code="404",http_route="/bad/{id}"} 1"#,
        r#"{http_request_method="GET",http_response_status_code="404",http_route="none"} 1"#,
        r#"{http_request_method="_OTHER",http_response_status_code="405",http_route="/good/{id}"} 1"#,
    ];
    assert_eq!(counts.len(), expected.len(), "{counts:?}");
    for labels in expected {
        let name = "http_server_request_duration_seconds_count";
        assert!(
            counts.contains(&format!("{name}{labels}")),
            "{labels}: {counts:?}"
        );
    }
    assert!(world.metrics("secret-path").is_empty());
}

#[tokio::test]
async fn a_client_that_hangs_up_is_not_active_any_more() {
    let arrived = Arc::new(Notify::new());
    let handler = {
        let arrived = Arc::clone(&arrived);
        async move || {
            arrived.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let world = World::new(Router::new().route("/slow", get(handler)), None);
    let call = tokio::spawn(world.router.clone().oneshot(request("/slow")));
    arrived.notified().await;
    assert_eq!(world.metrics("active"), ["http_server_active_requests 1"]);

    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());

    assert_eq!(world.metrics("active"), ["http_server_active_requests 0"]);
}

#[tokio::test]
async fn a_failed_request_is_one_line_and_a_good_one_none() {
    let lines = Lines::follow(Level::INFO);
    let world = World::new(routes(), None);
    world.call(request("/good/1")).await;
    let mut failing = with_header("/bad/a%0Ab?secret=1", "x-request-id", "mine");
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let parent = HeaderValue::from_static(parent);
    failing.headers_mut().insert("traceparent", parent);
    world.call(failing).await;

    let lines = lines.all();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["level"], "INFO");
    let fields = &lines[0]["fields"];
    for (name, value) in [
        ("message", "request failed"),
        ("method", "GET"),
        ("path", "/bad/a%0Ab"),
        ("problem", "session-not-found"),
        ("detail", "no session of this id was ever created"),
        ("request_id", "mine"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert_eq!(fields["status"], 404);
    assert!(fields["duration_ms"].is_number());
}

#[tokio::test]
async fn what_the_server_could_not_do_is_a_warning_with_its_cause() {
    let lines = Lines::follow(Level::INFO);
    let world = World::new(routes(), None);
    let answer = world.call(request("/away")).await;
    assert!(!json(answer).await.to_string().contains("block 7"));
    world.call(request("/panic")).await;

    let lines = lines.all();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["level"], "WARN");
    let detail = lines[0]["fields"]["detail"].as_str().unwrap();
    assert!(detail.contains("block 7"), "{detail}");
    assert_eq!(lines[0]["fields"].get("trace_id"), None);
    assert_eq!(lines[1]["level"], "ERROR");
}

#[tokio::test]
async fn refusals_under_overload_are_one_line_together_but_each_is_counted() {
    let lines = Lines::follow(Level::INFO);
    let world = World::new(routes(), None);
    for _ in 0..5 {
        let answer = world.call(request("/full")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    let lines = lines.all();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(lines[0]["fields"]["refused"], 1);
    let counted = world.metrics("duration_seconds_count");
    assert!(
        counted
            .iter()
            .any(|it| it.contains("503") && it.ends_with(" 5")),
        "{counted:?}"
    );
}

#[tokio::test]
async fn a_good_request_is_a_line_at_debug() {
    let lines = Lines::follow(Level::DEBUG);
    World::new(routes(), None).call(request("/good/1")).await;
    assert_eq!(lines.all()[0]["fields"]["message"], "request");
}

fn tracing_world() -> (World, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    (
        World::new(routes(), Some(provider.tracer("test"))),
        exporter,
    )
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|it| it.key.as_str() == name)?;
    Some(attribute.value.to_string())
}

#[tokio::test]
async fn a_request_is_a_span_of_the_trace_it_belongs_to() {
    let (world, exporter) = tracing_world();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    world
        .call(with_header("/good/7", "traceparent", parent))
        .await;

    let spans = exporter.get_finished_spans().unwrap();
    let span = &spans[0];
    let trace_id = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    assert_eq!(span.span_context.trace_id(), trace_id);
    assert_eq!(
        span.parent_span_id,
        SpanId::from_hex("00f067aa0ba902b7").unwrap()
    );
    assert_eq!(span.name, "GET /good/{id}");
    assert_eq!(span.span_kind, SpanKind::Server);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/good/{id}"),
        ("url.path", "/good/7"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(span, name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn only_a_failure_of_the_server_is_an_error_of_its_span() {
    let (world, exporter) = tracing_world();
    world.call(request("/bad/1")).await;
    world.call(request("/away")).await;

    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans[0].status, Status::Unset);
    assert_eq!(attribute(&spans[0], "error.type"), None);
    assert_eq!(spans[1].status, Status::error(""));
    assert_eq!(attribute(&spans[1], "error.type").as_deref(), Some("503"));
}

#[tokio::test]
async fn the_line_of_a_request_names_the_trace_that_is_exported() {
    let lines = Lines::follow(Level::INFO);
    let (world, exporter) = tracing_world();
    world
        .call(with_header("/bad/1", "traceparent", "nonsense"))
        .await;

    let trace_id = exporter.get_finished_spans().unwrap()[0]
        .span_context
        .trace_id();
    assert_eq!(lines.all()[0]["fields"]["trace_id"], trace_id.to_string());
}

#[tokio::test]
async fn the_time_of_a_request_is_measured_in_seconds() {
    let registry = Registry::new();
    let metrics = HttpMetrics::register(&registry).unwrap();
    metrics.answered("GET", Some("/x"), StatusCode::OK, Duration::from_millis(20));
    let text = TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    assert!(text.contains(r#"http_route="/x",le="0.01"} 0"#), "{text}");
    assert!(text.contains(r#"http_route="/x",le="0.025"} 1"#), "{text}");
}

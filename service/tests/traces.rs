//! Traces, exported by the real process to a real collector.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use rustix::process::{Pid, Signal, kill_process};
use sessionstore::config::ListenAddr;
use sessionstore::server::{ConnectionLimits, Listener, Server};
use tempfile::TempDir;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector of traces that keeps what it is sent.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
}

type Received = Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>;

async fn receive(State(received): State<Received>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("it is OTLP");
    received.lock().unwrap().push((headers, request));
}

impl Collector {
    async fn start() -> Self {
        let received = Received::default();
        let router = Router::new().route("/v1/traces", post(receive));
        let any = ListenAddr::parse("127.0.0.1:0").unwrap();
        let listener = Listener::bind("http-addr", &any).await.unwrap();
        let url = format!("http://{}", listener.addr());
        let limits = ConnectionLimits {
            connections: 100,
            first_head: Duration::from_secs(60),
            next_head: Duration::from_secs(60),
        };
        // It serves until the test's runtime ends.
        Server::start(listener, router.with_state(Arc::clone(&received)), limits);
        Self { url, received }
    }

    fn resources(&self) -> Vec<ResourceSpans> {
        let received = self.received.lock().unwrap();
        let requests = received.iter().map(|(_, request)| request.clone());
        requests
            .flat_map(|request| request.resource_spans)
            .collect()
    }

    fn spans(&self) -> Vec<Span> {
        let scopes = self.resources().into_iter().flat_map(|it| it.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn resource_attribute(resource: &ResourceSpans, name: &str) -> Option<String> {
    let attributes = &resource.resource.as_ref()?.attributes;
    let attribute = attributes.iter().find(|it| it.key == name)?;
    match attribute.value.clone()?.value? {
        any_value::Value::StringValue(text) => Some(text),
        other => panic!("{other:?}"),
    }
}

/// The real process.
struct Process {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Process {
    /// Starts it with these variables, and waits until it serves.
    fn start<V: AsRef<OsStr>>(variables: &[(&str, V)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sessionstore"));
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("SESSIONSTORE_") || name.starts_with("OTEL_") {
                command.env_remove(&*name);
            }
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        let mut child = command
            .args(["--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
            .arg("--store-url")
            .arg(format!("embedded:{}", folder.path().display()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let addr = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).ok()?;
            Some(line["fields"]["http_addr"].as_str()?.to_owned())
        });
        // Somebody has to read on, or the process would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            url: format!("http://{}", addr.expect("it serves")),
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}{path}", self.url));
        request.header("traceparent", PARENT).send().await.unwrap();
    }

    /// Tells it to stop, and waits until it has.
    fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_each_request_is_exported_before_the_process_ends() {
    let collector = Collector::start().await;
    let process = Process::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=seven"),
    ]);
    process.get("/v1/sessions/nobody").await;

    assert!(process.stop().success());

    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(hex(&spans[0].trace_id), TRACE_ID);
    assert_eq!(hex(&spans[0].parent_span_id), "00f067aa0ba902b7");
    assert_eq!(spans[0].name, "GET /v1/sessions/{sessionId}");
    let resource = &collector.resources()[0];
    let name = resource_attribute(resource, "service.name");
    assert_eq!(name.as_deref(), Some("sessionstore"));
    let (headers, _) = &collector.received.lock().unwrap()[0];
    assert_eq!(headers["x-tenant"], "seven");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_variables_name_and_sample() {
    let collector = Collector::start().await;
    let traces = format!("{}/v1/traces", collector.url);
    let process = Process::start(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &*traces),
        ("OTEL_SERVICE_NAME", "conversations"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test",
        ),
    ]);
    process.get("/v1/sessions").await;
    assert!(process.stop().success());
    let resource = &collector.resources()[0];
    let attribute = |name| resource_attribute(resource, name);
    assert_eq!(attribute("service.name").as_deref(), Some("conversations"));
    assert_eq!(
        attribute("deployment.environment.name").as_deref(),
        Some("test")
    );

    let silent = Collector::start().await;
    let process = Process::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*silent.url),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ]);
    process.get("/v1/sessions").await;
    assert!(process.stop().success());
    assert_eq!(silent.spans(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_hurts_nobody() {
    let process = Process::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]);
    process.get("/v1/sessions").await;
    assert!(process.stop().success());
}

//! Traces by OTLP, if the standard `OTEL_*` variables ask for them.
//!
//! The SDK reads those variables itself. Here is what it leaves out: whether to export at all, and
//! which protocols this build has.

use std::ffi::OsString;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::version;

/// What a variable is set to.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The export of spans.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

/// Why spans that were asked for cannot be exported.
#[derive(Debug, Error)]
pub enum TraceError {
    /// A variable asks for something that this build has not.
    #[error("{variable} \"{value}\": this build has only {has}")]
    Unsupported {
        /// The variable.
        variable: &'static str,
        /// What it asks for.
        value: String,
        /// What could be asked for.
        has: &'static str,
    },
    /// The exporter cannot be made as the variables want it.
    #[error("the OTEL_* variables make no exporter: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// There is no client for it.
    #[error("there is no HTTP client for traces: {0}")]
    Client(#[from] reqwest::Error),
}

impl Traces {
    /// The export that the environment asks for, if it does. Needs a tokio runtime.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn wanted(environment: Environment<'_>) -> Result<Option<Self>, TraceError> {
        if !is_wanted(environment)? {
            return Ok(None);
        }
        // reqwest is built without a provider of TLS. An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(timeout(environment))
            .build()?;
        let client = Client {
            http,
            runtime: Handle::current(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self { provider }))
    }

    /// What makes spans.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("sessionstore-operator")
    }

    /// Sends what has not been sent yet, within this time.
    pub async fn flush(self, limit: Duration) {
        let provider = self.provider;
        // It blocks, and the client it waits for runs here.
        let flush = move || provider.shutdown_with_timeout(limit);
        match tokio::task::spawn_blocking(flush).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not exported"),
            Err(error) => tracing::warn!(%error, "the last traces were not exported"),
        }
    }
}

/// A variable that is set and not empty: the specification takes empty for unset.
fn variable(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name)
        .map(OsString::into_string)
        .and_then(Result::ok)
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

fn is_wanted(environment: Environment<'_>) -> Result<bool, TraceError> {
    let get = |name| variable(environment, name);
    if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(false);
    }
    match get("OTEL_TRACES_EXPORTER").as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(false),
        Some(other) => {
            return Err(TraceError::Unsupported {
                variable: "OTEL_TRACES_EXPORTER",
                value: other.to_owned(),
                has: "otlp and none",
            });
        }
    }
    let has_endpoint = get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        .or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT"))
        .is_some();
    if !has_endpoint {
        return Ok(false);
    }
    for name in [
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ] {
        match get(name) {
            Some(value) if value != "http/protobuf" => {
                return Err(TraceError::Unsupported {
                    variable: name,
                    value,
                    has: "http/protobuf",
                });
            }
            Some(_) => break,
            None => {}
        }
    }
    Ok(true)
}

/// How long one export may take: the exporter's own rule, which it does not tell its client.
fn timeout(environment: Environment<'_>) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(10);
    [
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
    ]
    .into_iter()
    .find_map(|name| variable(environment, name)?.parse().ok())
    .map_or(DEFAULT, Duration::from_millis)
}

/// Who exports: as the variables say, else by the name of the program.
fn resource() -> Resource {
    let by_variables = Resource::builder().build();
    let name = by_variables.get(&Key::from_static_str("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut resource = Resource::builder();
    if !is_named {
        resource = resource.with_service_name("sessionstore-operator");
    }
    let version = KeyValue::new("service.version", version::VERSION);
    resource.with_attribute(version).build()
}

/// The exporter runs on a thread of its own, without a runtime; its requests run on ours.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sending = async move { http.send_bytes(request).await };
        self.runtime.spawn(sending).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> Result<bool, String> {
        let environment = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(value))
        };
        is_wanted(&environment).map_err(|error| error.to_string())
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    #[test]
    fn traces_are_exported_only_when_an_endpoint_is_given() {
        assert_eq!(wanted(&[]), Ok(false));
        assert_eq!(wanted(&[("OTEL_SERVICE_NAME", "x")]), Ok(false));
        assert_eq!(wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(false));
        assert_eq!(wanted(&[ENDPOINT]), Ok(true));
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/v1/traces");
        assert_eq!(wanted(&[own]), Ok(true));
    }

    #[test]
    fn the_standard_variables_turn_it_off() {
        for off in [
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            assert_eq!(wanted(&[ENDPOINT, off]), Ok(false), "{off:?}");
        }
        assert_eq!(
            wanted(&[ENDPOINT, ("OTEL_SDK_DISABLED", "false")]),
            Ok(true)
        );
    }

    #[test]
    fn what_this_build_has_not_is_told_by_its_variable() {
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert_eq!(
            wanted(&[ENDPOINT, grpc]),
            Err(
                "OTEL_EXPORTER_OTLP_PROTOCOL \"grpc\": this build has only http/protobuf"
                    .to_owned()
            )
        );
        let own = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf");
        assert_eq!(wanted(&[ENDPOINT, grpc, own]), Ok(true));
        let zipkin = wanted(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "zipkin")]);
        assert!(zipkin.unwrap_err().contains("zipkin"));
    }

    #[test]
    fn the_patience_is_that_of_the_variables() {
        let of = |name: &'static str| {
            let environment = move |asked: &str| (asked == name).then(|| OsString::from("250"));
            timeout(&environment)
        };
        assert_eq!(of("OTEL_EXPORTER_OTLP_TIMEOUT"), Duration::from_millis(250));
        assert_eq!(of("OTHER"), Duration::from_secs(10));
    }
}

//! Calls to the API server, counted where they leave: by verb, resource and answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::http::{Method, Request, Response, Uri};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, exponential_buckets};
use tower::{Layer, Service};

/// The metrics of calls to the API server, and the layer that counts them. Cheap to clone.
///
/// A call counts once, however often the client repeats it below (429, 503 and 504).
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    calls: IntCounterVec,
    durations: HistogramVec,
}

impl ApiMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            calls: IntCounterVec::new(
                Opts::new(
                    "sessionstore_operator_api_calls_total",
                    "Calls to the API server by verb, resource and HTTP status; the status is \
                     \"none\" where no answer came.",
                ),
                &["verb", "resource", "code"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "sessionstore_operator_api_call_duration_seconds",
                    "How long the API server took to begin its answer, by verb.",
                )
                // From an answer out of the API server's memory (1 ms) to the limit that it sets
                // itself for a request (60 s).
                .buckets(exponential_buckets(0.001, 4.0, 9)?),
                &["verb"],
            )?,
        };
        registry.register(Box::new(metrics.calls.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        Ok(metrics)
    }

    fn observe(&self, call: &Call, begun: Instant, code: Option<u16>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        let Call { verb, resource } = call;
        self.calls
            .with_label_values(&[verb, resource.as_str(), &code])
            .inc();
        self.durations
            .with_label_values(&[verb])
            .observe(begun.elapsed().as_secs_f64());
    }
}

impl<S> Layer<S> for ApiMetrics {
    type Service = CountCalls<S>;

    fn layer(&self, inner: S) -> CountCalls<S> {
        CountCalls {
            inner,
            metrics: self.clone(),
        }
    }
}

/// A service that counts what goes through it.
#[derive(Clone, Debug)]
pub struct CountCalls<S> {
    inner: S,
    metrics: ApiMetrics,
}

impl<S, Q, A> Service<Request<Q>> for CountCalls<S>
where
    S: Service<Request<Q>, Response = Response<A>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let call = Call::of(request.method(), request.uri());
        let (metrics, begun) = (self.metrics.clone(), Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer
                .as_ref()
                .ok()
                .map(|response| response.status().as_u16());
            metrics.observe(&call, begun, code);
            answer
        })
    }
}

/// What a call is, without the name of what it is about.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    verb: &'static str,
    /// With the subresource, such as `statefulsets/scale`: as many as the operator has uses for.
    resource: String,
}

impl Call {
    fn of(method: &Method, uri: &Uri) -> Self {
        let Some((resource, has_name)) = resource(uri.path()) else {
            let resource = "other".to_owned();
            return Self {
                verb: verb(method, false, true),
                resource,
            };
        };
        let mut parameters = uri.query().unwrap_or_default().split('&');
        let is_watch = parameters.any(|it| it == "watch=true" || it == "watch=1");
        Self {
            verb: verb(method, is_watch, has_name),
            resource,
        }
    }
}

/// The resource of a path of the API, and whether one object of it is named.
fn resource(path: &str) -> Option<(String, bool)> {
    let parts: Vec<_> = path.trim_matches('/').split('/').collect();
    let (["api", _version, rest @ ..] | ["apis", _, _version, rest @ ..]) = parts.as_slice() else {
        return None;
    };
    let (kind, names) = match rest {
        ["namespaces", _namespace, kind, names @ ..] => (kind, names),
        [kind, names @ ..] => (kind, names),
        [] => return None,
    };
    let resource = match names {
        [_name, subresource, ..] => format!("{kind}/{subresource}"),
        _ => (*kind).to_owned(),
    };
    Some((resource, !names.is_empty()))
}

/// The verb, as rules of RBAC name it.
fn verb(method: &Method, is_watch: bool, has_name: bool) -> &'static str {
    match *method {
        Method::GET if is_watch => "watch",
        Method::GET if has_name => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if has_name => "delete",
        Method::DELETE => "deletecollection",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use prometheus::TextEncoder;
    use tower::{ServiceExt, service_fn};

    use super::*;

    fn call(method: &Method, uri: &'static str) -> (&'static str, String) {
        let Call { verb, resource } = Call::of(method, &Uri::from_static(uri));
        (verb, resource)
    }

    #[test]
    fn a_call_is_named_by_its_rule_never_by_its_object() {
        for (method, uri, verb, resource) in [
            (
                Method::GET,
                "/api/v1/namespaces/voice/pods/voice-mongodb-0",
                "get",
                "pods",
            ),
            (
                Method::GET,
                "/api/v1/namespaces/voice/pods?limit=500",
                "list",
                "pods",
            ),
            (
                Method::GET,
                "/api/v1/pods?watch=true&timeoutSeconds=120",
                "watch",
                "pods",
            ),
            (
                Method::GET,
                "/api/v1/namespaces?watch=1",
                "watch",
                "namespaces",
            ),
            (Method::GET, "/api/v1/namespaces/voice", "get", "namespaces"),
            (
                Method::PATCH,
                "/apis/apps/v1/namespaces/voice/statefulsets/voice/scale?fieldManager=x",
                "patch",
                "statefulsets/scale",
            ),
            (
                Method::POST,
                "/api/v1/namespaces/voice/pods/voice-mongodb-0/eviction",
                "create",
                "pods/eviction",
            ),
            (
                Method::PUT,
                "/apis/sessionstore.dev/v1alpha1/namespaces/voice/sessionstores/voice/status",
                "update",
                "sessionstores/status",
            ),
            (
                Method::DELETE,
                "/apis/apps/v1/namespaces/voice/deployments/api",
                "delete",
                "deployments",
            ),
            (Method::GET, "/version", "get", "other"),
            (Method::GET, "/apis/apps/v1", "get", "other"),
            (Method::GET, "/", "get", "other"),
        ] {
            assert_eq!(call(&method, uri), (verb, resource.to_owned()), "{uri}");
        }
    }

    #[tokio::test]
    async fn every_call_counts_with_its_answer_or_without() {
        let registry = Registry::new();
        let metrics = ApiMetrics::register(&registry).unwrap();
        let service = metrics.layer(service_fn(async |request: Request<()>| {
            if request.method() == Method::POST {
                return Err("no connection");
            }
            let response = Response::builder().status(StatusCode::CONFLICT);
            Ok(response.body(()).unwrap())
        }));
        for method in [Method::PUT, Method::POST] {
            let request = Request::builder()
                .method(method)
                .uri("/api/v1/namespaces/x/pods/y");
            let _ = service.clone().oneshot(request.body(()).unwrap()).await;
        }
        let text = TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        let name = "sessionstore_operator_api_calls_total";
        for labels in [
            "code=\"409\",resource=\"pods\",verb=\"update\"",
            "code=\"none\",resource=\"pods\",verb=\"create\"",
        ] {
            assert!(text.contains(&format!("{name}{{{labels}}} 1")), "{text}");
        }
    }
}

//! The admin port: whether the process lives, whether it is ready, what it measures, what it is.
//! For the platform it runs on; never reachable by clients of the API.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Registry, TextEncoder};

use crate::http::{Problem, RequestId};
use crate::log::Log;
use crate::{store, version};

/// Whether the process should be sent requests. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<HealthState>);

#[derive(Default)]
struct HealthState {
    /// Nothing before the store is open.
    log: OnceLock<Log>,
    is_stopping: AtomicBool,
}

impl Health {
    /// The store is open, and requests are served.
    pub fn serve(&self, log: Log) {
        // Who is set first stays; there is only one log.
        let _ = self.0.log.set(log);
    }

    /// From now on it is not ready.
    pub fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Everything that readiness depends on, and why it does not hold.
    fn checks(&self) -> [(&'static str, store::Health); 2] {
        let store = match self.0.log.get() {
            Some(log) => log.health(),
            None => store::Health::Down("it is being opened".to_owned()),
        };
        let running = if self.0.is_stopping.load(Ordering::Relaxed) {
            store::Health::Down("the process is stopping".to_owned())
        } else {
            store::Health::Serving
        };
        [("running", running), ("store", store)]
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.checks()).finish()
    }
}

/// What the admin port tells about.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Readiness.
    pub health: Health,
    /// Metrics.
    pub registry: Registry,
    /// The kind of store.
    pub store: &'static str,
}

/// The routes of the admin port.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .method_not_allowed_fallback(async |headers: HeaderMap| {
            let allow = "GET, HEAD";
            problem(Problem::MethodNotAllowed { allow }, &headers)
        })
        .fallback(async |headers: HeaderMap| problem(Problem::RouteNotFound, &headers))
        .with_state(admin)
}

fn problem(problem: Problem, headers: &HeaderMap) -> Response {
    problem.render(&RequestId::of(headers).0)
}

/// That it answers at all is the answer.
async fn livez() -> &'static str {
    "ok\n"
}

/// 200 or 503; with `?verbose` also each of the reasons.
async fn readyz(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let is_verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    let (is_ready, mut text) = report(&admin.health.checks(), is_verbose);
    if is_ready {
        text.push_str("ok\n");
        text.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

/// Whether these checks make it ready, and the lines that say so.
fn report(checks: &[(&str, store::Health)], is_verbose: bool) -> (bool, String) {
    let mut is_ready = true;
    let mut text = String::new();
    for (name, health) in checks {
        match health {
            store::Health::Serving if is_verbose => text.extend(["[+] ", *name, ": ok\n"]),
            store::Health::Degraded(reason) if is_verbose => {
                text.extend(["[!] ", *name, ": degraded: ", &**reason, "\n"]);
            }
            store::Health::Serving | store::Health::Degraded(_) => {}
            store::Health::Down(reason) => {
                is_ready = false;
                text.extend(["[-] ", *name, ": ", &**reason, "\n"]);
            }
        }
    }
    (is_ready, text)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    // The text format, version 0.0.4, which every scraper takes.
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    match TextEncoder::new().encode_to_string(&admin.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn version(State(admin): State<Admin>) -> Response {
    let version = serde_json::json!({
        "version": version::VERSION,
        "revision": version::revision(),
        "store": admin.store,
    });
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], version.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Method, Request};
    use tower::ServiceExt;

    use crate::log::{LogMetrics, Settings};
    use crate::store::{EmbeddedSettings, EmbeddedStore};
    use crate::telemetry;

    use super::*;

    fn admin() -> Admin {
        Admin {
            health: Health::default(),
            registry: telemetry::registry().unwrap(),
            store: "embedded",
        }
    }

    fn serve(health: &Health, folder: &std::path::Path) {
        let store = EmbeddedStore::open(folder, EmbeddedSettings::default()).unwrap();
        let metrics = LogMetrics::register(&Registry::new()).unwrap();
        health.serve(Log::new(Arc::new(store), Settings::default(), metrics));
    }

    async fn call(admin: &Admin, method: Method, path: &str) -> (StatusCode, String, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        let response = router(admin.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(admin: &Admin, path: &str) -> (StatusCode, String, String) {
        call(admin, Method::GET, path).await
    }

    #[tokio::test]
    async fn it_is_ready_from_the_opened_store_to_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let admin = admin();
        let (status, _, reasons) = get(&admin, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reasons, "[-] store: it is being opened\n");

        serve(&admin.health, folder.path());
        let (status, _, text) = get(&admin, "/readyz").await;
        assert_eq!((status, &*text), (StatusCode::OK, "ok\n"));
        let (_, _, verbose) = get(&admin, "/readyz?verbose").await;
        assert_eq!(verbose, "[+] running: ok\n[+] store: ok\nok\n");

        admin.health.stop();
        let (status, _, reasons) = get(&admin, "/readyz?verbose").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            reasons,
            "[-] running: the process is stopping\n[+] store: ok\n"
        );
        let (status, ..) = get(&admin, "/livez").await;
        assert_eq!(status, StatusCode::OK, "a process that stops still lives");
    }

    #[test]
    fn a_degraded_store_stays_ready_and_says_why() {
        let reason = "no primary".to_owned();
        let checks = [("store", store::Health::Degraded(reason))];
        assert_eq!(report(&checks, false), (true, String::new()));
        let verbose = "[!] store: degraded: no primary\n".to_owned();
        assert_eq!(report(&checks, true), (true, verbose));
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let (status, kind, text) = get(&admin(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(
            text.contains("# TYPE sessionstore_build_info gauge\n"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn the_version_names_the_build_and_the_store() {
        let (status, kind, text) = get(&admin(), "/version").await;
        assert_eq!((status, &*kind), (StatusCode::OK, "application/json"));
        let version: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(version["version"], version::VERSION);
        assert_eq!(version["store"], "embedded");
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_problem() {
        let (status, kind, _) = get(&admin(), "/v1/sessions").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(kind, "application/problem+json");
        let (status, kind, _) = call(&admin(), Method::POST, "/readyz").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(kind, "application/problem+json");
    }
}

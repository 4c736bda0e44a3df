//! The admin port: whether the process lives, whether it is ready, what it measures, what it is.
//! For the platform it runs on; nothing of any object is told here.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Registry, TextEncoder};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::{Standing, Streams};
use crate::{clock, version};

/// What the admin port tells about.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Everything that has to keep moving.
    pub streams: Streams,
    /// Metrics.
    pub registry: Registry,
    /// Cancelled when the process is stopping.
    pub stop: CancellationToken,
}

/// Nobody can listen there.
#[derive(Debug, Error)]
#[error("--admin-address {address}: cannot listen there: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Takes the port.
///
/// # Errors
/// When it is taken, or not this machine's.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| BindError { address, source })
}

/// Serves until `closed` is cancelled, and then until what is being answered has been.
///
/// # Errors
/// When the port fails.
pub async fn serve(
    listener: TcpListener,
    admin: Admin,
    closed: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, router(admin))
        .with_graceful_shutdown(closed.cancelled_owned())
        .await
}

/// The routes of the admin port.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(admin)
}

/// One reason, or the lack of one.
struct Check {
    name: String,
    fault: Option<String>,
}

async fn livez(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let standing = admin.streams.standing(clock::now());
    answer(&standing.iter().map(life).collect::<Vec<_>>(), query)
}

/// A standby is ready as well: it does everything but change things.
async fn readyz(State(admin): State<Admin>, RawQuery(query): RawQuery) -> Response {
    let running = Check {
        name: "running".to_owned(),
        fault: admin
            .stop
            .is_cancelled()
            .then(|| "the process is stopping".to_owned()),
    };
    let standing = admin.streams.standing(clock::now());
    let checks: Vec<_> = std::iter::once(running)
        .chain(standing.iter().map(readiness))
        .collect();
    answer(&checks, query)
}

fn life(standing: &Standing) -> Check {
    let (tried, limit) = (standing.tried.as_secs(), standing.limit.as_secs());
    Check {
        name: standing.to_string(),
        fault: standing
            .is_silent()
            .then(|| format!("no sign of life for {tried} s, {limit} s is the limit")),
    }
}

fn readiness(standing: &Standing) -> Check {
    Check {
        name: standing.to_string(),
        fault: (!standing.is_synced).then(|| "its first list is not complete".to_owned()),
    }
}

/// 200 or 503 with what is wrong; with `?verbose` also what is not.
fn answer(checks: &[Check], query: Option<String>) -> Response {
    let is_verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    let (is_ok, mut text) = report(checks, is_verbose);
    if is_ok {
        text.push_str("ok\n");
        text.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

fn report(checks: &[Check], is_verbose: bool) -> (bool, String) {
    let mut text = String::new();
    for Check { name, fault } in checks {
        match fault {
            Some(fault) => text.extend(["[-] ", name, ": ", fault, "\n"]),
            None if is_verbose => text.extend(["[+] ", name, ": ok\n"]),
            None => {}
        }
    }
    (checks.iter().all(|check| check.fault.is_none()), text)
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

async fn version() -> Response {
    let version = serde_json::json!({
        "version": version::VERSION,
        "revision": version::revision(),
    });
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], version.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use crate::metrics;

    use super::*;

    fn admin() -> Admin {
        Admin {
            streams: Streams::default(),
            registry: metrics::registry().unwrap(),
            stop: CancellationToken::new(),
        }
    }

    async fn call(admin: &Admin, path: &str) -> (u16, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(admin.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get(header::CONTENT_TYPE);
        let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(admin: &Admin, path: &str) -> (u16, String) {
        let (status, _, body) = call(admin, path).await;
        (status, body)
    }

    #[tokio::test]
    async fn it_is_ready_from_the_last_synced_cache_to_the_stop() {
        let admin = admin();
        let pods = admin.streams.watch("pods", "");
        let uri = admin.streams.watch("secrets", "voice/uri");
        pods.synced();
        let missing = "[-] secrets voice/uri: its first list is not complete\n";
        assert_eq!(get(&admin, "/readyz").await, (503, missing.to_owned()));
        uri.synced();
        assert_eq!(get(&admin, "/readyz").await, (200, "ok\n".to_owned()));
        let verbose = "[+] running: ok\n[+] pods: ok\n[+] secrets voice/uri: ok\nok\n";
        assert_eq!(
            get(&admin, "/readyz?verbose").await,
            (200, verbose.to_owned())
        );

        admin.stop.cancel();
        let stopping = "[-] running: the process is stopping\n";
        assert_eq!(get(&admin, "/readyz").await, (503, stopping.to_owned()));
        let (status, _) = get(&admin, "/livez").await;
        assert_eq!(status, 200, "a process that stops still lives");
    }

    #[tokio::test]
    async fn it_lives_before_its_caches_are_synced() {
        let admin = admin();
        let _pods = admin.streams.watch("pods", "");
        assert_eq!(get(&admin, "/livez").await, (200, "ok\n".to_owned()));
    }

    #[test]
    fn one_silent_watch_is_told_by_name() {
        let standing = |kind, tried| Standing {
            kind,
            detail: String::new(),
            heard: Duration::ZERO,
            tried: Duration::from_secs(tried),
            limit: Duration::from_secs(300),
            is_synced: true,
        };
        let checks = [life(&standing("pods", 10)), life(&standing("secrets", 301))];
        let silent = "[-] secrets: no sign of life for 301 s, 300 s is the limit\n";
        assert_eq!(report(&checks, false), (false, silent.to_owned()));
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let (status, kind, text) = call(&admin(), "/metrics").await;
        assert_eq!(status, 200);
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(
            text.contains("# TYPE sessionstore_operator_build_info gauge\n"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn the_version_names_the_build() {
        let (status, kind, text) = call(&admin(), "/version").await;
        assert_eq!((status, &*kind), (200, "application/json"));
        let version: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(version["version"], version::VERSION);
    }
}

//! An API server that knows one Lease.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Extension;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::{ServiceExt, service_fn};

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<Data>,
    /// Counts everything that changes the state.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Data {
    lease: Option<Lease>,
    /// Each state that there was, the first one of version 1.
    history: Vec<Value>,
    watched_by: BTreeSet<String>,
    cut: BTreeSet<String>,
    is_forbidden: bool,
    refusals: usize,
}

/// The name of the client that asks.
#[derive(Clone)]
struct Caller(String);

impl Server {
    /// A client that the server knows by this name.
    pub(super) fn client(&self, name: &str) -> Client {
        let all = "/apis/coordination.k8s.io/v1/namespaces/voice/leases";
        let one = "/apis/coordination.k8s.io/v1/namespaces/voice/leases/{name}";
        let router = Router::new()
            .route(all, get(list).post(create))
            .route(one, get(read).put(replace))
            .layer(Extension(Caller(name.to_owned())))
            .with_state(self.clone());
        let (server, name) = (self.clone(), name.to_owned());
        let service = service_fn(move |request: Request<kube::client::Body>| {
            let (server, name, router) = (server.clone(), name.clone(), router.clone());
            async move {
                server.until(|data| !data.cut.contains(&name)).await;
                router.oneshot(request.map(Body::new)).await
            }
        });
        Client::new(service, "voice")
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.state.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Data)) {
        change(&mut self.data());
        self.0.changed.send_replace(());
    }

    async fn until(&self, condition: impl Fn(&Data) -> bool) {
        let mut changed = self.0.changed.subscribe();
        while !condition(&self.data()) {
            changed.changed().await.unwrap();
        }
    }

    /// From now on nothing of this client arrives.
    pub(super) fn cut(&self, name: &str) {
        self.change(|data| {
            data.cut.insert(name.to_owned());
        });
    }

    pub(super) fn heal(&self, name: &str) {
        self.change(|data| {
            data.cut.remove(name);
        });
    }

    pub(super) fn forbid(&self, is_forbidden: bool) {
        self.change(|data| data.is_forbidden = is_forbidden);
    }

    /// Something was refused.
    pub(super) async fn refused(&self) {
        self.until(|data| data.refusals > 0).await;
    }

    /// This client watches.
    pub(super) async fn watched_by(&self, name: &str) {
        self.until(|data| data.watched_by.contains(name)).await;
    }

    pub(super) fn writes(&self) -> usize {
        self.data().history.len()
    }

    pub(super) async fn written(&self, writes: usize) {
        self.until(|data| data.history.len() >= writes).await;
    }

    pub(super) fn holder(&self) -> Option<String> {
        self.data().lease.clone()?.spec?.holder_identity
    }

    /// Somebody labels the Lease.
    pub(super) fn label(&self, key: &str, value: &str) {
        self.change(|data| {
            let mut lease = data.lease.clone().unwrap();
            let labels = lease.metadata.labels.get_or_insert_default();
            labels.insert(key.to_owned(), value.to_owned());
            data.store(lease);
        });
    }

    pub(super) fn labelled(&self, key: &str) -> Option<String> {
        self.data()
            .lease
            .clone()?
            .metadata
            .labels?
            .get(key)
            .cloned()
    }

    fn refusal(&self) -> Option<Response> {
        let is_forbidden = self.data().is_forbidden;
        is_forbidden.then(|| {
            self.change(|data| data.refusals += 1);
            refuse(StatusCode::FORBIDDEN)
        })
    }
}

impl Data {
    fn version(&self) -> String {
        self.history.len().to_string()
    }

    fn store(&mut self, mut lease: Lease) -> Lease {
        let verb = if self.lease.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        lease.metadata.resource_version = Some((self.history.len() + 1).to_string());
        self.history.push(json!({"type": verb, "object": lease}));
        self.lease = Some(lease.clone());
        lease
    }
}

fn refuse(code: StatusCode) -> Response {
    // By these words a client tells refusals apart.
    let reason = code.canonical_reason().unwrap_or_default().replace(' ', "");
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": "no", "reason": reason, "code": code.as_u16(),
    });
    (code, json_of(&status)).into_response()
}

fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    #[serde(default)]
    watch: bool,
    #[serde(default)]
    resource_version: String,
}

async fn list(
    State(server): State<Server>,
    Extension(Caller(caller)): Extension<Caller>,
    Query(parameters): Query<Parameters>,
) -> Response {
    if let Some(refusal) = server.refusal() {
        return refusal;
    }
    if !parameters.watch {
        let data = server.data();
        let list = json!({
            "kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1",
            "metadata": {"resourceVersion": data.version()},
            "items": data.lease.iter().collect::<Vec<_>>(),
        });
        return json_of(&list).into_response();
    }
    server.change(|data| {
        data.watched_by.insert(caller.clone());
    });
    let from = parameters.resource_version.parse().unwrap();
    let events = stream::unfold((server, caller, from), async |(server, caller, at)| {
        let is_next = |data: &Data| data.history.len() > at && !data.cut.contains(&caller);
        server.until(is_next).await;
        let line = format!("{}\n", server.data().history[at]);
        Some((Ok::<_, std::io::Error>(line), (server, caller, at + 1)))
    });
    Body::from_stream(events).into_response()
}

async fn read(State(server): State<Server>, Path(_name): Path<String>) -> Response {
    if let Some(refusal) = server.refusal() {
        return refusal;
    }
    match server.data().lease.clone() {
        Some(lease) => json_of(&lease).into_response(),
        None => refuse(StatusCode::NOT_FOUND),
    }
}

async fn create(State(server): State<Server>, lease: Bytes) -> Response {
    write(&server, &lease)
}

async fn replace(
    State(server): State<Server>,
    Path(_name): Path<String>,
    lease: Bytes,
) -> Response {
    write(&server, &lease)
}

/// Only over the version that the new state builds on.
fn write(server: &Server, lease: &[u8]) -> Response {
    let lease: Lease = serde_json::from_slice(lease).unwrap();
    if let Some(refusal) = server.refusal() {
        return refusal;
    }
    let mut stored = None;
    server.change(|data| {
        let present = data
            .lease
            .as_ref()
            .and_then(|it| it.metadata.resource_version.clone());
        if present == lease.metadata.resource_version {
            stored = Some(data.store(lease));
        }
    });
    match stored {
        Some(lease) => json_of(&lease).into_response(),
        None => refuse(StatusCode::CONFLICT),
    }
}

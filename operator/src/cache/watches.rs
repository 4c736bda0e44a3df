//! The watches themselves: each is a task of its own that fills one store.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::stream::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{
    Node, NodeCondition, NodeStatus, PersistentVolumeClaim, Pod, Secret,
};
use kube::api::{Api, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::{Writer, store};
use kube::runtime::watcher::{Config, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::follow::{Sink, follow, follow_nodes, follow_until, follow_while};
use super::news::{self, News, Right};
use super::routes::{by_owner, itself};
use super::service_monitors::Known;
use super::{Owned, Target, Trigger, Watched};
use crate::config::Scope;
use crate::health::{Streams, WATCH_SECONDS};
use crate::kind::Kind;
use crate::names::MANAGED_BY;

/// Starts watches, and holds those that come and go.
pub(super) struct Watches {
    client: Client,
    streams: Streams,
    triggers: broadcast::Sender<Trigger>,
    service_monitors: Known,
    secrets: Mutex<BTreeMap<String, NamedSecret>>,
}

/// A Secret that somebody refers to.
struct NamedSecret {
    store: Store<Secret>,
    key: (String, String),
    /// Ends the watch when this is dropped.
    _ended: DropGuard,
}

impl Watches {
    pub(super) fn new(
        client: Client,
        streams: Streams,
        triggers: broadcast::Sender<Trigger>,
        scope: &Scope,
    ) -> Self {
        let service_monitors = match scope {
            Scope::Cluster => Known::by_definition(&client, &streams, triggers.clone()),
            Scope::Namespaces(_) => Known::by_discovery(&client, triggers.clone()),
        };
        Self {
            client,
            streams,
            triggers,
            service_monitors,
            secrets: Mutex::default(),
        }
    }

    pub(super) fn service_monitors(&self) -> &Known {
        &self.service_monitors
    }

    /// All that is watched in a namespace; the empty name is all of them. `right` is what the status
    /// of each `SessionStore` is to be.
    pub(super) fn scope(&self, namespace: &str, right: &Right) -> Watched {
        let labelled = config().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
        let owned = Kind::ALL.map(|kind| (kind, self.owned(kind, namespace, labelled.clone())));
        Watched {
            session_stores: self.start("sessionstores", namespace, config(), itself, right.news()),
            owned: owned.into(),
            pods: self.start(
                "pods",
                namespace,
                labelled.clone(),
                by_owner::<Pod>,
                news::always(),
            ),
            claims: self.start(
                "persistentvolumeclaims",
                namespace,
                labelled,
                by_owner::<PersistentVolumeClaim>,
                news::always(),
            ),
        }
    }

    fn owned(&self, kind: Kind, namespace: &str, config: Config) -> Owned {
        let resource = kind.resource();
        let writer = Writer::new(resource.clone());
        let store = writer.as_reader();
        let is_news = news::of_owned(kind);
        let sink = Sink::new(resource.clone(), writer, self.triggers.clone(), is_news);
        let owned = Owned {
            store,
            progress: sink.progress.clone(),
        };
        let namespace = namespace.to_owned();
        let api = move |client: Client| -> Api<DynamicObject> {
            if namespace.is_empty() {
                Api::all_with(client, &resource)
            } else {
                Api::namespaced_with(client, &namespace, &resource)
            }
        };
        if kind.is_built_in() {
            let watch = self.streams.watch(kind.plural(), "");
            let stream = watcher(api(watch.client(&self.client)), config);
            tokio::spawn(follow(stream, watch, sink, by_owner));
        } else {
            let known = self.service_monitors.clone();
            let (client, streams) = (self.client.clone(), self.streams.clone());
            let start = move || {
                let watch = streams.watch(kind.plural(), "");
                let stream = watcher(api(watch.client(&client)), config.clone());
                (watch, stream.boxed())
            };
            tokio::spawn(follow_while(known, start, sink));
        }
        owned
    }

    /// Only what decides is kept of a node, and only a change of that counts: nodes report often.
    pub(super) fn nodes(&self) -> Store<Node> {
        let (reader, writer) = store();
        let watch = self.streams.watch("nodes", "");
        let stream = watcher(Api::<Node>::all(watch.client(&self.client)), config());
        let stream = stream.modify(|node: &mut Node| {
            node.metadata.annotations = None;
            node.metadata.resource_version = None;
            if let Some(status) = &mut node.status {
                let is_ready = |condition: &NodeCondition| condition.type_ == "Ready";
                let conditions = status.conditions.take().unwrap_or_default();
                let ready = conditions
                    .into_iter()
                    .filter(is_ready)
                    .map(|ready| NodeCondition {
                        type_: ready.type_,
                        status: ready.status,
                        ..NodeCondition::default()
                    });
                *status = NodeStatus {
                    conditions: Some(ready.collect()),
                    ..NodeStatus::default()
                };
            }
        });
        tokio::spawn(follow_nodes(stream, watch, writer, self.triggers.clone()));
        reader
    }

    pub(super) fn secret(&self, target: &Target, namespace: &str, name: &str) -> Store<Secret> {
        let key = (namespace.to_owned(), name.to_owned());
        let mut secrets = self.lock_secrets();
        if let Some(held) = secrets.get(&target.to_string())
            && held.key == key
        {
            return held.store.clone();
        }
        let (reader, writer) = store();
        let watch = self
            .streams
            .watch("secrets", &format!("{namespace}/{name}"));
        let api = Api::namespaced(watch.client(&self.client), namespace);
        let config = config().fields(&format!("metadata.name={name}"));
        let its = target.clone();
        let route = move |_: &Secret| Some(its.clone());
        let stream = watcher(api, config);
        let ended = CancellationToken::new();
        let sink = Sink::new((), writer, self.triggers.clone(), news::of_secret());
        tokio::spawn(follow_until(ended.clone(), stream, watch, sink, route));
        let held = NamedSecret {
            store: reader.clone(),
            _ended: ended.drop_guard(),
            key,
        };
        secrets.insert(target.to_string(), held);
        reader
    }

    pub(super) fn release_secret(&self, target: &Target) {
        self.lock_secrets().remove(&target.to_string());
    }

    fn lock_secrets(&self) -> MutexGuard<'_, BTreeMap<String, NamedSecret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start<K>(
        &self,
        plural: &'static str,
        namespace: &str,
        config: Config,
        route: fn(&K) -> Option<Target>,
        is_news: News<K>,
    ) -> Store<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
        K: DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    {
        let (reader, writer) = store();
        let watch = self.streams.watch(plural, namespace);
        let client = watch.client(&self.client);
        let api = if namespace.is_empty() {
            Api::all(client)
        } else {
            Api::namespaced(client, namespace)
        };
        let stream = watcher(api, config);
        let sink = Sink::new((), writer, self.triggers.clone(), is_news);
        tokio::spawn(follow(stream, watch, sink, route));
        reader
    }
}

pub(super) fn config() -> Config {
    Config::default().timeout(WATCH_SECONDS)
}

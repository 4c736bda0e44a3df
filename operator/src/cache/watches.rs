//! The watches themselves: each is a task of its own that fills one store.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::stream::{BoxStream, Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{
    Node, NodeCondition, NodeStatus, PersistentVolumeClaim, Pod, Secret,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::{Writer, store};
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Stored, Target, Trigger, Watched};
use crate::crd::SessionStore;
use crate::health::{Streams, WATCH_SECONDS, Watch};
use crate::kind::Kind;
use crate::names::{INSTANCE, MANAGED_BY};

/// The kind that Prometheus' operator brings.
const SERVICE_MONITORS: &str = "servicemonitors.monitoring.coreos.com";

/// Starts watches, and holds those that come and go.
pub(super) struct Watches {
    client: Client,
    streams: Streams,
    triggers: broadcast::Sender<Trigger>,
    has_service_monitors: tokio::sync::watch::Receiver<bool>,
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
    ) -> Self {
        let watch = streams.watch("customresourcedefinitions", SERVICE_MONITORS);
        let has_service_monitors = watch_definition(&client, watch, triggers.clone());
        Self {
            client,
            streams,
            triggers,
            has_service_monitors,
            secrets: Mutex::default(),
        }
    }

    pub(super) fn has_service_monitors(&self) -> bool {
        *self.has_service_monitors.borrow()
    }

    /// All that is watched in a namespace; the empty name is all of them.
    pub(super) fn scope(&self, namespace: &str) -> Watched {
        let labelled = config().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
        let owned = Kind::ALL.map(|kind| (kind, self.owned(kind, namespace, labelled.clone())));
        Watched {
            session_stores: self.start("sessionstores", namespace, config(), itself),
            owned: owned.into(),
            pods: self.start("pods", namespace, labelled.clone(), by_owner::<Pod>),
            claims: self.start(
                "persistentvolumeclaims",
                namespace,
                labelled,
                by_owner::<PersistentVolumeClaim>,
            ),
        }
    }

    fn owned(&self, kind: Kind, namespace: &str, config: Config) -> Store<DynamicObject> {
        let resource = kind.resource();
        let writer = Writer::new(resource.clone());
        let reader = writer.as_reader();
        let namespace = namespace.to_owned();
        let api = move |client: Client| -> Api<DynamicObject> {
            if namespace.is_empty() {
                Api::all_with(client, &resource)
            } else {
                Api::namespaced_with(client, &namespace, &resource)
            }
        };
        let triggers = self.triggers.clone();
        if kind.is_built_in() {
            let watch = self.streams.watch(kind.plural(), "");
            let stream = watcher(api(watch.client(&self.client)), config);
            tokio::spawn(follow(stream, watch, writer, triggers, by_owner));
        } else {
            let known = self.has_service_monitors.clone();
            let (client, streams) = (self.client.clone(), self.streams.clone());
            let start = move || {
                let watch = streams.watch(kind.plural(), "");
                let stream = watcher(api(watch.client(&client)), config.clone());
                (watch, stream.boxed())
            };
            tokio::spawn(follow_while(known, start, writer, triggers));
        }
        reader
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
        let following = follow_until(
            ended.clone(),
            stream,
            watch,
            writer,
            self.triggers.clone(),
            route,
        );
        tokio::spawn(following);
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
        tokio::spawn(follow(stream, watch, writer, self.triggers.clone(), route));
        reader
    }
}

fn config() -> Config {
    Config::default().timeout(WATCH_SECONDS)
}

/// The `SessionStore` that controls an object, whatever its label says by now; or, of what it does
/// not control itself, the one whose label it has.
fn by_owner<K: ResourceExt>(object: &K) -> Option<Target> {
    let mut owners = object.owner_references().iter();
    let controller = owners
        .find(|it| it.controller == Some(true) && it.kind == <SessionStore as Resource>::kind(&()))
        .map(|it| &it.name);
    let name = controller.or_else(|| object.labels().get(INSTANCE))?;
    let namespace = object.namespace()?;
    Some(ObjectRef::new(name).within(&namespace))
}

#[expect(clippy::unnecessary_wraps, reason = "a route like the others")]
fn itself(stored: &Stored) -> Option<Target> {
    Some(ObjectRef::from_obj(stored))
}

/// Fills a store from a watch for ever, and tells whom each change concerns.
async fn follow<K>(
    stream: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    watch: Watch,
    mut writer: Writer<K>,
    triggers: broadcast::Sender<Trigger>,
    route: impl Fn(&K) -> Option<Target> + Send,
) where
    K: Resource + Clone + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let mut stream = pin!(slim(stream));
    while let Some(event) = stream.next().await {
        take(event, &watch, &mut writer, &triggers, &route);
    }
}

/// The same until somebody has had enough.
async fn follow_until<K>(
    ended: CancellationToken,
    stream: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    watch: Watch,
    mut writer: Writer<K>,
    triggers: broadcast::Sender<Trigger>,
    route: impl Fn(&K) -> Option<Target> + Send,
) where
    K: Resource + Clone + Send + Sync + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let mut stream = pin!(slim(stream).take_until(ended.cancelled_owned()));
    while let Some(event) = stream.next().await {
        take(event, &watch, &mut writer, &triggers, &route);
    }
    watch.retire();
}

fn take<K>(
    event: watcher::Result<Event<K>>,
    watch: &Watch,
    writer: &mut Writer<K>,
    triggers: &broadcast::Sender<Trigger>,
    route: &impl Fn(&K) -> Option<Target>,
) where
    K: Resource + Clone + 'static,
    K::DynamicType: Eq + Hash + Clone,
{
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(%error, "a watch is interrupted, and begins again");
            return;
        }
    };
    let trigger = match &event {
        Event::Apply(object) | Event::Delete(object) => route(object).map(Trigger::One),
        // What vanished while nobody looked is in no event.
        Event::InitDone => {
            watch.synced();
            Some(Trigger::All)
        }
        Event::Init | Event::InitApply(_) => None,
    };
    writer.apply_watcher_event(&event);
    if let Some(trigger) = trigger {
        // Nobody listens while another process leads.
        let _ = triggers.send(trigger);
    }
}

/// Who set which field is of no use here, and half of an object's size.
fn slim<K: ResourceExt>(
    stream: impl Stream<Item = watcher::Result<Event<K>>>,
) -> impl Stream<Item = watcher::Result<Event<K>>> {
    stream
        .default_backoff()
        .modify(|object| object.meta_mut().managed_fields = None)
}

/// Watches a kind while the cluster knows it; otherwise there is nothing of it.
async fn follow_while(
    mut known: tokio::sync::watch::Receiver<bool>,
    start: impl Fn() -> (
        Watch,
        BoxStream<'static, watcher::Result<Event<DynamicObject>>>,
    ),
    mut writer: Writer<DynamicObject>,
    triggers: broadcast::Sender<Trigger>,
) {
    while known.wait_for(|is_known| *is_known).await.is_ok() {
        let (watch, stream) = start();
        let mut stream = pin!(slim(stream));
        loop {
            tokio::select! {
                _ = known.wait_for(|is_known| !*is_known) => break,
                Some(event) = stream.next() => {
                    take(event, &watch, &mut writer, &triggers, &by_owner);
                }
            }
        }
        watch.retire();
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
    }
}

/// Tells whether the cluster knows the kind `ServiceMonitor`.
fn watch_definition(
    client: &Client,
    watch: Watch,
    triggers: broadcast::Sender<Trigger>,
) -> tokio::sync::watch::Receiver<bool> {
    let (known, receiver) = tokio::sync::watch::channel(false);
    let client = watch.client(client);
    let api = Api::<PartialObjectMeta<CustomResourceDefinition>>::all(client);
    let config = config().fields(&format!("metadata.name={SERVICE_MONITORS}"));
    tokio::spawn(async move {
        let mut stream = pin!(watcher(api, config).default_backoff());
        while let Some(event) = stream.next().await {
            let is_known = match event {
                // One that is being deleted takes no new objects.
                Ok(Event::Apply(it) | Event::InitApply(it)) => {
                    it.metadata.deletion_timestamp.is_none()
                }
                Ok(Event::Delete(_)) => false,
                Ok(Event::Init) => continue,
                Ok(Event::InitDone) => {
                    watch.synced();
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot see whether there are ServiceMonitors");
                    continue;
                }
            };
            if known.send_replace(is_known) != is_known {
                let _ = triggers.send(Trigger::All);
            }
        }
    });
    receiver
}

/// A node that is drained or lost concerns whoever has members there.
async fn follow_nodes(
    stream: impl Stream<Item = watcher::Result<Event<Node>>> + Send,
    watch: Watch,
    mut writer: Writer<Node>,
    triggers: broadcast::Sender<Trigger>,
) {
    let reader = writer.as_reader();
    let mut stream = pin!(slim(stream));
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => {
                if matches!(event, Event::InitDone) {
                    watch.synced();
                }
                let has_changed = match &event {
                    Event::Apply(node) => reader
                        .get(&node.to_object_ref(()))
                        .is_none_or(|before| *before != *node),
                    Event::Delete(_) | Event::InitDone => true,
                    Event::Init | Event::InitApply(_) => false,
                };
                writer.apply_watcher_event(&event);
                if has_changed {
                    let _ = triggers.send(Trigger::All);
                }
            }
            Err(error) => tracing::warn!(%error, "the watch of nodes is interrupted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(label: Option<&str>, owner: &Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {
            "name": "voice-api",
            "namespace": "default",
            "labels": label.map(|name| json!({INSTANCE: name})),
            "ownerReferences": [owner],
        }}))
        .unwrap()
    }

    fn owner(kind: &str, name: &str, controller: bool) -> Value {
        json!({
            "apiVersion": "v1", "kind": kind, "name": name, "uid": "1", "controller": controller,
        })
    }

    fn concerns(object: &DynamicObject) -> Option<String> {
        by_owner(object).map(|target| target.to_string())
    }

    #[test]
    fn an_object_concerns_who_controls_it_whatever_its_label_says() {
        let owner = owner("SessionStore", "voice", true);
        let right = concerns(&object(Some("voice"), &owner)).unwrap();
        assert_eq!(
            concerns(&object(Some("other"), &owner)),
            Some(right.clone())
        );
        assert_eq!(concerns(&object(None, &owner)), Some(right));
    }

    #[test]
    fn what_others_control_concerns_whose_label_it_has() {
        let pod = object(Some("voice"), &owner("StatefulSet", "voice-mongodb", true));
        let target: Target = ObjectRef::new("voice").within("default");
        assert_eq!(by_owner(&pod), Some(target));
        let loose = object(None, &owner("SessionStore", "voice", false));
        assert_eq!(concerns(&loose), None);
    }
}

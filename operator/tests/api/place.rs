//! A namespace, and what is in it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams,
    PostParams,
};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use sessionstore_operator::crd::SessionStore;
use sessionstore_operator::kind::Kind;

use crate::lab::Lab;
use crate::operator::Operator;

/// How long things may take that happen within a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long nothing must happen before it counts as quiet.
pub(crate) const QUIET: Duration = Duration::from_secs(3);

/// Who edits by hand.
pub(crate) const SOMEBODY: &str = "somebody";

/// A namespace of its own for a test.
pub(crate) struct Place {
    pub(crate) lab: Arc<Lab>,
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Place {
    /// One in the shared control plane.
    pub(crate) async fn new(namespace: &str) -> Self {
        Self::in_lab(Lab::shared(), namespace).await
    }

    pub(crate) async fn in_lab(lab: Arc<Lab>, namespace: &str) -> Self {
        let client = lab.client().await;
        let made = Namespace {
            metadata: ObjectMeta {
                name: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &made)
            .await
            .unwrap();
        Self {
            lab,
            client,
            namespace: namespace.to_owned(),
        }
    }

    /// What kubectl prints, asked about this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let namespace = ["--namespace", self.namespace.as_str()];
        self.lab.kubectl(&[&namespace, args].concat())
    }

    pub(crate) fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind.resource())
    }

    /// The SessionStores, as they are stored.
    pub(crate) fn stores(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<SessionStore>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Makes a SessionStore.
    pub(crate) async fn create(&self, name: &str, spec: Value) -> DynamicObject {
        let store = json!({
            "apiVersion": "sessionstore.dev/v1alpha1",
            "kind": "SessionStore",
            "metadata": {"name": name},
            "spec": spec,
        });
        let store = serde_json::from_value(store).unwrap();
        let stores = self.stores();
        stores.create(&PostParams::default(), &store).await.unwrap()
    }

    /// Changes a SessionStore by a merge patch.
    pub(crate) async fn change(&self, name: &str, patch: Value) -> DynamicObject {
        let stores = self.stores();
        let patch = Patch::Merge(patch);
        stores.patch(name, &by_hand(), &patch).await.unwrap()
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn edit(&self, kind: Kind, name: &str, patch: Value) -> DynamicObject {
        let objects = self.api(kind);
        let patch = Patch::Merge(patch);
        objects.patch(name, &by_hand(), &patch).await.unwrap()
    }

    pub(crate) async fn get(&self, kind: Kind, name: &str) -> Option<DynamicObject> {
        self.api(kind).get_opt(name).await.unwrap()
    }

    pub(crate) async fn delete(&self, kind: Kind, name: &str) {
        let params = DeleteParams::default();
        self.api(kind).delete(name, &params).await.unwrap();
    }

    /// A Secret of a user's.
    pub(crate) async fn secret(&self, name: &str, entries: Value) {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": entries,
        });
        let params = PatchParams::apply(SOMEBODY).force();
        let secrets = self.api(Kind::Secret);
        secrets
            .patch(name, &params, &Patch::Apply(secret))
            .await
            .unwrap();
    }

    /// All objects of the kinds that the operator makes, those of others too.
    pub(crate) async fn objects(&self) -> Vec<(Kind, DynamicObject)> {
        let mut objects = Vec::new();
        for kind in Kind::ALL {
            // The cluster may not know the kind.
            let found = self.api(kind).list(&ListParams::default()).await;
            let found = found.into_iter().flatten();
            objects.extend(found.map(|object| (kind, object)));
        }
        objects
    }

    /// The objects that the operator has made.
    pub(crate) async fn owned(&self) -> Vec<(Kind, DynamicObject)> {
        let objects = self.objects().await.into_iter();
        let is_owned = |object: &DynamicObject| {
            let mut owners = object.owner_references().iter();
            owners.any(|owner| owner.kind == "SessionStore")
        };
        objects.filter(|(_, object)| is_owned(object)).collect()
    }

    /// The version of everything, SessionStores included.
    pub(crate) async fn versions(&self) -> BTreeMap<String, String> {
        let objects = self.objects().await.into_iter();
        let objects =
            objects.map(|(kind, it)| (format!("{kind:?}/{}", it.name_any()), version(&it)));
        let stores = self.stores().list(&ListParams::default()).await.unwrap();
        let stores = stores.into_iter();
        let stores = stores.map(|it| (format!("SessionStore/{}", it.name_any()), version(&it)));
        objects.chain(stores).collect()
    }

    pub(crate) async fn status(&self, name: &str) -> Value {
        let store = self.stores().get(name).await.unwrap();
        store.data["status"].clone()
    }

    pub(crate) async fn condition(&self, name: &str, kind: &str) -> Option<Value> {
        let status = self.status(name).await;
        let mut conditions = status["conditions"].as_array()?.iter();
        conditions.find(|it| it["type"] == kind).cloned()
    }

    /// Waits for a condition with this status and reason, and gives it.
    pub(crate) async fn await_condition(
        &self,
        name: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> Value {
        let what = format!("{name} is {kind}={status} for {reason}");
        eventually(&what, async || {
            let condition = self.condition(name, kind).await;
            condition.filter(|it| it["status"] == status && it["reason"] == reason)
        })
        .await
    }

    /// Waits until an object is there.
    pub(crate) async fn await_object(&self, kind: Kind, name: &str) -> DynamicObject {
        let what = format!("there is a {kind:?} {name}");
        eventually(&what, async || self.get(kind, name).await).await
    }

    /// Waits until an object is as it should be.
    pub(crate) async fn await_that(
        &self,
        kind: Kind,
        name: &str,
        what: &str,
        is_so: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        eventually(what, async || {
            self.get(kind, name).await.filter(|it| is_so(it))
        })
        .await
    }

    /// The Events with this reason.
    pub(crate) async fn events(&self, reason: &str) -> Vec<Event> {
        let events = self.all_events().await.into_iter();
        let of_reason = |event: &Event| event.reason.as_deref() == Some(reason);
        events.filter(of_reason).collect()
    }

    /// All Events of the operator.
    pub(crate) async fn all_events(&self) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = events.list(&ListParams::default()).await.unwrap();
        let events = events.into_iter();
        events
            .filter(|it| it.reporting_controller.as_deref() == Some("sessionstore-operator"))
            .collect()
    }

    /// Waits for an Event with this reason, and gives what it says.
    pub(crate) async fn await_event(&self, reason: &str) -> String {
        let what = format!("there is an Event {reason}");
        eventually(&what, async || self.events(reason).await.into_iter().next())
            .await
            .note
            .unwrap_or_default()
    }

    /// Writes a SessionStore past the API server, and so past its definition: as one of an older or
    /// looser definition is stored.
    pub(crate) fn store_as(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let key = format!(
            "/registry/sessionstore.dev/sessionstores/{}/{name}",
            self.namespace
        );
        let key = STANDARD.encode(key);
        let found = self.lab.etcd("range", &json!({"key": key}));
        let value = STANDARD.decode(found["kvs"][0]["value"].as_str().unwrap());
        let mut store: Value = serde_json::from_slice(&value.unwrap()).unwrap();
        edit(&mut store);
        let generation = store["metadata"]["generation"].as_i64().unwrap();
        store["metadata"]["generation"] = json!(generation + 1);
        let value = STANDARD.encode(store.to_string());
        self.lab.etcd("put", &json!({"key": key, "value": value}));
    }

    /// Waits until nothing moves any more.
    pub(crate) async fn settle(&self, operator: &Operator) {
        self.settle_but(operator, &[]).await;
    }

    /// The same, where these SessionStores have no newest spec that a status could be about.
    pub(crate) async fn settle_but(&self, operator: &Operator, unreadable: &[&str]) {
        let end = Instant::now() + PATIENCE;
        let look = async || {
            let writes = operator.metric("sessionstore_operator_api_calls_total", "verb=\"patch\"");
            #[expect(clippy::cast_possible_truncation, reason = "a count")]
            (self.versions().await, writes as i64)
        };
        let mut before = look().await;
        loop {
            tokio::time::sleep(QUIET).await;
            let after = look().await;
            let in_flight = operator.metric("sessionstore_operator_reconciles_in_flight", "");
            let is_quiet = after == before && in_flight < 1.0;
            // On a busy machine it may be quiet before it has begun.
            if is_quiet && self.is_looked_at(unreadable).await && self.is_counted().await {
                return;
            }
            assert!(Instant::now() < end, "it does not settle: {after:?}");
            before = after;
        }
    }

    /// Whether every status is about the newest spec.
    async fn is_looked_at(&self, unreadable: &[&str]) -> bool {
        let stores = self.stores().list(&ListParams::default()).await.unwrap();
        let mut readable = stores
            .iter()
            .filter(|it| !unreadable.contains(&it.name_any().as_str()));
        readable.all(|it| {
            let seen = it.data["status"]["observedGeneration"].as_i64();
            seen == it.metadata.generation
        })
    }

    /// Whether the cluster's own controllers have done what they have to, and reported it.
    async fn is_counted(&self) -> bool {
        let objects = self.objects().await;
        let mut counted = objects.iter().filter(|(kind, _)| {
            [
                Kind::StatefulSet,
                Kind::Deployment,
                Kind::PodDisruptionBudget,
            ]
            .contains(kind)
        });
        counted.all(|(_, it)| {
            let (spec, status) = (&it.data["spec"], &it.data["status"]);
            let is_seen = status["observedGeneration"].as_i64() == it.metadata.generation;
            is_seen && (spec["replicas"].is_null() || spec["replicas"] == status["replicas"])
        })
    }

    /// Makes the operator look at a SessionStore, by an annotation that means nothing.
    pub(crate) async fn poke(&self, name: &str, operator: &Operator) {
        let before = operator.looks();
        let stamp = format!("{before}");
        let annotations = json!({"metadata": {"annotations": {"example.com/poke": stamp}}});
        self.change(name, annotations).await;
        eventually("it has been looked at", async || {
            (operator.looks() > before).then_some(())
        })
        .await;
    }
}

/// Changes with every write. Of what the cluster's own controllers report on, which they may do at
/// any time, only with a write of somebody else's.
fn version(object: &DynamicObject) -> String {
    let is_reported_on = object.data.get("status").is_some()
        && object
            .types
            .as_ref()
            .is_none_or(|it| it.kind != "SessionStore");
    if !is_reported_on {
        return object.resource_version().unwrap();
    }
    let mut object = serde_json::to_value(object).unwrap();
    object["status"].take();
    let metadata = &mut object["metadata"];
    metadata["resourceVersion"].take();
    let managers = metadata["managedFields"].as_array_mut().unwrap();
    managers.retain(|it| it["manager"] != "kube-controller-manager");
    let mut hasher = DefaultHasher::new();
    object.to_string().hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// The field manager of an edit by hand.
pub(crate) fn by_hand() -> PatchParams {
    PatchParams {
        field_manager: Some(SOMEBODY.to_owned()),
        ..PatchParams::default()
    }
}

/// Waits for what must come sooner or later.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

//! What the operator watches, and what it has seen there. Watches run whether or not this process
//! leads, so that a new leader knows the cluster at once.
//!
//! Each change of an object that is news names the `SessionStore` that it concerns on the channel of
//! triggers.

mod follow;
mod news;
mod routes;
mod service_monitors;
mod watches;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, Secret};
use kube::api::DynamicObject;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::broadcast;

use crate::apply::{Seen, is_owned_by};
use crate::cache::follow::Progress;
use crate::cache::news::Right;
use crate::cache::watches::Watches;
use crate::config::Scope;
use crate::crd::{SessionStore, SessionStoreStatus};
use crate::desired::Owner;
use crate::health::Streams;
use crate::kind::Kind;
use crate::names::INSTANCE;

/// A `SessionStore` as it was read: one that cannot be read stops no other.
pub type Stored = DeserializeGuard<SessionStore>;

/// Which `SessionStore` to look at.
pub type Target = ObjectRef<Stored>;

/// Something has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// For one `SessionStore`.
    One(Target),
    /// Perhaps for all.
    All,
}

/// How many changes may wait for a leader that is busy; when there are more, all are looked at.
const TRIGGERS: usize = 1_024;

/// All that was seen.
pub struct Caches {
    /// By namespace; the empty name is all of them.
    scopes: BTreeMap<String, Watched>,
    /// `None` if the operator looks after single namespaces only, and may not see nodes.
    nodes: Option<Store<Node>>,
    triggers: broadcast::Sender<Trigger>,
    right: Right,
    watches: Watches,
}

/// What was seen in one namespace, or in all.
struct Watched {
    session_stores: Store<Stored>,
    owned: BTreeMap<Kind, Owned>,
    pods: Store<Pod>,
    claims: Store<PersistentVolumeClaim>,
}

/// What was seen of one kind that the operator makes.
struct Owned {
    store: Store<DynamicObject>,
    progress: Progress,
}

impl Caches {
    /// Begins to watch.
    pub fn start(client: &Client, streams: &Streams, scope: Scope) -> Self {
        let (triggers, _) = broadcast::channel(TRIGGERS);
        let right = Right::default();
        let watches = Watches::new(client.clone(), streams.clone(), triggers.clone(), &scope);
        let is_everywhere = scope == Scope::Cluster;
        let names = match scope {
            Scope::Cluster => vec![String::new()],
            Scope::Namespaces(names) => names,
        };
        let begin = |name: String| (name.clone(), watches.scope(&name, &right));
        Self {
            scopes: names.into_iter().map(begin).collect(),
            nodes: is_everywhere.then(|| watches.nodes()),
            triggers,
            right,
            watches,
        }
    }

    /// Returns when all has been seen once.
    ///
    /// # Errors
    /// A watch has ended, which none does while the process lives.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        // What is served decides what is to be made: a first look without would take back half of it.
        let has_service_monitors = self.watches.service_monitors().first().await;
        for scope in self.scopes.values() {
            scope.session_stores.wait_until_ready().await?;
            scope.pods.wait_until_ready().await?;
            scope.claims.wait_until_ready().await?;
            let is_served = |kind: &Kind| kind.is_built_in() || has_service_monitors;
            let served = scope.owned.iter().filter(|(kind, _)| is_served(kind));
            try_join_all(served.map(|(_, owned)| owned.store.wait_until_ready())).await?;
        }
        match &self.nodes {
            Some(nodes) => nodes.wait_until_ready().await,
            None => Ok(()),
        }
    }

    /// What changes from now on.
    pub fn triggers(&self) -> broadcast::Receiver<Trigger> {
        self.triggers.subscribe()
    }

    /// For whoever sees a change elsewhere: in the replica set.
    pub fn trigger(&self) -> broadcast::Sender<Trigger> {
        self.triggers.clone()
    }

    /// The namespaces that are watched, with the `SessionStore`s there; the empty name is all.
    pub fn scopes(&self) -> Vec<(String, Store<Stored>)> {
        self.scopes
            .iter()
            .map(|(name, scope)| (name.clone(), scope.session_stores.clone()))
            .collect()
    }

    /// All `SessionStore`s of a namespace that is watched.
    pub fn targets(&self, namespace: &str) -> Vec<Target> {
        let stored = self
            .scopes
            .get(namespace)
            .map(|scope| scope.session_stores.state());
        stored
            .unwrap_or_default()
            .iter()
            .map(|stored| ObjectRef::from_obj(stored.as_ref()))
            .collect()
    }

    /// How far the watches have got of what `owner` may control.
    pub fn seen(&self, owner: &Owner) -> Seen {
        let scope = self.scope(&owner.namespace);
        let kinds = scope.iter().flat_map(|scope| &scope.owned);
        kinds
            .map(|(kind, owned)| (*kind, owned.progress.version()))
            .collect()
    }

    /// The objects that `owner` controls.
    pub fn owned(&self, owner: &Owner) -> Vec<(Kind, Arc<DynamicObject>)> {
        let Some(scope) = self.scope(&owner.namespace) else {
            return Vec::new();
        };
        let mut objects = Vec::new();
        for (kind, seen) in &scope.owned {
            let is_its = |object: &DynamicObject| {
                object.namespace().as_deref() == Some(owner.namespace.as_str())
                    && is_owned_by(object.owner_references(), &owner.uid)
            };
            let found = seen.store.state_filter(is_its);
            objects.extend(found.into_iter().map(|object| (*kind, object)));
        }
        objects
    }

    /// The pods that have its label.
    pub fn pods(&self, owner: &Owner) -> Vec<Arc<Pod>> {
        self.scope(&owner.namespace)
            .map(|scope| scope.pods.state_filter(|pod| is_labelled(pod, owner)))
            .unwrap_or_default()
    }

    /// The claims for volumes that have its label, also those of an earlier one of its name.
    pub fn claims(&self, owner: &Owner) -> Vec<Arc<PersistentVolumeClaim>> {
        self.scope(&owner.namespace)
            .map(|scope| scope.claims.state_filter(|claim| is_labelled(claim, owner)))
            .unwrap_or_default()
    }

    /// Whether a node that is not found does not exist.
    pub fn can_see_nodes(&self) -> bool {
        self.nodes.is_some()
    }

    /// A node; `None` also where the operator may not see nodes.
    pub fn node(&self, name: &str) -> Option<Arc<Node>> {
        self.nodes.as_ref()?.get(&ObjectRef::new(name))
    }

    /// A Secret that a `SessionStore` refers to, which is watched from then on, until
    /// [`Caches::release`]. Waits for the first look at it.
    ///
    /// # Errors
    /// The watch has ended, which none does while it is held.
    pub async fn secret(
        &self,
        target: &Target,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Secret>>, WriterDropped> {
        let store = self.watches.secret(target, namespace, name);
        store.wait_until_ready().await?;
        Ok(store.get(&ObjectRef::new(name).within(namespace)))
    }

    /// Takes it for no news when this status is seen: a look has found that it is right.
    pub fn expect(&self, target: &Target, status: &SessionStoreStatus) {
        self.right.set(target, status);
    }

    /// Forgets what was expected of one that is gone, and what it referred to.
    pub fn forget(&self, target: &Target) {
        self.right.forget(target);
        self.release(target);
    }

    /// Ends the watch of the Secret that this `SessionStore` referred to.
    pub fn release(&self, target: &Target) {
        self.watches.release_secret(target);
    }

    /// Whether the cluster knows the kind `ServiceMonitor`.
    pub fn has_service_monitors(&self) -> bool {
        self.watches.service_monitors().now()
    }

    fn scope(&self, namespace: &str) -> Option<&Watched> {
        self.scopes.get(namespace).or_else(|| self.scopes.get(""))
    }
}

fn is_labelled(object: &impl ResourceExt, owner: &Owner) -> bool {
    object.namespace().as_deref() == Some(owner.namespace.as_str())
        && object.labels().get(INSTANCE) == Some(&owner.name)
}

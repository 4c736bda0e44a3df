//! One look at one `SessionStore`: `dereference → validate → build → apply → mongo → status`.

mod credentials;
mod memory;
mod mongodb;
mod newest;
mod outcome;
mod patience;
mod report;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use thiserror::Error;

use crate::apply::{self, Applied, Applier, ApplyError, Count, Key, Scaled, version};
use crate::build::{self, Backend, Environment, Kept};
use crate::cache::{Caches, Stored, Target};
use crate::clock;
use crate::crd::SessionStore;
use crate::dereference::{DereferenceError, World, external_digest};
use crate::desired::{Desired, Mongodb, Owner, Retention, Scale};
use crate::kind::Kind;
use crate::leader::{Leadership, NotLeader};
use crate::members;
use crate::metrics::Metrics;
use crate::mongo::ActError;
use crate::names::Component;
use crate::pods::PodError;
use crate::reconcile::memory::Memory;
use crate::reconcile::mongodb::View;
use crate::reconcile::newest::WHILE_LATE;
use crate::reconcile::outcome::{Looked, sooner};
use crate::status::{ApiFindings, Findings, MongodbFindings, Problem};
use crate::validate::{self, Defaults, Invalid};

pub use memory::Memories;

/// The count of pods that a `StatefulSet` or `Deployment` is made with, since none is applied.
const WHEN_MADE: Count = Count {
    pods: 1,
    version: 0,
};

/// How soon to look again whether a name is free by now, or an object is taken for valid.
const WHILE_REFUSED: Duration = Duration::from_secs(15);

/// What every reconcile has at hand.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What is the same for all.
    pub environment: Environment,
    /// What counts where a spec says nothing.
    pub defaults: Defaults,
    /// What is seen of the cluster.
    pub caches: Arc<Caches>,
    /// Whether this process may change anything.
    pub leadership: Leadership,
    /// Writes Events.
    pub recorder: Recorder,
    /// What is measured.
    pub metrics: Metrics,
    /// What is remembered.
    pub memories: Memories,
}

/// A reconcile did not get to its end.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The spec cannot be carried out.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Something that it refers to cannot be used.
    #[error(transparent)]
    Dereference(#[from] DereferenceError),
    /// Objects could not be brought to what they are to be.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A pod could not be changed.
    #[error(transparent)]
    Pod(#[from] PodError),
    /// A member did not do what the plan has decided.
    #[error("a step for the members failed: {0}")]
    Act(#[from] ActError),
    /// Whether it is seen as it is could not be found out.
    #[error("cannot read the newest version: {0}")]
    Unread(#[source] kube::Error),
    /// The status or an Event could not be written.
    #[error("cannot write the status: {0}")]
    Status(#[source] kube::Error),
    /// A defect of the operator's.
    #[error("the operator has failed, as its log says: please report it")]
    Panicked,
    /// Another process leads by now.
    #[error(transparent)]
    NotLeading(#[from] NotLeader),
}

impl ReconcileError {
    /// For metrics and conditions, in one word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(invalid) => invalid.reason(),
            Self::Dereference(error) => error.reason(),
            Self::Apply(ApplyError::Taken(_)) => "NameTaken",
            Self::Apply(ApplyError::Earlier(_)) => "WaitingForDeletion",
            Self::Apply(ApplyError::Invalid { .. }) => "ObjectInvalid",
            Self::Apply(ApplyError::Outdated(_)) => "Outdated",
            Self::Apply(ApplyError::NamespaceTerminating) => "NamespaceTerminating",
            Self::Apply(ApplyError::Api { .. }) => "ApplyFailed",
            Self::Pod(PodError::Budget(_)) => "DisruptionBudget",
            Self::Pod(PodError::Api { .. }) => "PodFailed",
            Self::Act(ActError::Call(_)) => "MemberRefused",
            Self::Unread(_) => "ReadFailed",
            Self::Status(_) => "StatusFailed",
            Self::Panicked => "OperatorFailed",
            Self::NotLeading(_)
            | Self::Act(ActError::NotLeading)
            | Self::Apply(ApplyError::NotLeading(_))
            | Self::Pod(PodError::NotLeading(_)) => "NotLeading",
        }
    }

    /// Whether trying again is of no use before somebody has changed something, which is seen.
    fn is_stalled(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::Dereference(_)
            | Self::Apply(ApplyError::Taken(_) | ApplyError::Invalid { .. }) => true,
            Self::Apply(_)
            | Self::Pod(_)
            | Self::Act(_)
            | Self::Unread(_)
            | Self::Status(_)
            | Self::Panicked
            | Self::NotLeading(_) => false,
        }
    }

    /// How soon to look again at what is stalled; `None` if a watch tells that it is not any more.
    /// An object of somebody else's has no label by which it would be watched, and what the cluster's
    /// administrators take for invalid is in policies of their own.
    fn look_again(&self) -> Option<Duration> {
        matches!(self, Self::Apply(_)).then_some(WHILE_REFUSED)
    }

    /// Whether it is about to go, which is seen.
    fn is_leaving(&self) -> bool {
        matches!(self, Self::Apply(ApplyError::NamespaceTerminating))
    }

    /// Whether what it was decided on has changed meanwhile: the next look sees more.
    fn is_outdated(&self) -> bool {
        matches!(self, Self::Apply(ApplyError::Outdated(_)))
    }

    /// Whether nothing is to be done for the members either.
    fn ends_all(&self) -> bool {
        self.is_not_leading() || self.is_leaving()
    }

    fn is_not_leading(&self) -> bool {
        self.reason() == "NotLeading"
    }

    fn problem(&self) -> Problem {
        Problem {
            reason: self.reason(),
            message: self.to_string(),
            is_stalled: self.is_stalled(),
        }
    }
}

/// Looks at one `SessionStore`, takes the next steps for it, and says when to look again if
/// nothing changes until then.
pub async fn reconcile(stored: Arc<Stored>, context: Arc<Context>) -> Action {
    let target = ObjectRef::from_obj(stored.as_ref());
    let uid = stored.uid().unwrap_or_default();
    let memory = context.memories.of(&target, &uid).await;
    let mut memory = memory.lock().await;
    context.metrics.queue.take(&target);
    let in_flight = context.metrics.begin();
    let look = Box::pin(context.look(&target, &stored, &mut memory));
    let looked = outcome::guarded(look).await;
    in_flight.finish(outcome::of(&looked));
    let again = outcome::again(looked, &mut memory, &context.metrics);
    let Some(again) = again else {
        return Action::await_change();
    };
    context.metrics.queue.put(&target, clock::now() + again);
    Action::requeue(again)
}

impl Context {
    async fn look(&self, target: &Target, stored: &Stored, memory: &mut Memory) -> Looked {
        if memory.is_leaving {
            return Looked::default();
        }
        match self.has_newest(target, stored, memory).await {
            Ok(true) => {}
            Ok(false) => return Looked::well(Some(WHILE_LATE)),
            Err(error) => return error.into(),
        }
        let store = match &stored.0 {
            Ok(store) => store,
            Err(unreadable) => {
                let told = self.report_unreadable(target, unreadable, memory).await;
                return told.map_or_else(Looked::from, |()| Looked::default());
            }
        };
        memory.unreadable = None;
        if store.metadata.deletion_timestamp.is_some() {
            // What it owns goes with it; to repair that now would hold it up.
            return Looked::default();
        }
        let mut findings = Findings {
            generation: store.metadata.generation,
            is_paused: store.spec.paused,
            ..Findings::default()
        };
        let work = self.work(target, store, memory, &mut findings).await;
        let looked = work.unwrap_or_else(Looked::from);
        if let Some(error) = &looked.error {
            if error.is_not_leading() || error.is_outdated() {
                return looked;
            }
            findings.problem = Some(error.problem());
        }
        match self.report(target, store, memory, &findings).await {
            Ok(()) => looked,
            Err(error) => error.into(),
        }
    }

    /// Forgets one that is gone, and says what it has left.
    pub fn forget(self: &Arc<Self>, target: &Target) {
        self.caches.forget(target);
        self.metrics.queue.take(target);
        self.metrics.stores.forget(target);
        let Some(memory) = self.memories.forget(target) else {
            return;
        };
        let context = self.clone();
        // Nobody waits for an Event: it may take as long as any call.
        tokio::spawn(async move { context.tell_what_stays(&*memory.lock().await).await });
    }

    async fn tell_what_stays(&self, memory: &Memory) {
        let Some(desired) = &memory.desired else {
            return;
        };
        if let Mongodb::Managed(set) = &desired.mongodb
            && set.storage.when_deleted == Retention::Retain
        {
            self.tell_retained(&desired.owner).await;
        }
    }

    async fn work(
        &self,
        target: &Target,
        store: &SessionStore,
        memory: &mut Memory,
        findings: &mut Findings,
    ) -> Result<Looked, ReconcileError> {
        let desired = validate::desired(store, &self.defaults)?;
        memory.desired = Some(desired.clone());
        findings.lacks_service_monitors =
            desired.monitoring.service_monitor && !self.caches.has_service_monitors();
        let world = World::read(&self.caches, &desired.owner);
        let stateful_set = world.stateful_set(&desired.owner)?;
        let deployment = world.deployment(&desired.owner)?;
        let api = Key::new(Kind::Deployment, &desired.owner.part(Component::Api));
        let look_at_api = |applied: &Applied| {
            let newest = applied.generation(&api);
            deployment
                .as_ref()
                .map(|it| ApiFindings::of(it, desired.api.scale, newest))
        };
        findings.api = look_at_api(&memory.applied);
        match &desired.mongodb {
            Mongodb::External(secret) => {
                let digest =
                    external_digest(&self.caches, target, &desired.owner.namespace, secret).await?;
                let backend = Backend::External {
                    secret,
                    digest: &digest,
                };
                let again = self
                    .apply(
                        &desired,
                        &world,
                        backend,
                        deployment.as_ref(),
                        memory,
                        store,
                    )
                    .await?;
                findings.api = look_at_api(&memory.applied);
                findings.mongodb = Some(MongodbFindings::External);
                Ok(Looked::well(again))
            }
            Mongodb::Managed(set) => {
                self.caches.release(target);
                let found = self.credentials(&desired.owner, &world, memory).await?;
                let kept = stateful_set.as_ref().and_then(Kept::of);
                let backend = Backend::Managed {
                    set,
                    credentials: &found.credentials,
                    secrets: &found.secrets,
                    kept: kept.as_ref(),
                };
                let adopted = adopted(store, &desired.owner, &world, memory);
                let objects = self
                    .apply(
                        &desired,
                        &world,
                        backend,
                        deployment.as_ref(),
                        memory,
                        store,
                    )
                    .await;
                findings.api = look_at_api(&memory.applied);
                let Some(stateful_set) = stateful_set else {
                    // The next look has it, and all pods are on their way by then.
                    let again = objects?;
                    self.tell_adopted(store, &adopted).await;
                    return Ok(Looked::well(again));
                };
                if objects.as_ref().is_err_and(ReconcileError::ends_all) {
                    return objects.map(Looked::well);
                }
                // Whatever is in the way of an object, a set that stands needs its steps.
                let view = View {
                    store,
                    desired: &desired,
                    set,
                    world: &world,
                    stateful_set: &stateful_set,
                    found: &found,
                };
                Looked::of_both(objects, self.members(view, memory, findings).await)
            }
        }
    }

    /// Brings all objects to what they are to be, and the API to its count of pods. Says how soon
    /// to look again at what is left as it is for the moment.
    async fn apply(
        &self,
        desired: &Desired,
        world: &World,
        backend: Backend<'_>,
        deployment: Option<&Deployment>,
        memory: &mut Memory,
        store: &SessionStore,
    ) -> Result<Option<Duration>, ReconcileError> {
        if store.spec.paused {
            return Ok(None);
        }
        let mut objects = build::objects(desired, &self.environment, backend);
        if !self.caches.has_service_monitors() {
            objects.retain(|object| object.kind != Kind::ServiceMonitor);
        }
        let observed = world.observed();
        let steps = apply::steps(
            &objects,
            &observed,
            &world.seen,
            &memory.applied,
            clock::now(),
        );
        let applier = Applier::new(&self.client, &desired.owner, &self.leadership);
        let made: Vec<Key> = steps.made().collect();
        let conflicts = applier.take(steps.now, &mut memory.applied).await?;
        self.report_conflicts(store, &conflicts).await;
        let found = deployment.and_then(|it| {
            Some(Count {
                pods: it.spec.as_ref()?.replicas?,
                version: version(it.metadata.resource_version.as_deref()),
            })
        });
        let mut again = steps.again;
        let api = Key::new(Kind::Deployment, &desired.owner.part(Component::Api));
        let found = found.or(made.contains(&api).then_some(WHEN_MADE));
        if let (Scale::Fixed(wanted), Some(found)) = (desired.api.scale, found) {
            let wait = self.scale(&applier, api, found, wanted, memory).await?;
            again = sooner(again, wait);
        }
        let members = Key::new(Kind::StatefulSet, &desired.owner.part(Component::Mongodb));
        if let Backend::Managed { set, .. } = backend
            && made.contains(&members)
            && !has_set(store)
        {
            // Whatever volumes there are: fewer are never wanted, and how many more are needed only
            // members can tell. Where there was a set, the StatefulSet may be there with as many as
            // it needs, out of sight since somebody has taken its label away.
            let wanted = i32::from(set.members);
            let wait = self.scale(&applier, members, WHEN_MADE, wanted, memory);
            again = sooner(again, wait.await?);
        }
        Ok(again)
    }

    /// Sets a count of pods, at once or, if that is of no use for the moment, as soon as it says.
    async fn scale(
        &self,
        applier: &Applier<'_>,
        key: Key,
        found: Count,
        wanted: i32,
        memory: &mut Memory,
    ) -> Result<Option<Duration>, ReconcileError> {
        if found.pods == wanted {
            return Ok(None);
        }
        let settling = memory.applied.settling(&key, found.version, clock::now());
        // Its own write would be in the way.
        if let Some(wait) = settling.filter(|_| found.is_seen()) {
            return Ok(Some(wait));
        }
        let before = memory.scaled.get(&key);
        if let Some(wait) = before.and_then(|it| it.wait(found, wanted, clock::now())) {
            return Ok(Some(wait));
        }
        let version = applier.scale(&key, found, wanted).await?;
        let scaled = Scaled::next(before, found, wanted, version, clock::now());
        memory.scaled.insert(key, scaled);
        Ok(None)
    }
}

/// Whether its replica set is known.
fn has_set(store: &SessionStore) -> bool {
    let status = store.status.as_ref().and_then(|it| it.mongodb.as_ref());
    status.is_some_and(|it| it.replica_set_id.is_some())
}

/// The claims that an earlier `SessionStore` of this name has left, if this one is about to take them
/// over: one whose set is known has claims of its own.
fn adopted(store: &SessionStore, owner: &Owner, world: &World, memory: &Memory) -> Vec<String> {
    let key = Key::new(Kind::StatefulSet, &owner.part(Component::Mongodb));
    let mut objects = world.objects.iter();
    let is_made = memory.applied.has(&key)
        || objects.any(|(kind, it)| *kind == key.kind && it.name_any() == key.name);
    if is_made || has_set(store) || store.spec.paused {
        return Vec::new();
    }
    members::claims(owner, &world.claims)
}

//! The members: what they answer, the next step of the plan, and taking it.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;

use crate::apply::{Applier, Count, Key, version};
use crate::build::{Credentials, OPERATOR_USER, SERVICE_USER};
use crate::cache::{Target, Trigger};
use crate::crd::SessionStore;
use crate::dereference::World;
use crate::desired::{Desired, ReplicaSet};
use crate::kind::Kind;
use crate::members;
use crate::mongo::plan::{self, Action as Step, Answer, Member, Next, Observed, Summary, plan};
use crate::mongo::{Access, Login, Members, Monitor, Versions};
use crate::names::Component;
use crate::pods::Pods;
use crate::reconcile::credentials::Found;
use crate::reconcile::memory::Memory;
use crate::reconcile::patience::Patience;
use crate::reconcile::{Context, ReconcileError, has_set, sooner};
use crate::status::{Findings, MongodbFindings};

/// How soon to look again after a step: it has mostly been taken by then.
const AFTER_STEP: Duration = Duration::from_millis(100);
/// How soon to look again while the cluster has not looked at the newest template.
const WHILE_UNSEEN: Duration = Duration::from_secs(1);
/// How soon to look again while nothing is changed.
const WHILE_PAUSED: Duration = Duration::from_secs(15);

/// What is known when the members are looked at.
pub(super) struct View<'a> {
    pub(super) store: &'a SessionStore,
    pub(super) desired: &'a Desired,
    pub(super) set: &'a ReplicaSet,
    pub(super) world: &'a World,
    pub(super) stateful_set: &'a StatefulSet,
    pub(super) found: &'a Found,
}

fn access(view: &View<'_>) -> Access {
    let Credentials {
        key,
        operator_password,
        service_password,
    } = &view.found.credentials;
    let login = |user: &str, password: &String| Login {
        user: user.to_owned(),
        password: password.clone(),
    };
    Access {
        set: view.desired.owner.name.clone(),
        key: key.clone(),
        operator: login(OPERATOR_USER, operator_password),
        service: login(SERVICE_USER, service_password),
    }
}

/// Asks the members that run; to wait for others would hold up all else.
async fn ask(members: &Members, view: &View<'_>, wanted: &plan::Desired, observed: &mut Observed) {
    let can_be_asked = |ordinal: &usize| {
        let pod = members::pod(&view.desired.owner, &view.world.pods, *ordinal);
        pod.is_some_and(|pod| members::can_be_asked(pod))
    };
    let ordinals: Vec<usize> = (0..observed.members.len()).filter(can_be_asked).collect();
    let hosts: Vec<String> = ordinals
        .iter()
        .map(|it| wanted.hosts[*it].clone())
        .collect();
    let answers = members.observe(&hosts).await;
    for (ordinal, answer) in ordinals.into_iter().zip(answers) {
        observed.members[ordinal].answer = answer;
    }
}

/// What the primary runs; asked once of each of its pods.
async fn versions(
    members: &Members,
    view: &View<'_>,
    wanted: &plan::Desired,
    summary: &Summary,
    memory: &mut Memory,
) -> Option<Versions> {
    let Some(primary) = summary.primary else {
        memory.versions = None;
        return None;
    };
    let pod = members::pod(&view.desired.owner, &view.world.pods, primary)?.uid()?;
    if memory.versions.as_ref().is_none_or(|(of, _)| *of != pod) {
        memory.versions = match members.versions(&wanted.hosts[primary]).await {
            Ok(versions) => Some((pod, versions)),
            Err(error) => {
                tracing::debug!(%error, "the primary does not say what it runs");
                None
            }
        };
    }
    memory
        .versions
        .as_ref()
        .map(|(_, versions)| versions.clone())
}

fn replicas(stateful_set: &StatefulSet) -> usize {
    let replicas = stateful_set.spec.as_ref().and_then(|spec| spec.replicas);
    usize::try_from(replicas.unwrap_or_default()).unwrap_or_default()
}

impl Context {
    /// Looks at the members and takes one step.
    pub(super) async fn members(
        &self,
        view: View<'_>,
        memory: &mut Memory,
        findings: &mut Findings,
    ) -> Result<Option<Duration>, ReconcileError> {
        let key = Key::new(
            Kind::StatefulSet,
            &view.desired.owner.part(Component::Mongodb),
        );
        let Some(wanted) = self.wanted(&view, memory.applied.generation(&key)) else {
            // Its controller has not looked at the newest template yet.
            findings.mongodb = has_set(view.store).then_some(MongodbFindings::Unseen);
            return Ok(Some(WHILE_UNSEEN));
        };
        let mut observed = Observed {
            replicas: replicas(view.stateful_set),
            members: self.seen(&view, wanted.hosts.len()),
        };
        let access = access(&view);
        let members = memory
            .members
            .take()
            .filter(|it| it.opens_with(&access))
            .unwrap_or_else(|| Members::new(access, self.metrics.commands.clone()));
        ask(&members, &view, &wanted, &mut observed).await;
        let next = plan(&wanted, &observed);
        let summary = Summary::of(&wanted, &observed);
        tracing::debug!(?next, "the plan");
        if summary.set_id.is_some() {
            self.watch(&view, &wanted, memory);
        }
        let versions = versions(&members, &view, &wanted, &summary, memory).await;
        findings.mongodb = Some(MongodbFindings::Managed {
            summary,
            next: next.clone(),
            wanted: wanted.members,
            versions,
        });
        if view.store.spec.paused {
            return Ok(Some(WHILE_PAUSED));
        }
        let tend_again = self.tend(&view, &wanted, &observed, memory).await?;
        let again = match next {
            Next::Done => {
                memory.patience = Patience::default();
                return Ok(tend_again);
            }
            Next::Wait(why) => memory.patience.wait(&why),
            Next::Do(step) => {
                memory.patience = Patience::default();
                self.step(&view, &wanted, &step, &members).await?;
                AFTER_STEP
            }
        };
        // Connections stay as long as there is something to do.
        memory.members = Some(members);
        Ok(sooner(tend_again, Some(again)))
    }

    /// Looks again whenever something changes in the set. Before there is one, the watches of pods
    /// tell, and to look for members by names that lead nowhere yet would make the name server
    /// remember that.
    fn watch(&self, view: &View<'_>, wanted: &plan::Desired, memory: &mut Memory) {
        if memory.monitor.is_some() {
            return;
        }
        let owner = &view.desired.owner;
        let target = Target::new(&owner.name).within(&owner.namespace);
        let triggers = self.caches.trigger();
        let changed = move || {
            // Nobody listens any more when another process leads.
            let _ = triggers.send(Trigger::One(target.clone()));
        };
        let hosts = &wanted.hosts[..wanted.members.min(wanted.hosts.len())];
        match Monitor::start(&owner.name, hosts, changed) {
            Ok(monitor) => memory.monitor = Some(monitor),
            Err(error) => tracing::error!(%error, "the replica set cannot be watched"),
        }
    }

    /// The count of pods, and their readiness. Says how soon to look again at what is left as it is
    /// for the moment.
    async fn tend(
        &self,
        view: &View<'_>,
        wanted: &plan::Desired,
        observed: &Observed,
        memory: &mut Memory,
    ) -> Result<Option<Duration>, ReconcileError> {
        let owner = &view.desired.owner;
        let replicas = plan::replicas(wanted, observed);
        let applier = Applier::new(&self.client, owner, &self.leadership);
        let key = Key::new(Kind::StatefulSet, &owner.part(Component::Mongodb));
        let [pods, replicas] =
            [observed.replicas, replicas].map(|it| i32::try_from(it).unwrap_or(i32::MAX));
        let found = Count {
            pods,
            version: version(view.stateful_set.metadata.resource_version.as_deref()),
        };
        let again = self.scale(&applier, key, found, replicas, memory).await?;
        let pods = Pods::new(&self.client, owner, &self.leadership);
        for (ordinal, is_ready) in plan::ready_members(wanted, observed)
            .into_iter()
            .enumerate()
        {
            let pod = members::pod(owner, &view.world.pods, ordinal);
            if let Some(pod) = pod.filter(|pod| !members::has_gate(pod, is_ready)) {
                let uid = pod.uid().unwrap_or_default();
                pods.set_gate(ordinal, &uid, is_ready).await?;
            }
        }
        Ok(again)
    }

    async fn step(
        &self,
        view: &View<'_>,
        wanted: &plan::Desired,
        step: &Step,
        members: &Members,
    ) -> Result<(), ReconcileError> {
        tracing::info!(?step, "the next step for the members");
        let pods = Pods::new(&self.client, &view.desired.owner, &self.leadership);
        match step {
            Step::RestartPod {
                ordinal,
                pod,
                restart,
            } => pods.restart(*ordinal, pod, *restart).await?,
            Step::Resync {
                ordinal,
                volume,
                pod,
                node_lost,
            } => {
                pods.resync(*ordinal, volume, pod.as_deref(), *node_lost)
                    .await?;
            }
            step => {
                let may_act = || self.leadership.check().is_ok();
                members.act(wanted, step, may_act).await?;
            }
        }
        Ok(())
    }

    /// What Kubernetes knows of the members; they have not been asked yet.
    fn seen(&self, view: &View<'_>, hosts: usize) -> Vec<Member> {
        let owner = &view.desired.owner;
        let member = |ordinal| {
            let pod = members::pod(owner, &view.world.pods, ordinal);
            let claim = members::claim(owner, &view.world.claims, ordinal);
            Member {
                pod: pod.map(|pod| {
                    members::seen(pod, self.caches.can_see_nodes(), |name| {
                        self.caches.node(name)
                    })
                }),
                volume: claim.map(|claim| members::volume(claim)),
                answer: Answer::Unreachable("its pod does not run".to_owned()),
            }
        };
        (0..hosts).map(member).collect()
    }

    /// What the plan is to aim at; `None` if the cluster does not know the newest template yet.
    /// `newest` is the generation that the last write has made.
    fn wanted(&self, view: &View<'_>, newest: Option<i64>) -> Option<plan::Desired> {
        let View {
            store,
            desired,
            set,
            stateful_set,
            found,
            ..
        } = view;
        let status = stateful_set.status.as_ref()?;
        let seen = stateful_set.metadata.generation;
        if status.observed_generation != seen || seen < newest {
            return None;
        }
        let domain = &self.environment.cluster_domain;
        let host = |ordinal| desired.owner.member_host(ordinal, domain);
        let mongodb = store.status.as_ref().and_then(|it| it.mongodb.as_ref());
        let mut wanted = plan::Desired {
            hosts: (0..plan::MAX_MEMBERS).map(host).collect(),
            members: usize::from(set.members),
            revision: status.update_revision.clone()?,
            known_set: mongodb.and_then(|it| it.replica_set_id.clone()),
            passwords_are_stored: found.is_stored(&desired.owner),
            permits: Vec::new(),
        };
        if let Some(permits) = store.annotations().get(plan::RESYNC_ANNOTATION) {
            wanted.permits = wanted.permits(permits);
        }
        Some(wanted)
    }
}

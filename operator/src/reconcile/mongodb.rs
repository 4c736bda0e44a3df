//! The members: what they answer, the next step of the plan, and taking it.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use crate::build::Credentials;
use crate::crd::SessionStore;
use crate::dereference::World;
use crate::desired::{Desired, ReplicaSet};
use crate::members;
use crate::mongo::plan::{self, Answer, Member};
use crate::reconcile::memory::Memory;
use crate::reconcile::{Context, ReconcileError};
use crate::status::Findings;

/// How soon to look again after a step: it has mostly been taken by then.
const AFTER_STEP: Duration = Duration::from_millis(100);
/// How soon to look again while something is waited for that no watch tells.
const WHILE_WAITING: Duration = Duration::from_secs(1);
/// The same, while it needs a person.
const WHILE_STALLED: Duration = Duration::from_secs(15);

/// What is known when the members are looked at.
pub(super) struct View<'a> {
    pub(super) store: &'a SessionStore,
    pub(super) desired: &'a Desired,
    pub(super) set: &'a ReplicaSet,
    pub(super) world: &'a World,
    pub(super) stateful_set: &'a StatefulSet,
    pub(super) credentials: &'a Credentials,
}

impl Context {
    /// Looks at the members and takes one step.
    pub(super) async fn members(
        &self,
        view: View<'_>,
        memory: &mut Memory,
        findings: &mut Findings,
    ) -> Result<Action, ReconcileError> {
        let Some(wanted) = self.wanted(&view) else {
            // Its controller has not looked at the newest template yet.
            return Ok(Action::requeue(WHILE_WAITING));
        };
        let _ = (memory, findings, wanted, self.seen(&view, 0));
        Ok(Action::await_change())
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
                volume: claim.and_then(|claim| claim.uid()),
                answer: Answer::Unreachable("it has not been asked".to_owned()),
            }
        };
        (0..hosts).map(member).collect()
    }

    /// What the plan is to aim at; `None` if the cluster does not know the newest template yet.
    fn wanted(&self, view: &View<'_>) -> Option<plan::Desired> {
        let View {
            store,
            desired,
            set,
            stateful_set,
            ..
        } = view;
        let status = stateful_set.status.as_ref()?;
        if status.observed_generation != stateful_set.metadata.generation {
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
            permits: Vec::new(),
        };
        if let Some(permits) = store.annotations().get(plan::RESYNC_ANNOTATION) {
            wanted.permits = wanted.permits(permits);
        }
        Some(wanted)
    }
}

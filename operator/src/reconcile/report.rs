//! Says what was found: in the status, in Events when something begins or ends, in the log.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::error_boundary::InvalidObject;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::apply::Conflict;
use crate::crd::{SessionStore, SessionStoreStatus};
use crate::desired::Owner;
use crate::names::{Component, FIELD_MANAGER};
use crate::reconcile::memory::Memory;
use crate::reconcile::{Context, ReconcileError};
use crate::status::{Findings, condition, status};

impl Context {
    /// Writes the status if it says something new, and an Event for each condition that has begun
    /// or ended.
    pub(super) async fn report(
        &self,
        store: &SessionStore,
        memory: &mut Memory,
        findings: &Findings,
    ) -> Result<(), ReconcileError> {
        let before = memory.status.as_ref().or(store.status.as_ref());
        let now = Time(Timestamp::now());
        let domain = &self.environment.cluster_domain;
        let after = status(findings, memory.desired.as_ref(), domain, before, &now);
        if before == Some(&after) {
            return Ok(());
        }
        self.leadership.check()?;
        let events = transitions(before, &after);
        let patch = json!({
            "apiVersion": SessionStore::api_version(&()),
            "kind": SessionStore::kind(&()),
            "status": after,
        });
        self.api(store)
            .patch_status(
                &store.name_any(),
                &PatchParams::apply(FIELD_MANAGER).force(),
                &Patch::Apply(&patch),
            )
            .await
            .map_err(ReconcileError::Status)?;
        memory.status = Some(after);
        for event in events {
            self.tell(store, event).await;
        }
        Ok(())
    }

    /// Fields that somebody else had set, and that were set back.
    pub(super) async fn report_conflicts(&self, store: &SessionStore, conflicts: &[Conflict]) {
        for conflict in conflicts {
            let kind = conflict.key.kind.name();
            let note = format!(
                "{kind} {} was changed by somebody else, and has been set back: {}",
                conflict.key.name, conflict.what
            );
            let event = event(EventType::Warning, "FieldConflict", "Apply", note);
            self.tell(store, event).await;
        }
    }

    /// A resource that is not what the CRD says: written by an older or newer one.
    pub(super) async fn report_unreadable(
        &self,
        unreadable: &InvalidObject,
        memory: &mut Memory,
    ) -> Result<(), ReconcileError> {
        let (Some(namespace), Some(name)) = (
            unreadable.metadata.namespace.as_deref(),
            unreadable.metadata.name.as_deref(),
        ) else {
            return Ok(());
        };
        if memory.unreadable.as_ref() == Some(&unreadable.error) {
            // To say it again would be seen as a change.
            return Ok(());
        }
        self.leadership.check()?;
        let message = format!(
            "the resource cannot be read: {}; correct it, or install the CRD and the operator of \
             one version",
            unreadable.error
        );
        tracing::warn!(namespace, name, message);
        let now = Time(Timestamp::now());
        let conditions = [(condition::READY, "False"), (condition::STALLED, "True")];
        let conditions = conditions.map(|(kind, holds)| Condition {
            type_: kind.to_owned(),
            status: holds.to_owned(),
            reason: "Unreadable".to_owned(),
            message: message.clone(),
            observed_generation: unreadable.metadata.generation,
            last_transition_time: now.clone(),
        });
        let patch = json!({"status": {
            "observedGeneration": unreadable.metadata.generation,
            "conditions": conditions,
        }});
        let api: Api<kube::api::PartialObjectMeta<SessionStore>> =
            Api::namespaced(self.client.clone(), namespace);
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map_err(ReconcileError::Status)?;
        memory.unreadable = Some(unreadable.error.clone());
        Ok(())
    }

    /// The volumes outlive their `SessionStore`.
    pub(super) async fn tell_retained(&self, owner: &Owner) {
        let note = format!(
            "the volumes of {} stay with their data: a SessionStore of the same name takes them \
             over; to delete them, delete the claims data-{}-*",
            owner.name,
            owner.part(Component::Mongodb)
        );
        let event = event(EventType::Normal, "VolumesRetained", "Delete", note);
        let reference = ObjectReference {
            api_version: Some(SessionStore::api_version(&()).into_owned()),
            kind: Some(SessionStore::kind(&()).into_owned()),
            name: Some(owner.name.clone()),
            namespace: Some(owner.namespace.clone()),
            uid: Some(owner.uid.clone()),
            ..ObjectReference::default()
        };
        self.publish(&event, &reference).await;
    }

    pub(super) async fn tell(&self, store: &SessionStore, event: Event) {
        self.publish(&event, &store.object_ref(&())).await;
    }

    async fn publish(&self, event: &Event, reference: &ObjectReference) {
        // The status says the same; an Event that is lost harms nobody.
        if let Err(error) = self.recorder.publish(event, reference).await {
            tracing::warn!(%error, "an Event could not be written");
        }
    }

    fn api(&self, store: &SessionStore) -> Api<SessionStore> {
        Api::namespaced(self.client.clone(), &store.namespace().unwrap_or_default())
    }
}

pub(super) fn event(kind: EventType, reason: &str, action: &str, note: impl Into<String>) -> Event {
    // The API server takes no longer ones.
    let mut note: String = note.into();
    if let Some((end, _)) = note.char_indices().nth(1_000) {
        note.truncate(end);
    }
    Event {
        type_: kind,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    }
}

/// Whether a new reason is news: what is done and waited for, not what it means for clients.
fn is_story(it: &Condition) -> bool {
    [condition::RECONCILING, condition::STALLED].contains(&it.type_.as_str())
}

/// One Event for each condition that has begun, ended, or has another reason now.
fn transitions(before: Option<&SessionStoreStatus>, after: &SessionStoreStatus) -> Vec<Event> {
    let before = before.map_or(&[][..], |before| &before.conditions);
    let find = |all: &[Condition], kind: &str| all.iter().find(|it| it.type_ == kind).cloned();
    let changed = after
        .conditions
        .iter()
        .filter(|new| match find(before, &new.type_) {
            Some(old) => old.status != new.status || (is_story(new) && old.reason != new.reason),
            // What is not there yet at first is no news.
            None => new.status == "True",
        });
    changed
        // It repeats what `Reconciling` or `Stalled` says.
        .filter(|new| new.type_ != condition::READY || new.status == "True")
        .map(|new| {
            let is_good = new.status == "True"
                && new.type_ != condition::STALLED
                && new.type_ != condition::FOREIGN_MEMBER
                && new.type_ != condition::MAJORITY_LOST;
            let kind = if is_good {
                EventType::Normal
            } else {
                EventType::Warning
            };
            event(kind, &new.reason, &new.type_, new.message.clone())
        })
        .collect()
}

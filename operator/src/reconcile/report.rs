//! Says what was found: in the status, in Events when something begins or ends, in the log.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, TestOperation};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::error_boundary::InvalidObject;
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::{Map, Value, json};

use crate::apply::{Conflict, is_terminating};
use crate::cache::Target;
use crate::crd::{SessionStore, SessionStoreStatus};
use crate::desired::Owner;
use crate::mongo::Monitor;
use crate::names::{Component, FIELD_MANAGER};
use crate::reconcile::memory::{Memory, Written};
use crate::reconcile::{Context, ReconcileError};
use crate::status::{Findings, condition, status};

impl Context {
    /// Writes the status if it says something new, and an Event for each condition that has begun
    /// or ended.
    pub(super) async fn report(
        &self,
        target: &Target,
        store: &SessionStore,
        memory: &mut Memory,
        findings: &Findings,
    ) -> Result<(), ReconcileError> {
        let before = memory.status_of(store).cloned();
        let now = Time(Timestamp::now());
        let domain = &self.environment.cluster_domain;
        let desired = memory.desired.as_ref();
        let after = status(findings, desired, domain, before.as_ref(), &now);
        let lags = memory.monitor.as_ref().map(Monitor::lags);
        self.metrics.stores.show(target, &after, lags);
        self.caches.expect(target, &after);
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        self.leadership.check()?;
        let events = transitions(before.as_ref(), &after);
        let patch = whole(&store.metadata, json!(after));
        let api = self.api(store);
        let written = match api.patch_status(&store.name_any(), &writer(), &patch).await {
            // Deleted meanwhile, which is seen.
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            written => written.map_err(ReconcileError::Status)?,
        };
        memory.status = Some(Written {
            version: written.resource_version().unwrap_or_default(),
            status: after,
        });
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
        target: &Target,
        unreadable: &InvalidObject,
        memory: &mut Memory,
    ) -> Result<(), ReconcileError> {
        self.metrics.stores.show_unreadable(target);
        let (Some(namespace), Some(name)) = (
            unreadable.metadata.namespace.as_deref(),
            unreadable.metadata.name.as_deref(),
        ) else {
            return Ok(());
        };
        let told = (unreadable.metadata.generation, unreadable.error.clone());
        if memory.unreadable.as_ref() == Some(&told) {
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
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource());
        // To list is what the operator may do anyway.
        let only = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = api.list(&only).await.map_err(ReconcileError::Status)?;
        let Some(found) = found.items.first() else {
            return Ok(());
        };
        let now = Time(Timestamp::now());
        let before = &found.data["status"];
        let after = unreadable_status(before, unreadable.metadata.generation, &message, &now);
        if *before != after {
            let patch = whole(&found.metadata, after);
            match api.patch_status(name, &writer(), &patch).await {
                // So wrong that a rule of the definition cannot be asked, which the API server takes
                // for a refusal. Then the Event is all that tells.
                Err(kube::Error::Api(status)) if status.is_invalid() => {
                    tracing::warn!(namespace, name, %status, "nor can its status be written");
                }
                written => {
                    written.map_err(ReconcileError::Status)?;
                }
            }
            let event = event(
                EventType::Warning,
                "Unreadable",
                condition::STALLED,
                message,
            );
            self.publish(&event, &found.object_ref(&resource())).await;
        }
        memory.unreadable = Some(told);
        memory.status = None;
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

    /// The volumes of an earlier `SessionStore` are this one's now.
    pub(super) async fn tell_adopted(&self, store: &SessionStore, claims: &[String]) {
        if claims.is_empty() {
            return;
        }
        let note = format!(
            "the members take over the volumes that an earlier SessionStore of this name has left, \
             with their data: {}",
            claims.join(", ")
        );
        let event = event(EventType::Normal, "AdoptedVolumes", "Create", note);
        self.tell(store, event).await;
    }

    pub(super) async fn tell(&self, store: &SessionStore, event: Event) {
        self.publish(&event, &store.object_ref(&())).await;
    }

    async fn publish(&self, event: &Event, reference: &ObjectReference) {
        // The status says the same; an Event that is lost harms nobody.
        match self.recorder.publish(event, reference).await {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if is_terminating(&status) => {
                tracing::debug!(%status, "no Event is taken any more");
            }
            Err(error) => tracing::warn!(%error, "an Event could not be written"),
        }
    }

    fn api(&self, store: &SessionStore) -> Api<SessionStore> {
        Api::namespaced(self.client.clone(), &store.namespace().unwrap_or_default())
    }
}

/// The status as it is to be, whatever it is now, but not that of another resource of the same name
/// that has come meanwhile. No server-side apply: that has to understand all of the resource, and
/// fails for one that cannot be read. Nobody shares the status anyway.
fn whole(of: &ObjectMeta, status: Value) -> Patch<Value> {
    Patch::Json(json_patch::Patch(vec![
        PatchOperation::Test(TestOperation {
            path: PointerBuf::from_tokens(["metadata", "uid"]),
            value: json!(of.uid),
        }),
        PatchOperation::Add(AddOperation {
            path: PointerBuf::from_tokens(["status"]),
            value: status,
        }),
    ]))
}

fn writer() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

/// As many bytes as the API server takes (`NoteLengthLimit` in `pkg/apis/core/validation/events.go`).
const NOTE_BYTES: usize = 1_024;

pub(super) fn event(kind: EventType, reason: &str, action: &str, note: impl Into<String>) -> Event {
    let mut note: String = note.into();
    let fits = |end: &usize| note.is_char_boundary(*end);
    if note.len() > NOTE_BYTES
        && let Some(end) = (0..=NOTE_BYTES).rev().find(fits)
    {
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
            let is_good = new.status == "True" && condition::is_good(&new.type_);
            let kind = if is_good {
                EventType::Normal
            } else {
                EventType::Warning
            };
            event(kind, &new.reason, &new.type_, new.message.clone())
        })
        .collect()
}

fn resource() -> ApiResource {
    ApiResource::erase::<SessionStore>(&())
}

/// The status of a resource that cannot be read: what it said before, with other conditions.
fn unreadable_status(before: &Value, generation: Option<i64>, message: &str, now: &Time) -> Value {
    let known = before["conditions"].as_array();
    let conditions = [(condition::READY, "False"), (condition::STALLED, "True")];
    let conditions = conditions.map(|(kind, status)| {
        let mut known = known.into_iter().flatten();
        let same = known.find(|it| it["type"] == kind && it["status"] == status);
        json!({
            "type": kind,
            "status": status,
            "reason": "Unreadable",
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": same.map_or(json!(now), |it| it["lastTransitionTime"].clone()),
        })
    });
    let mut status = match before {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    status.insert("observedGeneration".to_owned(), json!(generation));
    status.insert("conditions".to_owned(), json!(conditions));
    Value::Object(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(conditions: &[(&str, &str, &str)]) -> SessionStoreStatus {
        let conditions = conditions.iter().map(|(kind, status, reason)| Condition {
            type_: (*kind).to_owned(),
            status: (*status).to_owned(),
            reason: (*reason).to_owned(),
            message: format!("because of {reason}"),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        });
        SessionStoreStatus {
            conditions: conditions.collect(),
            ..SessionStoreStatus::default()
        }
    }

    /// Reason, type of condition, and whether it warns.
    fn told(
        before: Option<&SessionStoreStatus>,
        after: &SessionStoreStatus,
    ) -> Vec<(String, String, bool)> {
        let events = transitions(before, after).into_iter();
        events
            .map(|it| (it.reason, it.action, it.type_ == EventType::Warning))
            .collect()
    }

    fn news(reason: &str, kind: &str, is_warning: bool) -> (String, String, bool) {
        (reason.to_owned(), kind.to_owned(), is_warning)
    }

    #[test]
    fn what_has_not_changed_is_no_news() {
        let status = says(&[
            ("Ready", "True", "AsSpecified"),
            ("ApiAvailable", "True", "Yes"),
        ]);
        assert_eq!(told(Some(&status), &status), []);
    }

    #[test]
    fn another_message_or_generation_is_no_news() {
        let before = says(&[("Reconciling", "True", "ApiRollingOut")]);
        let mut after = before.clone();
        after.conditions[0].message = "1 of 2".to_owned();
        after.conditions[0].observed_generation = Some(2);
        assert_eq!(told(Some(&before), &after), []);
    }

    #[test]
    fn a_first_status_tells_what_holds_and_not_what_is_not_there_yet() {
        let first = says(&[
            ("Ready", "False", "Starting"),
            ("Reconciling", "True", "Starting"),
            ("ApiAvailable", "False", "NoPodReady"),
        ]);
        assert_eq!(told(None, &first), [news("Starting", "Reconciling", false)]);
    }

    #[test]
    fn what_is_lost_or_in_the_way_is_a_warning_and_what_is_there_again_is_not() {
        let well = says(&[
            ("Ready", "True", "AsSpecified"),
            ("ApiAvailable", "True", "Yes"),
        ]);
        let ill = says(&[
            ("Ready", "False", "NameTaken"),
            ("Stalled", "True", "NameTaken"),
            ("ApiAvailable", "False", "No"),
        ]);
        let warnings = [
            news("NameTaken", "Stalled", true),
            news("No", "ApiAvailable", true),
        ];
        assert_eq!(told(Some(&well), &ill), warnings);
        let again = [
            news("AsSpecified", "Ready", false),
            news("Yes", "ApiAvailable", false),
        ];
        assert_eq!(told(Some(&ill), &well), again);
    }

    #[test]
    fn another_reason_for_the_same_is_news() {
        let before = says(&[("Reconciling", "True", "Starting")]);
        let after = says(&[("Reconciling", "True", "ApiRollingOut")]);
        let news = [news("ApiRollingOut", "Reconciling", false)];
        assert_eq!(told(Some(&before), &after), news);
    }

    #[test]
    fn a_note_is_as_long_as_the_api_server_takes_and_no_half_letters() {
        let note = event(
            EventType::Normal,
            "R",
            "A",
            format!("x{}", "ä".repeat(2_000)),
        )
        .note;
        assert_eq!(note.unwrap(), format!("x{}", "ä".repeat(511)));
    }

    #[test]
    fn one_that_cannot_be_read_keeps_what_was_known_and_its_times() {
        let now = Time(Timestamp::UNIX_EPOCH);
        let before = json!({
            "mongodb": {"replicaSetId": "1"},
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "ApiAvailable", "status": "True"},
            ],
        });
        let after = unreadable_status(&before, Some(2), "no number", &now);
        assert_eq!(after["mongodb"], before["mongodb"]);
        let [ready, stalled] = after["conditions"].as_array().unwrap().as_slice() else {
            panic!("there are two");
        };
        assert_eq!(ready["lastTransitionTime"], "2026-01-01T00:00:00Z");
        assert_eq!(stalled["lastTransitionTime"], json!(now));
        // To say the same again changes nothing.
        let later = Time(Timestamp::from_second(7).unwrap());
        assert_eq!(
            unreadable_status(&after, Some(2), "no number", &later),
            after
        );
    }

    #[test]
    fn one_without_a_status_gets_one() {
        let now = Time(Timestamp::UNIX_EPOCH);
        let status = unreadable_status(&Value::Null, Some(1), "no number", &now);
        assert_eq!(status["conditions"][0]["status"], "False");
    }
}

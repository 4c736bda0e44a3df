//! What there is to do to bring objects to what they are to be. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt};

use crate::build::{Object, digest};
use crate::crd::SessionStore;
use crate::kind::Kind;

/// Tells an object from all others of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The object of this kind and name.
    pub fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }

    /// That of an object.
    pub fn of(object: &Object) -> Self {
        Self::new(object.kind, &object.name)
    }
}

/// An object in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which one.
    pub key: Key,
    /// Which one of that name.
    pub uid: String,
    /// Changes with all that somebody may set, and with nothing that the cluster reports.
    pub fingerprint: String,
    /// Whether it is being deleted.
    pub is_going: bool,
}

impl Observed {
    /// What there is to know of an object.
    pub fn of(kind: Kind, object: &DynamicObject) -> Self {
        Self {
            key: Key::new(kind, &object.name_any()),
            uid: object.uid().unwrap_or_default(),
            fingerprint: fingerprint(object),
            is_going: object.metadata.deletion_timestamp.is_some(),
        }
    }
}

/// What has been applied, and what the objects looked like then. Kept while the process lives: a
/// new one applies everything once, which changes nothing.
#[derive(Debug, Default)]
pub struct Applied(BTreeMap<Key, Trace>);

#[derive(Debug, PartialEq, Eq)]
struct Trace {
    manifest: String,
    fingerprint: String,
}

impl Applied {
    /// Notes that `object` was applied, and what became of it.
    pub fn note(&mut self, object: &Object, live: &DynamicObject) {
        let trace = Trace {
            manifest: object.digest(),
            fingerprint: fingerprint(live),
        };
        self.0.insert(Key::of(object), trace);
    }

    /// Notes that an object is gone.
    pub fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }

    fn is_current(&self, object: &Object, observed: &Observed) -> bool {
        self.0.get(&observed.key).is_some_and(|trace| {
            trace.fingerprint == observed.fingerprint && trace.manifest == object.digest()
        })
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<'a> {
    /// Apply an object that is not there.
    Make(&'a Object),
    /// Apply an object that is there.
    Apply(&'a Object),
    /// Delete an object that is no longer wanted.
    Delete(&'a Observed),
}

/// What to do, in this order: apply what is missing or has moved, then delete what is left over.
/// Nothing if nothing has moved. `observed` holds only what belongs to the owner.
pub fn steps<'a>(
    desired: &'a [Object],
    observed: &'a [Observed],
    applied: &Applied,
) -> Vec<Step<'a>> {
    let there: BTreeMap<&Key, &Observed> = observed.iter().map(|it| (&it.key, it)).collect();
    let wanted: BTreeSet<Key> = desired.iter().map(Key::of).collect();
    let changes = desired.iter().filter_map(|object| {
        match there.get(&Key::of(object)) {
            None => Some(Step::Make(object)),
            // It comes back when it is gone.
            Some(observed) if observed.is_going => None,
            Some(observed) if applied.is_current(object, observed) => None,
            Some(_) => Some(Step::Apply(object)),
        }
    });
    let deletes = observed
        .iter()
        .filter(|it| !it.is_going && !wanted.contains(&it.key))
        .map(Step::Delete);
    changes.chain(deletes).collect()
}

/// Whether the `SessionStore` of this uid controls the object.
pub fn is_owned_by(owners: &[OwnerReference], uid: &str) -> bool {
    owners.iter().any(|owner| {
        owner.uid == uid && owner.controller == Some(true) && owner.kind == SessionStore::kind(&())
    })
}

/// Of all that somebody may set: not of the status, nor of what changes with each write.
fn fingerprint(object: &DynamicObject) -> String {
    let mut metadata = object.metadata.clone();
    metadata.managed_fields = None;
    metadata.resource_version = None;
    metadata.generation = None;
    let mut data = object.data.clone();
    if let Some(data) = data.as_object_mut() {
        data.remove("status");
        if let Some(spec) = data.get_mut("spec").and_then(|spec| spec.as_object_mut()) {
            // Set apart from all else, by the operator, an autoscaler, or a person.
            spec.remove("replicas");
        }
    }
    let metadata = serde_json::to_vec(&metadata).unwrap_or_default();
    digest([metadata.as_slice(), data.to_string().as_bytes()])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, spec: &Value) -> Object {
        Object {
            kind: Kind::Service,
            name: name.to_owned(),
            manifest: json!({"metadata": {"name": name}, "spec": spec}),
        }
    }

    fn live(name: &str, spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": "1", "resourceVersion": "5"},
            "spec": spec,
            "status": {},
        }))
        .unwrap()
    }

    fn observed(object: &DynamicObject) -> Observed {
        Observed::of(Kind::Service, object)
    }

    #[test]
    fn what_was_applied_and_has_not_moved_is_left_alone() {
        let (wanted, is) = (
            object("a", &json!({"x": 1})),
            live("a", &json!({"x": 1, "y": 2})),
        );
        let mut applied = Applied::default();
        applied.note(&wanted, &is);
        assert_eq!(steps(&[wanted], &[observed(&is)], &applied), []);
    }

    #[test]
    fn a_new_status_is_no_reason_to_write() {
        let (wanted, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let mut applied = Applied::default();
        applied.note(&wanted, &is);
        let mut later = is;
        later.metadata.resource_version = Some("6".to_owned());
        later.data["status"] = json!({"readyReplicas": 1});
        later.data["spec"]["replicas"] = json!(3);
        assert_eq!(steps(&[wanted], &[observed(&later)], &applied), []);
    }

    #[test]
    fn a_field_or_label_that_somebody_changed_is_set_again() {
        let (wanted, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let mut applied = Applied::default();
        applied.note(&wanted, &is);
        let mut edited = is.clone();
        edited.data["spec"]["x"] = json!(2);
        let mut labelled = is;
        labelled.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        for moved in [edited, labelled] {
            let (wanted, moved) = ([wanted.clone()], [observed(&moved)]);
            assert_eq!(steps(&wanted, &moved, &applied), [Step::Apply(&wanted[0])]);
        }
    }

    #[test]
    fn a_new_manifest_is_applied() {
        let (old, is) = (object("a", &json!({"x": 1})), live("a", &json!({"x": 1})));
        let mut applied = Applied::default();
        applied.note(&old, &is);
        let (new, is) = ([object("a", &json!({"x": 2}))], [observed(&is)]);
        assert_eq!(steps(&new, &is, &applied), [Step::Apply(&new[0])]);
    }

    #[test]
    fn what_is_missing_is_made_and_what_is_left_over_goes() {
        let (wanted, orphan) = (
            [object("a", &json!({}))],
            [observed(&live("b", &json!({})))],
        );
        assert_eq!(
            steps(&wanted, &orphan, &Applied::default()),
            [Step::Make(&wanted[0]), Step::Delete(&orphan[0])]
        );
    }

    #[test]
    fn what_is_going_already_is_waited_for() {
        let mut going = live("a", &json!({}));
        going.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        let (wanted, going) = ([object("a", &json!({}))], [observed(&going)]);
        assert_eq!(steps(&wanted, &going, &Applied::default()), []);
        assert_eq!(steps(&[], &going, &Applied::default()), []);
    }
}

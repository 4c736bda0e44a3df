//! Whose an object is, by its metadata. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use crate::crd::SessionStore;
use crate::desired::Owner;
use crate::names::{FIELD_MANAGER, INSTANCE, MANAGED_BY};

/// Whose an object is that is not among those that the owner controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The owner's: its label has been taken away, or it has no controller any more.
    Own,
    /// That of an earlier `SessionStore` of the owner's name: the cluster is about to delete it.
    Earlier,
    /// Somebody else's.
    Foreign,
}

/// Whose an object is, by its metadata. An object without a controller is the owner's if it refers
/// to it, or if it has the owner's labels and fields that this operator has applied: somebody has
/// cut it loose.
pub fn relation(metadata: &ObjectMeta, owner: &Owner) -> Relation {
    let references = metadata.owner_references.as_deref().unwrap_or_default();
    let mut controllers = references.iter().filter(|it| it.controller == Some(true));
    match controllers.find(|it| it.uid != owner.uid) {
        Some(other) if other.kind == SessionStore::kind(&()) && other.name == owner.name => {
            return Relation::Earlier;
        }
        Some(_) => return Relation::Foreign,
        None => {}
    }
    let label = |name: &str| metadata.labels.as_ref()?.get(name).map(String::as_str);
    let is_labelled =
        label(MANAGED_BY.0) == Some(MANAGED_BY.1) && label(INSTANCE) == Some(owner.name.as_str());
    let managers = metadata.managed_fields.as_deref().unwrap_or_default();
    let is_applied = managers.iter().any(|it| {
        it.manager.as_deref() == Some(FIELD_MANAGER) && it.operation.as_deref() == Some("Apply")
    });
    if references.iter().any(|it| it.uid == owner.uid) || (is_labelled && is_applied) {
        Relation::Own
    } else {
        Relation::Foreign
    }
}

/// Whether the `SessionStore` of this uid controls the object.
pub fn is_owned_by(owners: &[OwnerReference], uid: &str) -> bool {
    owners.iter().any(|owner| {
        owner.uid == uid && owner.controller == Some(true) && owner.kind == SessionStore::kind(&())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn owner() -> Owner {
        Owner {
            name: "voice".to_owned(),
            namespace: "default".to_owned(),
            uid: "mine".to_owned(),
        }
    }

    fn metadata(controller: Option<(&str, &str, &str)>, is_labelled: bool) -> ObjectMeta {
        let references = controller.map(|(kind, name, uid)| {
            json!([{
                "apiVersion": "sessionstore.dev/v1alpha1",
                "kind": kind, "name": name, "uid": uid, "controller": true,
            }])
        });
        let labels = is_labelled.then(|| owner().labels(crate::names::Component::Api));
        serde_json::from_value(json!({"ownerReferences": references, "labels": labels})).unwrap()
    }

    fn applied_by(mut metadata: ObjectMeta, manager: &str) -> ObjectMeta {
        metadata.managed_fields = Some(vec![
            serde_json::from_value(json!({"manager": manager, "operation": "Apply"})).unwrap(),
        ]);
        metadata
    }

    #[test]
    fn what_it_controls_is_its_own_with_or_without_labels() {
        for is_labelled in [true, false] {
            let metadata = metadata(Some(("SessionStore", "voice", "mine")), is_labelled);
            assert_eq!(relation(&metadata, &owner()), Relation::Own);
        }
    }

    #[test]
    fn what_somebody_else_controls_is_never_taken_over_whatever_its_labels_say() {
        for controller in [
            ("SessionStore", "other", "theirs"),
            ("Deployment", "voice", "theirs"),
        ] {
            let metadata = applied_by(metadata(Some(controller), true), FIELD_MANAGER);
            assert_eq!(relation(&metadata, &owner()), Relation::Foreign);
        }
    }

    #[test]
    fn what_an_earlier_one_of_its_name_has_left_is_waited_for() {
        let metadata = metadata(Some(("SessionStore", "voice", "earlier")), true);
        assert_eq!(relation(&metadata, &owner()), Relation::Earlier);
    }

    #[test]
    fn what_was_cut_loose_is_taken_back_if_the_operator_has_made_it() {
        let loose = metadata(None, true);
        assert_eq!(relation(&loose, &owner()), Relation::Foreign);
        let (ours, theirs) = (
            applied_by(loose.clone(), FIELD_MANAGER),
            applied_by(loose, "somebody"),
        );
        assert_eq!(relation(&ours, &owner()), Relation::Own);
        assert_eq!(relation(&theirs, &owner()), Relation::Foreign);
        let bare = applied_by(metadata(None, false), FIELD_MANAGER);
        assert_eq!(relation(&bare, &owner()), Relation::Foreign);
    }
}

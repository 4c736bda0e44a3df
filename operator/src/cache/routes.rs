//! Which `SessionStore` a change concerns. Pure.

use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use super::{Stored, Target};
use crate::crd::SessionStore;
use crate::names::INSTANCE;

/// The `SessionStore` that controls an object, whatever its label says by now; or, of what it does
/// not control itself, the one whose label it has.
pub(super) fn by_owner<K: ResourceExt>(object: &K) -> Option<Target> {
    let mut owners = object.owner_references().iter();
    let controller = owners
        .find(|it| it.controller == Some(true) && it.kind == <SessionStore as Resource>::kind(&()))
        .map(|it| &it.name);
    let name = controller.or_else(|| object.labels().get(INSTANCE))?;
    let namespace = object.namespace()?;
    Some(ObjectRef::new(name).within(&namespace))
}

#[expect(clippy::unnecessary_wraps, reason = "a route like the others")]
pub(super) fn itself(stored: &Stored) -> Option<Target> {
    Some(ObjectRef::from_obj(stored))
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;

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

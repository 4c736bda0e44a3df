//! Whether a change that a watch tells is news for whoever looks at what is watched. A look costs
//! calls while something is wrong, so a change that no look reads, or that a look has made itself, is
//! none: it would undo every pause between two attempts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{Stored, Target};
use crate::apply::Observed;
use crate::crd::SessionStoreStatus;
use crate::kind::Kind;

/// Whether there is news in an object, by what was known of it before.
pub(super) type News<K> = Box<dyn Fn(&K, &K) -> bool + Send>;

/// Everything is.
pub(super) fn always<K>() -> News<K> {
    Box::new(|_, _| true)
}

/// Of what the operator makes, only pods' controllers report something that it reads.
pub(super) fn of_owned(kind: Kind) -> News<DynamicObject> {
    match kind {
        Kind::StatefulSet | Kind::Deployment => always(),
        _ => Box::new(move |before, after| {
            let [before, after] = [before, after].map(|it| Observed::of(kind, it));
            !before.is_like(&after)
        }),
    }
}

/// Of a Secret that somebody refers to, what is in it.
pub(super) fn of_secret() -> News<Secret> {
    Box::new(|before, after| before.data != after.data)
}

/// The status that the last look at each `SessionStore` has found to be right. To see that written is
/// no news; to see anything else is.
#[derive(Clone, Default)]
pub(super) struct Right(Arc<Mutex<HashMap<Target, Value>>>);

impl Right {
    /// This is right, whether or not it is written by now.
    pub(super) fn set(&self, target: &Target, status: &SessionStoreStatus) {
        self.lock().insert(target.clone(), json!(status));
    }

    pub(super) fn forget(&self, target: &Target) {
        self.lock().remove(target);
    }

    /// All but the status that is right.
    pub(super) fn news(&self) -> News<Stored> {
        let right = self.clone();
        Box::new(move |before, after| {
            let is_right = |status: Option<&SessionStoreStatus>| {
                let known = right.lock();
                known.get(&Target::from_obj(after)) == Some(&json!(status))
            };
            lasting(before.meta()) != lasting(after.meta())
                || match (&before.0, &after.0) {
                    (Ok(before), Ok(after)) => {
                        let (is, was) = (after.status.as_ref(), before.status.as_ref());
                        before.spec != after.spec || (is != was && !is_right(is))
                    }
                    (Err(before), Err(after)) => before.error != after.error,
                    _ => true,
                }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What does not change with each write.
fn lasting(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        resource_version: None,
        managed_fields: None,
        ..metadata.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(version: u64, change: &Value) -> Stored {
        let mut store = json!({
            "apiVersion": "sessionstore.dev/v1alpha1",
            "kind": "SessionStore",
            "metadata": {"name": "voice", "namespace": "default", "generation": 1},
            "spec": {},
        });
        json_patch::merge(&mut store, change);
        store["metadata"]["resourceVersion"] = json!(version.to_string());
        serde_json::from_value(store).unwrap()
    }

    fn status(generation: i64) -> SessionStoreStatus {
        SessionStoreStatus {
            observed_generation: Some(generation),
            ..SessionStoreStatus::default()
        }
    }

    #[test]
    fn a_status_that_a_look_has_found_right_is_no_news_when_it_is_seen() {
        let right = Right::default();
        let (before, after) = (
            stored(1, &json!({})),
            stored(2, &json!({"status": status(7)})),
        );
        let news = right.news();
        assert!(news(&before, &after), "no look has said anything yet");
        right.set(&Target::from_obj(&after), &status(7));
        assert!(!news(&before, &after));
    }

    #[test]
    fn a_status_that_somebody_edits_or_removes_is_news() {
        let right = Right::default();
        let before = stored(2, &json!({"status": status(7)}));
        right.set(&Target::from_obj(&before), &status(7));
        let news = right.news();
        assert!(news(&before, &stored(3, &json!({"status": status(8)}))));
        assert!(news(&before, &stored(3, &json!({"status": null}))));
        right.forget(&Target::from_obj(&before));
        let back = stored(4, &json!({"status": status(8)}));
        assert!(news(&back, &before), "another process may have written it");
    }

    #[test]
    fn everything_else_of_a_session_store_is_news_together_with_any_status() {
        let right = Right::default();
        let before = stored(1, &json!({}));
        right.set(&Target::from_obj(&before), &status(7));
        for change in [
            json!({"metadata": {"generation": 2}}),
            json!({"metadata": {"uid": "another"}}),
            json!({"metadata": {"labels": {"a": "b"}}}),
            json!({"metadata": {"annotations": {"a": "b"}}}),
            json!({"metadata": {"finalizers": ["a.b/c"]}}),
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            json!({"metadata": {"ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1"},
            ]}}),
            json!({"spec": {"paused": true}}),
            json!({"spec": {"paused": "perhaps"}}),
        ] {
            let mut change = change;
            change["status"] = json!(status(7));
            assert!(right.news()(&before, &stored(2, &change)), "{change}");
        }
    }

    #[test]
    fn one_that_cannot_be_read_is_news_when_something_else_is_wrong_with_it() {
        let news = Right::default().news();
        let wrong = |version, paused: &str| stored(version, &json!({"spec": {"paused": paused}}));
        assert!(!news(&wrong(1, "perhaps"), &wrong(2, "perhaps")));
        assert!(news(&wrong(1, "perhaps"), &stored(2, &json!({}))));
        let other = stored(2, &json!({"spec": {"mongodb": 7}}));
        assert!(news(&wrong(1, "perhaps"), &other));
    }

    fn object(change: &Value) -> DynamicObject {
        let mut object = json!({
            "metadata": {"name": "voice-api", "resourceVersion": "1"},
            "spec": {"x": 1},
        });
        json_patch::merge(&mut object, change);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_status_is_news_only_of_kinds_whose_status_is_read() {
        let before = object(&json!({}));
        let after = object(&json!({"metadata": {"resourceVersion": "2"}, "status": {"pods": 1}}));
        let read = Kind::ALL.map(|kind| (kind, of_owned(kind)(&before, &after)));
        let read = read.iter().filter(|(_, is_news)| *is_news);
        let kinds: Vec<Kind> = read.map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [Kind::StatefulSet, Kind::Deployment]);
    }

    #[test]
    fn what_has_to_be_repaired_or_is_going_is_news_of_every_kind() {
        for change in [
            json!({"spec": {"x": 2}}),
            json!({"metadata": {"labels": {"a": "b"}}}),
            json!({"metadata": {"uid": "another"}}),
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        ] {
            for kind in Kind::ALL {
                let is_news = of_owned(kind)(&object(&json!({})), &object(&change));
                assert!(is_news, "{kind:?}: {change}");
            }
        }
    }

    #[test]
    fn a_secret_that_is_referred_to_is_news_when_its_content_is_another() {
        let secret = |version: &str, data: &str| -> Secret {
            serde_json::from_value(json!({
                "metadata": {"name": "atlas", "resourceVersion": version},
                "data": {"uri": data},
            }))
            .unwrap()
        };
        assert!(!of_secret()(&secret("1", "YQ=="), &secret("2", "YQ==")));
        assert!(of_secret()(&secret("1", "YQ=="), &secret("2", "Yg==")));
    }
}

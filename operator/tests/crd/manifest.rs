//! What a manifest means to the types.

use serde_json::{Value, json};
use sessionstore_operator::crd::{
    self, ApiSpec, AutoscalingSpec, MongodbSpec, RetentionPolicy, SessionStore, StorageSpec,
};

fn read(spec: &Value) -> SessionStore {
    serde_json::from_value(json!({
        "apiVersion": "sessionstore.dev/v1alpha1",
        "kind": "SessionStore",
        "metadata": {"name": "voice"},
        "spec": spec,
    }))
    .unwrap()
}

#[test]
fn an_empty_spec_is_a_whole_one() {
    let store = read(&json!({}));
    assert_eq!(store.spec, crd::SessionStoreSpec::default());
    assert_eq!(store.spec.mongodb, MongodbSpec::default());
    assert_eq!(store.spec.api, ApiSpec::default());
    assert!(!store.spec.paused);
}

#[test]
fn a_part_that_is_named_and_empty_has_its_defaults() {
    let store = read(&json!({"mongodb": {"storage": {}}, "api": {"autoscaling": {}}}));
    assert_eq!(store.spec.mongodb.storage, Some(StorageSpec::default()));
    assert_eq!(store.spec.api.autoscaling, Some(AutoscalingSpec::default()));
}

#[test]
fn the_manifest_of_the_design_means_what_it_says() {
    let store = read(&json!({
        "mongodb": {
            "image": "mongo:8.0",
            "members": 3,
            "storage": {
                "size": "20Gi",
                "storageClassName": "fast",
                "whenDeleted": "Delete",
                "whenScaled": "Retain",
            },
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        },
        "api": {
            "image": "localhost/sessionstore:dev",
            "autoscaling": {"minReplicas": 2, "maxReplicas": 10, "targetCPUUtilization": 70},
            "service": {"type": "ClusterIP"},
        },
        "monitoring": {"serviceMonitor": true},
        "paused": false,
    }));
    let storage = store.spec.mongodb.storage.unwrap();
    assert_eq!(storage.storage_class_name.as_deref(), Some("fast"));
    assert_eq!(storage.when_deleted, RetentionPolicy::Delete);
    assert_eq!(storage.when_scaled, RetentionPolicy::Retain);
    let requests = store.spec.mongodb.resources.unwrap().requests.unwrap();
    assert_eq!(requests.cpu.unwrap().0, "1");
    assert_eq!(store.spec.api.autoscaling, Some(AutoscalingSpec::default()));
    assert!(store.spec.monitoring.service_monitor);
}

/// An operator that is older than the definition meets fields that it does not know.
#[test]
fn a_field_of_a_newer_version_is_no_error() {
    let store = read(&json!({"mongodb": {"members": 5, "arbiters": 2}, "cache": {}}));
    assert_eq!(store.spec.mongodb.members, Some(5));
}

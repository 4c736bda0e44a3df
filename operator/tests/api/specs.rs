//! What the tests ask for.

use serde_json::{Value, json};

/// The API on a MongoDB of somebody else's, in the Secret `atlas`.
pub(crate) fn external() -> Value {
    json!({
        "mongodb": {"external": {"uriSecretRef": {"name": "atlas"}}},
        "api": {"replicas": 1},
    })
}

/// One member, one pod of the API.
pub(crate) fn small() -> Value {
    json!({"mongodb": {"members": 1}, "api": {"replicas": 1}})
}

/// Everything that can be said.
pub(crate) fn full() -> Value {
    let sample = include_str!("../../../k8s/samples/5-full.yaml");
    let sample: Value = serde_saphyr::from_str(sample).unwrap();
    sample["spec"].clone()
}

/// The connection string that `external` points at.
pub(crate) fn uri() -> Value {
    json!({"uri": "mongodb://somewhere.example.net/sessionstore"})
}

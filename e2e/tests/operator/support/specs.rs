//! What the scenarios ask for: small, and reached through a port of the nodes.

use serde_json::{Value, json};

/// `count` members that take little, and two pods of the API.
pub(crate) fn members(count: usize) -> Value {
    json!({
        "mongodb": {
            "members": count,
            "storage": {"size": "1Gi"},
            "resources": {
                "requests": {"cpu": "50m", "memory": "256Mi"},
                "limits": {"memory": "768Mi"},
            },
        },
        "api": {"replicas": 2, "service": {"type": "NodePort"}},
    })
}

/// One member that takes little, and one pod of the API.
pub(crate) fn one_member() -> Value {
    let mut spec = members(1);
    spec["api"]["replicas"] = json!(1);
    spec
}

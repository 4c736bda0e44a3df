//! Schemas of fields whose types are those of Kubernetes, or that several parts of the spec have.
//!
//! The upstream descriptions are long and know nothing of this resource, and their lists and maps
//! are unbounded.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// The name of an object in the cluster: a DNS subdomain.
pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 253,
        "pattern": OBJECT_NAME,
    })
}

/// A reference to an image: letters, digits and what separates the parts of it.
pub(super) fn image(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 512,
        "pattern": "^[a-zA-Z0-9][-a-zA-Z0-9._:/@+]*$",
    })
}

/// Secrets for pulling images.
pub(super) fn image_pull_secrets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "description": "A Secret that holds the login to a registry of images.",
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {
                    "description": "The name of the Secret. At most 253 characters.",
                    "type": "string",
                    "maxLength": 253,
                    "pattern": OBJECT_NAME,
                },
            },
        },
    })
}

/// Labels of a node. Keys cannot be bounded by the schema, only by a rule.
pub(super) fn node_selector(_: &mut SchemaGenerator) -> Schema {
    let mut labels = texts(16, 63, LABEL_VALUE, "The value that the label must have.");
    let rule = json!([{
        "rule": format!("self.all(key, key.size() <= 317 && key.matches('{LABEL_KEY}'))"),
        "message": "the key of a label is a name of up to 63 letters, digits, '-', '_' and '.', which may follow a DNS name and '/': use one that nodes have, such as kubernetes.io/arch",
        "reason": "FieldValueInvalid",
    }]);
    labels.insert("x-kubernetes-validations".to_owned(), rule);
    labels
}

/// Labels of an object.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    texts(16, 63, LABEL_VALUE, "The value of the label.")
}

/// Annotations of an object.
pub(super) fn annotations(_: &mut SchemaGenerator) -> Schema {
    texts(32, 4096, "", "The value of the annotation.")
}

/// Taints that a pod tolerates.
pub(super) fn tolerations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "description": "Taints that are tolerated: those that match all that is given here.",
            "type": "object",
            "properties": {
                "key": {
                    "description": "The key of the taint. If it is not given, every key matches, and operator must be Exists. At most 316 characters.",
                    "type": "string",
                    "maxLength": 316,
                },
                "operator": {
                    "description": "How value is compared: Equal wants the same value, Exists takes any. If it is not given, it is Equal.",
                    "type": "string",
                    "enum": ["Exists", "Equal"],
                },
                "value": {
                    "description": "The value of the taint, for the operator Equal. If it is not given, it is empty. At most 63 characters.",
                    "type": "string",
                    "maxLength": 63,
                    "pattern": LABEL_VALUE,
                },
                "effect": {
                    "description": "The effect of the taint. If it is not given, every effect matches.",
                    "type": "string",
                    "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                },
                "tolerationSeconds": {
                    "description": "How many seconds a pod stays on a node that gets a taint of effect NoExecute. If it is not given, it stays.",
                    "type": "integer",
                    "format": "int64",
                },
            },
        },
    })
}

const OBJECT_NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// As `IsQualifiedName` in `k8s.io/apimachinery/pkg/util/validation`. Without a backslash, which CEL
/// would take for its own.
const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";

const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";

fn texts(entries: u32, length: u32, pattern: &str, description: &str) -> Schema {
    let mut value = json_schema!({
        "description": description,
        "type": "string",
        "maxLength": length,
    });
    if !pattern.is_empty() {
        value.insert("pattern".to_owned(), pattern.into());
    }
    json_schema!({
        "type": "object",
        "maxProperties": entries,
        "additionalProperties": value,
    })
}

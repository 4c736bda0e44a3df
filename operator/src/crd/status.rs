//! `status`: what the operator has seen and made of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What the operator has seen, and what it made of the spec.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStoreStatus {
    /// The `metadata.generation` that this status is about. While it is less than that of the
    /// resource, the latest change of the spec has not been looked at yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds and what does not, one entry a type. `Ready` sums up: the store serves as the
    /// spec wants it. `Reconciling` is there while something is being changed, `Stalled` when a
    /// person has to do something, which the message says.
    #[serde(default)]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The replica set, as it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mongodb: Option<MongodbStatus>,
    /// The API, as it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiStatus>,
    /// What counts for fields that the spec leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedValues>,
}

/// The replica set, as it was last seen.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MongodbStatus {
    /// How many members are ready, of those that are wanted, such as `3/3`; `external` for a
    /// replica set that the operator does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_ready: Option<String>,
    /// The name of the member that takes the writes. Not given while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The members, in the order of their names.
    #[serde(default)]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub members: Vec<MemberStatus>,
    /// The version of MongoDB that the primary runs, such as 8.0.4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version whose features may be used and whose data files can be read back, such as 8.0.
    /// It lags behind `version` after an upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_compatibility_version: Option<String>,
    /// The id that the replica set was given when it was initiated. A member with another one
    /// belongs to another replica set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_set_id: Option<String>,
}

/// One member of the replica set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// The name of the member, which is that of its pod.
    pub name: String,
    /// The state of the member as MongoDB names it: PRIMARY, SECONDARY, STARTUP, STARTUP2,
    /// RECOVERING, ROLLBACK, REMOVED, DOWN or UNKNOWN.
    pub state: String,
    /// Whether the member answers: 1 when it does, 0 when it does not.
    #[schemars(range(min = 0, max = 1))]
    pub health: i32,
    /// By how many seconds the member is behind the primary. Given only while it has not caught
    /// up; the metrics have the lag at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optime_lag_seconds: Option<i64>,
}

/// The API, as it was last seen.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiStatus {
    /// Where the API answers inside the cluster, such as
    /// `http://voice-api.default.svc.cluster.local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many pods are ready, of those that are wanted, such as `2/2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_ready: Option<String>,
    /// How many pods there are.
    #[serde(default)]
    pub replicas: i32,
    /// How many pods are ready.
    #[serde(default)]
    pub ready_replicas: i32,
    /// The labels of the pods, in the form of a selector: `app.kubernetes.io/component=api`,
    /// `app.kubernetes.io/instance=voice` for a store named voice, and
    /// `app.kubernetes.io/name=sessionstore`, with commas between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
}

/// What counts for fields that the spec leaves out.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedValues {
    /// The number of members. Not given for an external MongoDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<i32>,
    /// The image of mongod. Not given for an external MongoDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mongodb_image: Option<String>,
    /// The number of pods of the API. Not given while it follows the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// The image of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_image: Option<String>,
}

/// The bounds are those of `metav1.Condition` in Kubernetes.
fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "description": "One thing that holds or does not.",
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {
                    "description": "What it is about, such as Ready.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 316,
                    "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "description": "Why, in one word for programs, such as WaitingForMembers.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, for people, with what to do if there is something to do.",
                    "type": "string",
                    "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "description": "When status last changed.",
                    "type": "string",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "description": "The metadata.generation that this entry is about.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
            },
        },
    })
}

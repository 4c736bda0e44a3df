//! The resource itself: its names, columns and subresources, and the top of its spec.

use k8s_openapi::api::core::v1::LocalObjectReference;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{ApiSpec, MongodbSpec, MonitoringSpec, SessionStoreStatus, scheduling};

/// What is wanted. Everything has a sensible value when it is left out: `spec: {}` is a store of
/// three MongoDB members with 20Gi each, and an API of two replicas.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sessionstore.dev",
    version = "v1alpha1",
    kind = "SessionStore",
    singular = "sessionstore",
    plural = "sessionstores",
    shortname = "sst",
    category = "all",
    category = "sessionstore",
    namespaced,
    status = "SessionStoreStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A store for the sessions of conversations and their events: a MongoDB replica set, or \
           one that exists already, and the HTTP API in front of it.",
    scale(
        spec_replicas_path = ".spec.api.replicas",
        status_replicas_path = ".status.api.replicas",
        label_selector_path = ".status.api.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the store takes and answers requests, as the spec wants it."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not; the message of the condition says more."
    ),
    printcolumn(
        name = "Members",
        type_ = "string",
        json_path = ".status.mongodb.membersReady",
        description = "MongoDB members that are ready, of those that are wanted."
    ),
    printcolumn(
        name = "Primary",
        type_ = "string",
        json_path = ".status.mongodb.primary",
        description = "The MongoDB member that takes the writes."
    ),
    printcolumn(
        name = "API",
        type_ = "string",
        json_path = ".status.api.replicasReady",
        description = "Pods of the API that are ready, of those that are wanted."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the resource was created."
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".status.api.url",
        priority = 1,
        description = "Where the API answers inside the cluster."
    ),
    printcolumn(
        name = "MongoDB",
        type_ = "string",
        json_path = ".status.mongodb.version",
        priority = 1,
        description = "The version of MongoDB that runs."
    ),
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("the name is longer than 40 characters, and names of pods and volumes are derived from it: choose a shorter one")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("the name becomes part of the names of Services: use lower case letters, digits and '-', begin with a letter and end with a letter or digit")
        .reason(Reason::FieldValueInvalid),
)]
#[serde(rename_all = "camelCase")]
pub struct SessionStoreSpec {
    /// The MongoDB that keeps the sessions: a replica set of the operator's, or with `external` one
    /// that exists already.
    #[serde(default)]
    pub mongodb: MongodbSpec,
    /// The HTTP API in front of MongoDB.
    #[serde(default)]
    pub api: ApiSpec,
    /// How the store is monitored.
    #[serde(default)]
    pub monitoring: MonitoringSpec,
    /// Secrets of type `kubernetes.io/dockerconfigjson` in the same namespace, for pulling the
    /// images of the API and of MongoDB. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scheduling::image_pull_secrets")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Makes the operator leave everything as it is: nothing is created, changed, restarted or
    /// repaired until it is false again. What runs goes on running. The status is still kept up to
    /// date.
    #[serde(default)]
    pub paused: bool,
}

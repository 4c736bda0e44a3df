//! `spec.mongodb`: a replica set of the operator's, or one that exists already.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resources, resources::BYTES, scheduling};

/// The number of members when the spec does not say: one may fail, and a majority is left.
pub const DEFAULT_MEMBERS: i32 = 3;

/// The user that mongod runs as when the spec does not say: `mongodb` in the official images.
pub const DEFAULT_RUN_AS_USER: i64 = 999;

/// The MongoDB that keeps the sessions.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.external) || !(has(self.members) || has(self.image) || has(self.storage) || has(self.resources) || has(self.runAsUser) || has(self.nodeSelector) || has(self.tolerations) || has(self.priorityClassName))")
        .message("external is a MongoDB that the operator does not run: remove all other fields of mongodb, or remove external")
        .reason(Reason::FieldValueForbidden)
        .field_path(".external"),
    validation = Rule::new("has(self.external) == has(oldSelf.external)")
        .message("a store cannot move between a MongoDB of its own and an external one, its sessions would stay behind: create another SessionStore")
        .reason(Reason::FieldValueForbidden)
        .field_path(".external"),
    validation = Rule::new("quantity(has(self.storage) ? self.storage.size : '20Gi').compareTo(quantity(has(oldSelf.storage) ? oldSelf.storage.size : '20Gi')) == 0")
        .message("the size of the volumes cannot be changed yet: set mongodb.storage.size back to what it was (20Gi where it was not given)")
        .reason(Reason::FieldValueForbidden)
        .field_path(".storage.size"),
    validation = Rule::new("(has(self.storage) && has(self.storage.storageClassName) ? self.storage.storageClassName : '') == (has(oldSelf.storage) && has(oldSelf.storage.storageClassName) ? oldSelf.storage.storageClassName : '')")
        .message("volumes cannot move to another storage class: set mongodb.storage.storageClassName back to what it was, or create another SessionStore")
        .reason(Reason::FieldValueForbidden)
        .field_path(".storage.storageClassName"),
    validation = Rule::new("(has(self.runAsUser) ? self.runAsUser : 999) == (has(oldSelf.runAsUser) ? oldSelf.runAsUser : 999)")
        .message("the files on the volumes belong to the user that wrote them: set mongodb.runAsUser back to what it was (999 where it was not given)")
        .reason(Reason::FieldValueForbidden)
        .field_path(".runAsUser"),
    validation = Rule::new("!has(self.resources) || !has(self.resources.limits) || !has(self.resources.limits.memory) || quantity(string(self.resources.limits.memory)).compareTo(quantity('256Mi')) >= 0")
        .message("mongod takes 256Mi for its cache alone: set mongodb.resources.limits.memory to at least that, 1Gi for a start")
        .reason(Reason::FieldValueInvalid)
        .field_path(".resources.limits.memory"),
)]
#[serde(rename_all = "camelCase")]
pub struct MongodbSpec {
    /// The image that mongod runs from, of MongoDB 6.0 or newer. Only the program `mongod` in it is
    /// used, no shell and no entry point. If it is not given, the operator's own setting counts,
    /// and `status.resolved.mongodbImage` shows it. At most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduling::image")]
    pub image: Option<String>,
    /// The number of members of the replica set: 1, 3 or 5. With 3 one may fail, with 5 two; with 1
    /// every restart is downtime. If it is not given, it is 3. It may be changed at any time: one
    /// member after the other is added or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    #[x_kube(
        validation = Rule::new("self in [1, 3, 5]")
            .message("members elect by majority, and an even number tolerates no more failures than one less: use 1, 3 or 5")
            .reason(Reason::FieldValueInvalid)
    )]
    pub members: Option<i32>,
    /// The volumes of the members. If it is not given, each member gets 20Gi of the cluster's
    /// default storage class, kept when the store is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageSpec>,
    /// What each member asks of its node, and what it may use at most. If it is not given, a member
    /// requests 250m CPU and 512Mi memory, and its memory is limited to 1Gi; CPU is not limited.
    /// The cache of mongod follows the memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The numeric id of the user and of the group that mongod runs as, and that its files belong
    /// to. If it is not given, it is 999, the user of the official images. It cannot be changed
    /// afterwards. At least 1, since mongod never runs as root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,
    /// Labels that a node must have to run a member. At most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "scheduling::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the members tolerate. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scheduling::tolerations")]
    pub tolerations: Vec<Toleration>,
    /// The `PriorityClass` of the members' pods. If it is not given, the cluster's default counts.
    /// At most 253 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduling::object_name")]
    pub priority_class_name: Option<String>,
    /// A replica set that exists already, such as one at MongoDB Atlas, instead of one of the
    /// operator's. Excludes every other field of `mongodb`. It is chosen when the store is created,
    /// and cannot be added or removed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalMongodb>,
}

/// The volumes of the members, one each.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageSpec {
    /// The size of each member's volume in bytes, as a quantity such as 20Gi. At least 256Mi, which
    /// is about what an empty mongod takes. It cannot be changed afterwards.
    #[serde(default = "default_size")]
    #[schemars(length(max = 32), regex(pattern = BYTES))]
    #[x_kube(
        validation = Rule::new("isQuantity(self) && quantity(self).compareTo(quantity('256Mi')) >= 0")
            .message("an empty mongod takes about 256Mi: use a size of at least that, such as 20Gi")
            .reason(Reason::FieldValueInvalid)
    )]
    pub size: String,
    /// The `StorageClass` of the volumes. If it is not given, the cluster's default counts. It
    /// cannot be changed afterwards. A class that is bound to the node, or that expands, is fine.
    /// At most 253 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::scheduling::object_name")]
    pub storage_class_name: Option<String>,
    /// What becomes of the volumes when the store is deleted. `Retain` keeps them, and a store that
    /// is created by the same name takes them over with everything in them; `Delete` removes them,
    /// also when somebody deletes only the `StatefulSet` of the members, since Kubernetes deletes
    /// them together with that, unless by `--cascade=orphan`.
    #[serde(default)]
    pub when_deleted: RetentionPolicy,
    /// What becomes of the volume of a member that is removed by a smaller `members`. `Retain`
    /// keeps it, `Delete` removes it.
    #[serde(default)]
    pub when_scaled: RetentionPolicy,
}

/// What becomes of a volume that nothing uses any more.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionPolicy {
    /// It is kept.
    #[default]
    Retain,
    /// It is deleted, and its data with it.
    Delete,
}

/// A replica set that the operator does not run.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalMongodb {
    /// Where the connection string is kept: the key of a Secret in the same namespace, with a value
    /// such as `mongodb+srv://user:password@cluster.example.net/sessionstore`. When the value
    /// changes, the API is rolled to it.
    pub uri_secret_ref: SecretKeyRef,
}

/// One key of a Secret in the namespace of the store.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret. At most 253 characters.
    #[schemars(schema_with = "super::scheduling::object_name")]
    pub name: String,
    /// The key in the Secret whose value counts. At most 253 characters.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

impl Default for StorageSpec {
    fn default() -> Self {
        Self {
            size: default_size(),
            storage_class_name: None,
            when_deleted: RetentionPolicy::default(),
            when_scaled: RetentionPolicy::default(),
        }
    }
}

fn default_size() -> String {
    "20Gi".to_owned()
}

fn default_key() -> String {
    "uri".to_owned()
}

//! `spec.api`: the HTTP API in front of MongoDB.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resources, scheduling};

/// Settings of the service that the operator sets itself, or that have a field of their own, so
/// that [`ApiSpec::settings`] may not hold them. The names of the service's flags.
pub const OWN_SETTINGS: [&str; 9] = [
    "admin-addr",
    "config",
    "http-addr",
    "log",
    "log-format",
    "shutdown-delay",
    "shutdown-timeout",
    "store-url",
    "store-url-file",
];

/// The HTTP API in front of MongoDB.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!(has(self.replicas) && has(self.autoscaling))")
        .message("a fixed number of replicas and autoscaling exclude each other: remove api.replicas or api.autoscaling")
        .reason(Reason::FieldValueForbidden)
        .field_path(".replicas"),
    validation = Rule::new("!has(self.autoscaling) || !has(self.resources) || (has(self.resources.requests) && has(self.resources.requests.cpu)) || (has(self.resources.limits) && has(self.resources.limits.cpu))")
        .message("autoscaling compares the use of CPU with what is requested: set api.resources.requests.cpu, or remove api.resources, which stands for a request of 100m CPU")
        .reason(Reason::FieldValueRequired)
        .field_path(".resources"),
)]
#[serde(rename_all = "camelCase")]
pub struct ApiSpec {
    /// The image of the API. If it is not given, the operator's own setting counts, and
    /// `status.resolved.apiImage` shows it. At most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduling::image")]
    pub image: Option<String>,
    /// A fixed number of pods, 1 to 1000. Excludes `autoscaling`. If neither is given, it is 2.
    /// `kubectl scale` changes this field, once it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<i32>,
    /// A number of pods that follows the load: a `HorizontalPodAutoscaler`. Excludes `replicas`. If
    /// it is not given, the number is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<AutoscalingSpec>,
    /// What each pod asks of its node, and what it may use at most. If it is not given, a pod
    /// requests 100m CPU and 64Mi memory, and its memory is limited to 256Mi; CPU is not limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The Service that the API is reached by.
    #[serde(default)]
    pub service: ServiceSpec,
    /// What the API logs: a level (error, warn, info, debug, trace), or directives such as
    /// `info,sessionstore::log=debug`. At most 512 characters.
    #[serde(default = "default_log")]
    #[schemars(length(min = 1, max = 512))]
    pub log: String,
    /// Where traces are sent by OTLP over HTTP, such as `http://collector.monitoring:4318`. If it
    /// is not given, none are sent. At most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = r"^https?://[^\s]+$"))]
    pub otlp_endpoint: Option<String>,
    /// Further settings of the service, by the names of its flags without the dashes in front, such
    /// as `request-timeout: 5s` or `limit-payload: 512KiB`; `sessionstore --help` lists them all.
    /// Values are text: numbers have to be quoted. Those that the operator sets itself are refused.
    /// A change rolls the pods. At most 32, of at most 1024 characters each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "settings")]
    pub settings: BTreeMap<String, String>,
    /// Labels that a node must have to run a pod of the API. At most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "scheduling::node_selector")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods of the API tolerate. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "scheduling::tolerations")]
    pub tolerations: Vec<Toleration>,
    /// The `PriorityClass` of the pods of the API. If it is not given, the cluster's default
    /// counts. At most 253 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "scheduling::object_name")]
    pub priority_class_name: Option<String>,
}

/// A number of pods that follows the load.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("minReplicas is greater than maxReplicas (10 where it is not given): lower the one or raise the other")
        .reason(Reason::FieldValueInvalid)
        .field_path(".minReplicas")
)]
#[serde(rename_all = "camelCase")]
pub struct AutoscalingSpec {
    /// The least number of pods, 1 to 1000.
    #[serde(default = "default_min_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// The greatest number of pods, 1 to 1000.
    #[serde(default = "default_max_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// The use of CPU that is aimed at, on the average of all pods, in percent of what they
    /// request. 1 to 1000; above 100 only makes sense where pods may use more than they request.
    #[serde(
        rename = "targetCPUUtilization",
        default = "default_target_cpu_utilization"
    )]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization: i32,
}

/// The Service that the API is reached by.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Who reaches the API: `ClusterIP` pods of the cluster, `NodePort` also clients by a port of
    /// every node, `LoadBalancer` also clients by a balancer of the cloud.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Annotations of the Service, for example for the controller of a balancer. At most 32, of at
    /// most 4096 characters each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "scheduling::annotations")]
    pub annotations: BTreeMap<String, String>,
}

/// Who reaches a Service.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    /// Pods of the cluster.
    #[default]
    ClusterIP,
    /// Also clients outside, by a port of every node.
    NodePort,
    /// Also clients outside, by a balancer.
    LoadBalancer,
}

impl Default for ApiSpec {
    fn default() -> Self {
        Self {
            image: None,
            replicas: None,
            autoscaling: None,
            resources: None,
            service: ServiceSpec::default(),
            log: default_log(),
            otlp_endpoint: None,
            settings: BTreeMap::new(),
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class_name: None,
        }
    }
}

impl Default for AutoscalingSpec {
    fn default() -> Self {
        Self {
            min_replicas: default_min_replicas(),
            max_replicas: default_max_replicas(),
            target_cpu_utilization: default_target_cpu_utilization(),
        }
    }
}

fn default_log() -> String {
    "info".to_owned()
}

fn default_min_replicas() -> i32 {
    2
}

fn default_max_replicas() -> i32 {
    10
}

fn default_target_cpu_utilization() -> i32 {
    70
}

/// Keys cannot be bounded by the schema, only by rules; the schema bounds how many there are.
fn settings(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let own = OWN_SETTINGS.map(|name| format!("'{name}'")).join(", ");
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {
            "description": "The value of the setting, as text.",
            "type": "string",
            "maxLength": 1024,
        },
        "x-kubernetes-validations": [
            {
                "rule": "self.all(name, name.matches('^[a-z][a-z0-9-]{0,62}$'))",
                "message": "settings are named like the service's flags, in lower case with dashes (request-timeout): see sessionstore --help",
                "reason": "FieldValueInvalid",
            },
            {
                "rule": format!("self.all(name, !(name in [{own}]))"),
                "message": "the operator itself sets admin-addr, config, http-addr, log-format, shutdown-delay, shutdown-timeout, store-url and store-url-file, and log is the field api.log: remove it from settings",
                "reason": "FieldValueForbidden",
            },
        ],
    })
}

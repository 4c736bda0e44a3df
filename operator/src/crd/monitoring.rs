//! `spec.monitoring`: how the store is monitored.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::scheduling;

/// How the store is monitored.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.labels) || self.serviceMonitor")
        .message("labels are those of the ServiceMonitor: set monitoring.serviceMonitor to true, or remove monitoring.labels")
        .reason(Reason::FieldValueForbidden)
        .field_path(".labels")
)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringSpec {
    /// Whether a `ServiceMonitor` is created, which makes a Prometheus Operator scrape the API. The
    /// cluster must know that kind; where it does not, a condition says so and all else goes on.
    #[serde(default)]
    pub service_monitor: bool,
    /// Labels of the `ServiceMonitor`, for a Prometheus that selects by them (such as `release:
    /// prometheus`). Needs `serviceMonitor`. At most 16, of at most 63 characters each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "scheduling::labels")]
    pub labels: BTreeMap<String, String>,
    /// The namespace that Prometheus runs in. Only its pods may then reach the port of the metrics.
    /// If it is not given, the pods of every namespace may. At most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub scraper_namespace: Option<String>,
}

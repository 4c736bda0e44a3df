//! What a pod asks of its node, and what it may use at most.
//!
//! An own type and not that of Kubernetes: with fields instead of a map, a misspelt `memroy` is
//! refused, every field is documented, and the rules have a bounded cost.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What a pod asks of its node, and what it may use at most.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("!has(self.requests) || !has(self.limits) || !has(self.requests.cpu) || !has(self.limits.cpu) || quantity(string(self.requests.cpu)).compareTo(quantity(string(self.limits.cpu))) <= 0")
        .message("requests.cpu is greater than limits.cpu: lower the request or raise the limit")
        .reason(Reason::FieldValueInvalid)
        .field_path(".requests.cpu"),
    validation = Rule::new("!has(self.requests) || !has(self.limits) || !has(self.requests.memory) || !has(self.limits.memory) || quantity(string(self.requests.memory)).compareTo(quantity(string(self.limits.memory))) <= 0")
        .message("requests.memory is greater than limits.memory: lower the request or raise the limit")
        .reason(Reason::FieldValueInvalid)
        .field_path(".requests.memory"),
)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What a node must have left to run the pod. Where an amount is not given, that of `limits`
    /// counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceAmounts>,
    /// What the pod may use at most. Where an amount is not given, there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

/// Amounts of what a node has.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// Processor time in cores, such as 2, or in thousandths of one, such as 500m. Beyond its limit
    /// a pod is slowed down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "cpu")]
    pub cpu: Option<Quantity>,
    /// Memory in bytes, such as 512Mi or 2Gi. Beyond its limit a pod is killed and restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "memory")]
    pub memory: Option<Quantity>,
}

impl ResourceAmounts {
    fn into_map(self) -> Option<BTreeMap<String, Quantity>> {
        let given = [("cpu", self.cpu), ("memory", self.memory)];
        let amounts: BTreeMap<_, _> = given
            .into_iter()
            .filter_map(|(name, amount)| Some((name.to_owned(), amount?)))
            .collect();
        (!amounts.is_empty()).then_some(amounts)
    }
}

impl From<Resources> for ResourceRequirements {
    fn from(resources: Resources) -> Self {
        Self {
            requests: resources.requests.and_then(ResourceAmounts::into_map),
            limits: resources.limits.and_then(ResourceAmounts::into_map),
            claims: None,
        }
    }
}

fn cpu(_: &mut SchemaGenerator) -> Schema {
    quantity(r"^[0-9]+(\.[0-9]{1,3})?$|^[0-9]+m$")
}

/// Amounts of bytes as Kubernetes writes them: a thousand is `k`, 1024 are `Ki`, never `K` or `ki`.
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>)
pub(super) const BYTES: &str = r"^[0-9]+(\.[0-9]+)?(k|[MGTPE]|[KMGTPE]i|[eE][0-9]+)?$";

fn memory(_: &mut SchemaGenerator) -> Schema {
    quantity(BYTES)
}

/// A quantity may be written as text or, since YAML makes one of `cpu: 2`, as a number.
fn quantity(pattern: &str) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 32,
        "minimum": 0,
        "pattern": pattern,
    })
}

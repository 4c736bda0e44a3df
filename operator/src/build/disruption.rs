//! How many pods a drain may take away at once.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::build::{Object, metadata};
use crate::desired::Owner;
use crate::kind::Kind;
use crate::names::Component;

pub(super) fn budget(owner: &Owner, component: Component) -> Object {
    let name = owner.part(component);
    let budget = PodDisruptionBudget {
        metadata: metadata(owner, &name, component),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            // A member that is not ready may be the one that a majority still needs.
            unhealthy_pod_eviction_policy: Some("IfHealthyBudget".to_owned()),
            selector: Some(LabelSelector {
                match_labels: Some(owner.selector(component)),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    Object::new(Kind::PodDisruptionBudget, &name, &budget)
}

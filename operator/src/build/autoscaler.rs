//! How many pods the API has, by the CPU that they use.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use crate::build::{Object, metadata};
use crate::desired::{Owner, Scale};
use crate::kind::Kind;
use crate::names::Component;

/// `None` if the count is fixed.
pub(super) fn api(owner: &Owner, scale: Scale) -> Option<Object> {
    let Scale::Auto {
        min,
        max,
        cpu_percent,
    } = scale
    else {
        return None;
    };
    let name = owner.part(Component::Api);
    let autoscaler = HorizontalPodAutoscaler {
        metadata: metadata(owner, &name, Component::Api),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: Kind::Deployment.name().to_owned(),
                name: name.clone(),
            },
            min_replicas: Some(min),
            max_replicas: max,
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(cpu_percent),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    };
    Some(Object::new(
        Kind::HorizontalPodAutoscaler,
        &name,
        &autoscaler,
    ))
}

//! What Kubernetes says of the members: their pods, volumes and nodes, as the plan wants to know
//! it. Pure.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod, PodCondition};
use kube::ResourceExt;

use crate::desired::Owner;
use crate::mongo::plan;
use crate::names::READINESS_GATE;

/// The label in which a StatefulSet notes the template that a pod was made from.
const REVISION: &str = "controller-revision-hash";

/// The pod of an ordinal, if there is one.
pub fn pod<'a>(owner: &Owner, pods: &'a [Arc<Pod>], ordinal: usize) -> Option<&'a Arc<Pod>> {
    let name = owner.pod(ordinal);
    pods.iter().find(|pod| pod.name_any() == name)
}

/// The claim of an ordinal for its volume, if there is one.
pub fn claim<'a>(
    owner: &Owner,
    claims: &'a [Arc<PersistentVolumeClaim>],
    ordinal: usize,
) -> Option<&'a Arc<PersistentVolumeClaim>> {
    let name = owner.claim(ordinal);
    claims.iter().find(|claim| claim.name_any() == name)
}

/// A pod as the plan sees it. `node` finds a node; where nodes cannot be seen, none is ever lost.
pub fn seen(pod: &Pod, can_see_nodes: bool, node: impl Fn(&str) -> Option<Arc<Node>>) -> plan::Pod {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let name = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    plan::Pod {
        uid: pod.uid().unwrap_or_default(),
        revision: pod.labels().get(REVISION).cloned().unwrap_or_default(),
        serving: containers
            .is_some_and(|all| !all.is_empty() && all.iter().all(|container| container.ready)),
        leaving: pod.metadata.deletion_timestamp.is_some(),
        node: name.map(|name| {
            let found = node(&name);
            plan::Node {
                lost: can_see_nodes && found.as_ref().is_none_or(|node| is_silent(node)),
                cordoned: found.is_some_and(|node| is_cordoned(&node)),
                name,
            }
        }),
    }
}

/// Whether the readiness gate says what it should.
pub fn has_gate(pod: &Pod, is_ready: bool) -> bool {
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
    let is_gate = |it: &&PodCondition| it.type_ == READINESS_GATE;
    let gate = conditions.and_then(|all| all.iter().find(is_gate));
    gate.is_some_and(|gate| (gate.status == "True") == is_ready)
}

/// Whether a pod is ready by all that Kubernetes knows.
pub fn is_pod_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
    conditions.is_some_and(|all| {
        all.iter()
            .any(|it| it.type_ == "Ready" && it.status == "True")
    })
}

fn is_cordoned(node: &Node) -> bool {
    let spec = node.spec.as_ref();
    spec.and_then(|spec| spec.unschedulable) == Some(true)
}

/// The cluster puts `Unknown` where a node has not reported for some time.
fn is_silent(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|it| it.conditions.as_ref());
    conditions.is_some_and(|all| {
        all.iter()
            .any(|it| it.type_ == "Ready" && it.status == "Unknown")
    })
}

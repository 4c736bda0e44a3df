//! What Kubernetes says of the members: their pods, volumes and nodes, as the plan wants to know
//! it. Pure.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerStatus, Node, PersistentVolumeClaim, Pod, PodCondition};
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

/// The names of the members' claims that are there and stay, in the order of their ordinals.
pub fn claims(owner: &Owner, claims: &[Arc<PersistentVolumeClaim>]) -> Vec<String> {
    let ordinals = 0..plan::MAX_MEMBERS;
    let found = ordinals.filter_map(|it| claim(owner, claims, it));
    let staying = found.filter(|it| it.metadata.deletion_timestamp.is_none());
    staying.map(|it| it.name_any()).collect()
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

/// A claim as the plan sees it.
pub fn volume(claim: &PersistentVolumeClaim) -> plan::Volume {
    plan::Volume {
        uid: claim.uid().unwrap_or_default(),
        leaving: claim.metadata.deletion_timestamp.is_some(),
    }
}

/// Whether a pod has come so far that there is somebody to ask: its name leads somewhere, and its
/// containers run. To look its name up before would make the name server remember for seconds that
/// there is none.
pub fn can_be_asked(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let address = status.and_then(|it| it.pod_ip.as_ref());
    let containers = status.and_then(|it| it.container_statuses.as_ref());
    let runs = |it: &ContainerStatus| it.state.as_ref().is_some_and(|it| it.running.is_some());
    address.is_some_and(|address| !address.is_empty())
        && containers.is_some_and(|all| !all.is_empty() && all.iter().all(runs))
}

/// Whether the readiness gate says what it should.
pub fn has_gate(pod: &Pod, is_ready: bool) -> bool {
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
    let is_gate = |it: &&PodCondition| it.type_ == READINESS_GATE;
    let gate = conditions.and_then(|all| all.iter().find(is_gate));
    gate.is_some_and(|gate| (gate.status == "True") == is_ready)
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn owner() -> Owner {
        Owner {
            name: "voice".to_owned(),
            namespace: "default".to_owned(),
            uid: "1".to_owned(),
        }
    }

    fn pod_of(name: &str, rest: &Value) -> Pod {
        let mut pod = json!({
            "metadata": {
                "name": name,
                "uid": "7",
                "labels": {"controller-revision-hash": "new"},
            },
            "spec": {"containers": [], "nodeName": "one"},
        });
        for (key, value) in rest.as_object().unwrap() {
            pod[key] = value.clone();
        }
        serde_json::from_value(pod).unwrap()
    }

    fn node(unschedulable: bool, ready: &str) -> Arc<Node> {
        let node = json!({
            "metadata": {"name": "one"},
            "spec": {"unschedulable": unschedulable},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        });
        Arc::new(serde_json::from_value(node).unwrap())
    }

    fn conditions(all: &Value) -> Pod {
        pod_of("voice-mongodb-0", &json!({"status": {"conditions": all}}))
    }

    #[test]
    fn a_member_is_found_by_its_ordinal_alone() {
        let pods = ["voice-mongodb-10", "voice-mongodb-1", "voice-mongodb-0x"]
            .map(|name| Arc::new(pod_of(name, &json!({}))));
        assert_eq!(
            pod(&owner(), &pods, 1).unwrap().name_any(),
            "voice-mongodb-1"
        );
        assert!(pod(&owner(), &pods, 0).is_none());
    }

    #[test]
    fn a_pod_serves_when_all_of_its_containers_are_ready_and_not_when_it_has_none() {
        for (ready, serves) in [
            (vec![], false),
            (vec![true], true),
            (vec![true, false], false),
        ] {
            let status = |ready: bool| json!({"name": "c", "image": "i", "imageID": "", "ready": ready, "restartCount": 0});
            let containers: Vec<_> = ready.into_iter().map(status).collect();
            let status = json!({"status": {"containerStatuses": containers}});
            let pod = pod_of("voice-mongodb-0", &status);
            assert_eq!(seen(&pod, true, |_| None).serving, serves);
        }
    }

    #[test]
    fn a_node_is_lost_when_it_is_silent_or_gone_and_never_where_nodes_cannot_be_seen() {
        let pod = pod_of("voice-mongodb-0", &json!({}));
        let lost = |can_see, node: Option<Arc<Node>>| {
            seen(&pod, can_see, |_| node.clone()).node.unwrap().lost
        };
        assert!(lost(true, None));
        assert!(lost(true, Some(node(false, "Unknown"))));
        // A kubelet that says so itself is not lost.
        assert!(!lost(true, Some(node(false, "False"))));
        assert!(!lost(true, Some(node(false, "True"))));
        assert!(!lost(false, None));
    }

    #[test]
    fn a_drained_node_is_cordoned() {
        let pod = pod_of("voice-mongodb-0", &json!({}));
        for unschedulable in [true, false] {
            let seen = seen(&pod, true, |_| Some(node(unschedulable, "True")));
            assert_eq!(seen.node.unwrap().cordoned, unschedulable);
        }
    }

    #[test]
    fn a_pod_that_is_nowhere_yet_has_no_node_and_is_not_asked() {
        let pod = pod_of("voice-mongodb-0", &json!({"spec": {"containers": []}}));
        assert_eq!(seen(&pod, true, |_| None).node, None);
        assert!(!can_be_asked(&pod));
    }

    #[test]
    fn a_pod_is_asked_as_soon_as_its_containers_run() {
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let waiting = json!({"waiting": {"reason": "PodInitializing"}});
        for (state, asked) in [(running, true), (waiting, false)] {
            let container = json!({
                "name": "mongod", "image": "i", "imageID": "", "ready": false,
                "restartCount": 0, "state": state,
            });
            let status = json!({"podIP": "10.244.1.7", "containerStatuses": [container]});
            let pod = pod_of("voice-mongodb-0", &json!({"status": status}));
            assert_eq!(can_be_asked(&pod), asked);
        }
    }

    #[test]
    fn a_claim_that_is_being_deleted_is_seen_as_such() {
        for (leaving, metadata) in [
            (false, json!({"uid": "9"})),
            (
                true,
                json!({"uid": "9", "deletionTimestamp": "2026-01-01T00:00:00Z"}),
            ),
        ] {
            let claim = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            let uid = "9".to_owned();
            assert_eq!(volume(&claim), plan::Volume { uid, leaving });
        }
    }

    #[test]
    fn a_gate_that_was_never_set_says_neither() {
        let unset = conditions(&json!([{"type": "Ready", "status": "True"}]));
        assert!(!has_gate(&unset, true) && !has_gate(&unset, false));
        let open = conditions(&json!([{"type": READINESS_GATE, "status": "True"}]));
        assert!(has_gate(&open, true) && !has_gate(&open, false));
        let shut = conditions(&json!([{"type": READINESS_GATE, "status": "False"}]));
        assert!(has_gate(&shut, false) && !has_gate(&shut, true));
    }
}

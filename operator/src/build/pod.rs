//! What the pods of both parts have in common: names of ports, and what the *restricted* Pod
//! Security Standard asks for, with a root file system that cannot be written to.

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ContainerPort, EmptyDirVolumeSource, LocalObjectReference,
    PodAffinityTerm, PodAntiAffinity, PodSecurityContext, SeccompProfile, SecurityContext,
    Toleration, TopologySpreadConstraint, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::desired::{Desired, Owner, Placement};
use crate::names::Component;

/// The name of the port of the API.
pub(super) const HTTP: &str = "http";
/// The name of the port of probes and metrics.
pub(super) const ADMIN: &str = "admin";
/// The name of the port of `mongod`.
pub(super) const MONGODB: &str = "mongodb";

/// The user of the project's own images (`service/Dockerfile`).
pub(super) const OWN_USER: i64 = 65_532;

pub(super) fn pod_security(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: Some(user),
        // A volume of a terabyte is not walked at every start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    }
}

pub(super) fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            ..Capabilities::default()
        }),
        ..SecurityContext::default()
    }
}

pub(super) fn container_port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        // Part of the key by which ports are merged.
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// A folder that is empty at each start; in memory if it is to hold secrets.
pub(super) fn empty_folder(name: &str, medium: Option<&str>, limit: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(str::to_owned),
            size_limit: Some(Quantity(limit.to_owned())),
        }),
        ..Volume::default()
    }
}

pub(super) fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

pub(super) fn read_only_mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        read_only: Some(true),
        ..mount(volume, path)
    }
}

/// On different nodes if there are enough; a laptop has one.
pub(super) fn apart(owner: &Owner, component: Component) -> Affinity {
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    weight: 100,
                    pod_affinity_term: PodAffinityTerm {
                        topology_key: "kubernetes.io/hostname".to_owned(),
                        label_selector: Some(selector(owner, component)),
                        ..PodAffinityTerm::default()
                    },
                },
            ]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

/// In different zones if there are any.
pub(super) fn zones(owner: &Owner, component: Component) -> Vec<TopologySpreadConstraint> {
    vec![TopologySpreadConstraint {
        max_skew: 1,
        topology_key: "topology.kubernetes.io/zone".to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(selector(owner, component)),
        ..TopologySpreadConstraint::default()
    }]
}

/// `None` if there are none, as everywhere here.
pub(super) fn tolerations(placement: &Placement) -> Option<Vec<Toleration>> {
    (!placement.tolerations.is_empty()).then(|| placement.tolerations.clone())
}

pub(super) fn pull_secrets(desired: &Desired) -> Option<Vec<LocalObjectReference>> {
    let secrets = desired.image_pull_secrets.iter();
    let secrets: Vec<_> = secrets
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    (!secrets.is_empty()).then_some(secrets)
}

pub(super) fn selector(owner: &Owner, component: Component) -> LabelSelector {
    LabelSelector {
        match_labels: Some(owner.selector(component)),
        ..LabelSelector::default()
    }
}

//! The members of the replica set.

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    Container, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodReadinessGate, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SecretVolumeSource, TCPSocketAction, Volume,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::build::pod::{
    MONGODB, apart, container_port, container_security, empty_folder, mount, pod_security,
    pull_secrets, read_only_mount, selector, tolerations, zones,
};
use crate::build::secret::KEY;
use crate::build::{Environment, Object, digest, json, metadata, some};
use crate::desired::{Desired, Owner, ReplicaSet, Storage};
use crate::kind::Kind;
use crate::names::{CONFIG_HASH, Component, MONGODB_PORT, READINESS_GATE, TEMPLATE_HASH};
use crate::quantity;

/// What stays of a `StatefulSet` as it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The templates of the members' claims, which can never change.
    pub claim_templates: Vec<PersistentVolumeClaim>,
    /// What installs the key, if that is known.
    pub installer: Option<Installer>,
}

/// The image that installs the key. A newer operator keeps it until something else in the template
/// changes: its own image alone is no reason to restart members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installer {
    /// The image, as it stands in the template.
    pub image: String,
    /// The digest of the template that the operator has applied with it.
    pub template: String,
}

impl Kept {
    /// That of an observed one; without what the API server adds.
    pub fn of(observed: &StatefulSet) -> Option<Self> {
        let spec = observed.spec.as_ref()?;
        let mut claim_templates = spec.volume_claim_templates.clone()?;
        for template in &mut claim_templates {
            template.status = None;
            template.metadata.creation_timestamp = None;
        }
        Some(Self {
            claim_templates,
            installer: Installer::of(observed),
        })
    }
}

impl Installer {
    fn of(observed: &StatefulSet) -> Option<Self> {
        let annotations = observed.metadata.annotations.as_ref()?;
        let pod = observed.spec.as_ref()?.template.spec.as_ref()?;
        let mut containers = pod.init_containers.iter().flatten();
        let container = containers.find(|it| it.name == INSTALL_KEY)?;
        Some(Self {
            image: container.image.clone()?,
            template: annotations.get(TEMPLATE_HASH)?.clone(),
        })
    }
}

const INSTALL_KEY: &str = "install-key";

const DATA: &str = "data";
const TMP: &str = "tmp";
const SECRET: &str = "key-secret";
const KEY_MEMORY: &str = "key";
const SECRET_FOLDER: &str = "/etc/sessionstore/key-secret";
const KEY_FOLDER: &str = "/etc/sessionstore/key";

/// A primary that is told to end first hands over, for which it takes at most so long; then
/// `mongod` closes its files.
const HAND_OVER_MILLIS: u32 = 5_000;
const GRACE_SECONDS: i64 = 60;

pub(super) fn members(
    desired: &Desired,
    set: &ReplicaSet,
    environment: &Environment,
    kept: Option<&Kept>,
    key_digest: &str,
) -> Object {
    let owner = &desired.owner;
    let name = owner.part(Component::Mongodb);
    let claim_templates = match kept {
        Some(kept) => kept.claim_templates.clone(),
        None => vec![claim(owner, &set.storage)],
    };
    let with = |installer: &str| template(desired, set, installer, key_digest);
    // The digest vouches for the image: one that somebody else has set is not kept.
    let as_before = kept
        .and_then(|kept| kept.installer.as_ref())
        .and_then(|it| {
            let template = with(&it.image);
            (template_digest(&template) == it.template).then_some(template)
        });
    let template = as_before.unwrap_or_else(|| with(&environment.operator_image));
    let hash = (TEMPLATE_HASH.to_owned(), template_digest(&template));
    let stateful_set = StatefulSet {
        metadata: ObjectMeta {
            annotations: Some([hash].into()),
            ..metadata(owner, &name, Component::Mongodb)
        },
        spec: Some(StatefulSetSpec {
            // `replicas` is set apart from all else, see `apply::scale`.
            service_name: Some(name.clone()),
            selector: selector(owner, Component::Mongodb),
            // Members find each other before they are ready.
            pod_management_policy: Some("Parallel".to_owned()),
            // The plan restarts them, in an order that Kubernetes does not know.
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            revision_history_limit: Some(3),
            persistent_volume_claim_retention_policy: Some(
                StatefulSetPersistentVolumeClaimRetentionPolicy {
                    when_deleted: Some(set.storage.when_deleted.name().to_owned()),
                    when_scaled: Some(set.storage.when_scaled.name().to_owned()),
                },
            ),
            volume_claim_templates: Some(claim_templates),
            template,
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    };
    Object::new(Kind::StatefulSet, &name, &stateful_set)
}

fn template(
    desired: &Desired,
    set: &ReplicaSet,
    installer: &str,
    key_digest: &str,
) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(desired.owner.labels(Component::Mongodb)),
            annotations: Some([(CONFIG_HASH.to_owned(), key_digest.to_owned())].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(desired, set, installer)),
    }
}

fn template_digest(template: &PodTemplateSpec) -> String {
    digest([json(template).to_string().as_bytes()])
}

/// It has the labels of the other objects, so that one that was retained is found again.
fn claim(owner: &Owner, storage: &Storage) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(DATA.to_owned()),
            labels: Some(owner.labels(Component::Mongodb)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.class.clone(),
            // What the API server would add: what was made is applied from then on, see `Kept`.
            volume_mode: Some("Filesystem".to_owned()),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), storage.size.clone())].into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

fn pod(desired: &Desired, set: &ReplicaSet, installer: &str) -> PodSpec {
    let owner = &desired.owner;
    let secret = Volume {
        name: SECRET.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(owner.key_secret()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod_security(set.run_as_user)),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        affinity: Some(apart(owner, Component::Mongodb)),
        node_selector: some(&set.placement.node_selector),
        tolerations: tolerations(&set.placement),
        priority_class_name: set.placement.priority_class.clone(),
        image_pull_secrets: pull_secrets(desired),
        topology_spread_constraints: Some(zones(owner, Component::Mongodb)),
        readiness_gates: Some(vec![PodReadinessGate {
            condition_type: READINESS_GATE.to_owned(),
        }]),
        volumes: Some(vec![
            secret,
            empty_folder(KEY_MEMORY, Some("Memory"), "1Mi"),
            empty_folder(TMP, None, "64Mi"),
        ]),
        init_containers: Some(vec![install_key(installer)]),
        containers: vec![mongod(owner, set)],
        ..PodSpec::default()
    }
}

/// `mongod` refuses a key that a group may read, and that is what a Secret's volume is for a user
/// who is not root. So a program of our own image copies it.
fn install_key(image: &str) -> Container {
    let quantity = |text: &str| Quantity(text.to_owned());
    Container {
        name: INSTALL_KEY.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(vec![
            INSTALL_KEY.to_owned(),
            format!("--from={SECRET_FOLDER}/{KEY}"),
            format!("--to={KEY_FOLDER}/{KEY}"),
        ]),
        resources: Some(ResourceRequirements {
            requests: Some(
                [
                    ("cpu".to_owned(), quantity("10m")),
                    ("memory".to_owned(), quantity("16Mi")),
                ]
                .into(),
            ),
            limits: Some([("memory".to_owned(), quantity("64Mi"))].into()),
            ..ResourceRequirements::default()
        }),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            read_only_mount(SECRET, SECRET_FOLDER),
            mount(KEY_MEMORY, KEY_FOLDER),
        ]),
        ..Container::default()
    }
}

fn mongod(owner: &Owner, set: &ReplicaSet) -> Container {
    Container {
        name: "mongod".to_owned(),
        image: Some(set.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        // Not the image's entry point, which wants to be root.
        command: Some(vec!["mongod".to_owned()]),
        args: Some(arguments(owner, set)),
        ports: Some(vec![container_port(MONGODB, MONGODB_PORT)]),
        // No liveness: a member that hangs still takes connections, and one that recovers its
        // journal does not yet; being killed would help neither.
        readiness_probe: Some(Probe {
            tcp_socket: Some(TCPSocketAction {
                port: IntOrString::String(MONGODB.to_owned()),
                ..TCPSocketAction::default()
            }),
            period_seconds: Some(2),
            ..Probe::default()
        }),
        resources: Some(set.resources.clone()),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            mount(DATA, "/data/db"),
            mount(TMP, "/tmp"),
            read_only_mount(KEY_MEMORY, KEY_FOLDER),
        ]),
        ..Container::default()
    }
}

fn arguments(owner: &Owner, set: &ReplicaSet) -> Vec<String> {
    let mut arguments = vec![
        "--replSet".to_owned(),
        owner.name.clone(),
        "--keyFile".to_owned(),
        format!("{KEY_FOLDER}/{KEY}"),
        "--bind_ip_all".to_owned(),
        "--port".to_owned(),
        MONGODB_PORT.to_string(),
        "--dbpath".to_owned(),
        "/data/db".to_owned(),
        "--setParameter".to_owned(),
        format!("shutdownTimeoutMillisForSignaledShutdown={HAND_OVER_MILLIS}"),
    ];
    let limits = set.resources.limits.as_ref();
    let memory = limits.and_then(|limits| limits.get("memory"));
    if let Some(bytes) = memory.and_then(quantity::bytes) {
        arguments.push("--wiredTigerCacheSizeGB".to_owned());
        arguments.push(cache_gigabytes(bytes));
    }
    if let Some(megabytes) = quantity::bytes(&set.storage.size).and_then(oplog_megabytes) {
        arguments.push("--oplogSize".to_owned());
        arguments.push(megabytes.to_string());
    }
    arguments
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What `mongod` takes by itself, half of all but a gigabyte, of what the container may have
/// instead of what the machine has; at least its smallest, 256 MB.
/// (<https://www.mongodb.com/docs/manual/core/wiredtiger/#memory-use>)
fn cache_gigabytes(limit: u64) -> String {
    let mib = (limit.saturating_sub(GIB) / 2 / MIB).max(256);
    // Thousandths are enough, and text of whole numbers has no rounding.
    let thousandths = mib * 1_000 / 1_024;
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

/// `mongod` takes a twentieth of the volume, but never less than 990 MB, which does not fit into a
/// small one. `None` where its own choice is good.
/// (<https://www.mongodb.com/docs/manual/core/replica-set-oplog/#oplog-size>)
fn oplog_megabytes(volume: u64) -> Option<u64> {
    let twentieth = volume / 20 / MIB;
    (twentieth < 990).then(|| twentieth.max(64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_half_of_what_is_left_of_the_limit() {
        assert_eq!(cache_gigabytes(GIB), "0.250");
        assert_eq!(cache_gigabytes(4 * GIB), "1.500");
        assert_eq!(cache_gigabytes(64 * GIB), "31.500");
    }

    #[test]
    fn a_small_volume_gets_a_small_oplog() {
        assert_eq!(oplog_megabytes(GIB / 2), Some(64));
        assert_eq!(oplog_megabytes(10 * GIB), Some(512));
        assert_eq!(oplog_megabytes(20 * GIB), None);
    }
}

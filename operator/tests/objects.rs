//! The objects that the operator makes, for each of the samples in `k8s/samples`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use sessionstore_operator::build::{self, Backend, Credentials, Environment, Kept, Object};
use sessionstore_operator::crd::SessionStore;
use sessionstore_operator::desired::{Desired, Mongodb};
use sessionstore_operator::kind::Kind;
use sessionstore_operator::validate::{Defaults, desired};

fn samples() -> Vec<(String, Desired)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../k8s/samples");
    let mut samples: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(path).unwrap();
            // The resource is the last document of each.
            let text = text.rsplit("\n---\n").next().unwrap();
            let mut store: SessionStore = serde_saphyr::from_str(text).unwrap();
            store.metadata.namespace.get_or_insert("default".to_owned());
            store.metadata.uid = Some("5c0ffee".to_owned());
            (name, desired(&store, &defaults()).unwrap())
        })
        .collect();
    samples.sort_by(|one, other| one.0.cmp(&other.0));
    samples
}

fn defaults() -> Defaults {
    Defaults {
        api_image: "sessionstore:default".to_owned(),
        mongodb_image: "mongo:default".to_owned(),
    }
}

fn environment() -> Environment {
    Environment {
        operator_image: "sessionstore-operator:default".to_owned(),
        operator_namespace: "operators".to_owned(),
        cluster_domain: "cluster.local".to_owned(),
    }
}

fn objects(desired: &Desired) -> Vec<Object> {
    objects_of(desired, &environment(), None)
}

/// By an operator that finds this of the members' `StatefulSet`.
fn objects_of(desired: &Desired, environment: &Environment, kept: Option<&Kept>) -> Vec<Object> {
    let credentials = Credentials {
        key: "KEY".to_owned(),
        operator_password: "OPERATOR".to_owned(),
        service_password: "SERVICE".to_owned(),
    };
    let backend = match &desired.mongodb {
        Mongodb::Managed(set) => Backend::Managed {
            set,
            credentials: &credentials,
            secrets: &[],
            kept,
        },
        Mongodb::External(secret) => Backend::External {
            secret,
            digest: "DIGEST",
        },
    };
    build::objects(desired, environment, backend)
}

#[test]
fn the_objects_of_each_sample_are_these() {
    for (name, desired) in samples() {
        let objects = objects(&desired);
        let manifests: Vec<String> = objects
            .iter()
            .map(|object| serde_saphyr::to_string(&object.manifest).unwrap())
            .collect();
        insta::assert_snapshot!(name, manifests.join("---\n"));
    }
}

#[test]
fn every_object_has_its_owner_and_the_labels_by_which_it_is_found() {
    for (_, desired) in samples() {
        for object in objects(&desired) {
            let metadata = &object.manifest["metadata"];
            assert_eq!(metadata["ownerReferences"][0]["uid"], "5c0ffee");
            assert_eq!(metadata["ownerReferences"][0]["controller"], true);
            assert_eq!(metadata["namespace"], desired.owner.namespace.as_str());
            let labels = &metadata["labels"];
            assert_eq!(
                labels["app.kubernetes.io/managed-by"],
                "sessionstore-operator"
            );
            assert_eq!(
                labels["app.kubernetes.io/instance"],
                desired.owner.name.as_str()
            );
        }
    }
}

#[test]
fn no_two_objects_have_the_same_kind_and_name() {
    for (_, desired) in samples() {
        let objects = objects(&desired);
        let keys: BTreeSet<_> = objects.iter().map(|it| (it.kind, &it.name)).collect();
        assert_eq!(keys.len(), objects.len());
    }
}

/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
#[test]
fn every_pod_meets_the_restricted_standard_with_a_root_that_cannot_be_written() {
    for (_, desired) in samples() {
        for object in objects(&desired) {
            let pod = &object.manifest["spec"]["template"]["spec"];
            if pod.is_null() {
                continue;
            }
            let security = &pod["securityContext"];
            assert_eq!(security["runAsNonRoot"], true);
            assert_ne!(security["runAsUser"], 0);
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(pod["automountServiceAccountToken"], false);
            for key in ["containers", "initContainers"] {
                for container in pod[key].as_array().into_iter().flatten() {
                    let security = &container["securityContext"];
                    assert_eq!(security["allowPrivilegeEscalation"], false);
                    assert_eq!(security["readOnlyRootFilesystem"], true);
                    assert_eq!(security["capabilities"]["drop"][0], "ALL");
                }
            }
        }
    }
}

#[test]
fn the_count_of_pods_is_in_no_manifest() {
    for (_, desired) in samples() {
        for object in objects(&desired) {
            assert!(object.manifest["spec"]["replicas"].is_null());
        }
    }
}

#[test]
fn more_members_change_nothing_but_what_the_plan_does() {
    let (_, three) = samples().remove(0);
    let mut five = three.clone();
    let Mongodb::Managed(set) = &mut five.mongodb else {
        panic!("the smallest sample has members");
    };
    set.members = 5;
    assert_eq!(objects(&three), objects(&five));
}

/// What there is of the members after this operator, or one before it, has applied its objects.
fn members(objects: &[Object]) -> StatefulSet {
    let mut objects = objects.iter();
    let found = objects.find(|it| it.kind == Kind::StatefulSet).unwrap();
    serde_json::from_value(found.manifest.clone()).unwrap()
}

fn template(objects: &[Object]) -> PodTemplateSpec {
    members(objects).spec.unwrap().template
}

fn installer(template: &PodTemplateSpec) -> &str {
    let pod = template.spec.as_ref().unwrap();
    let container = &pod.init_containers.as_ref().unwrap()[0];
    container.image.as_deref().unwrap()
}

fn newer() -> Environment {
    Environment {
        operator_image: "sessionstore-operator:newer".to_owned(),
        ..environment()
    }
}

#[test]
fn a_newer_operator_leaves_the_template_of_the_members_as_it_is() {
    let (_, desired) = samples().remove(0);
    let before = objects(&desired);
    let kept = Kept::of(&members(&before));
    let after = objects_of(&desired, &newer(), kept.as_ref());
    assert_eq!(before, after);
}

#[test]
fn a_newer_operator_brings_its_image_when_the_members_restart_anyway() {
    let (_, mut desired) = samples().remove(0);
    let kept = Kept::of(&members(&objects(&desired)));
    let Mongodb::Managed(set) = &mut desired.mongodb else {
        panic!("the smallest sample has members");
    };
    set.image = "mongo:newer".to_owned();
    let changed = objects_of(&desired, &newer(), kept.as_ref());
    assert_eq!(
        installer(&template(&changed)),
        "sessionstore-operator:newer"
    );
    // From then on that one is kept.
    let kept = Kept::of(&members(&changed));
    assert_eq!(changed, objects_of(&desired, &environment(), kept.as_ref()));
}

#[test]
fn another_cluster_domain_rolls_the_api_and_no_member() {
    let (_, desired) = samples().remove(0);
    let before = objects(&desired);
    let elsewhere = Environment {
        cluster_domain: "example.net".to_owned(),
        ..environment()
    };
    let after = objects_of(&desired, &elsewhere, None);
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(one, other)| one != other);
    let names: Vec<&str> = changed.map(|(it, _)| it.name.as_str()).collect();
    assert_eq!(names, ["voice-mongodb-uri", "voice-api"]);
    let hash = |objects: &[Object]| {
        let mut objects = objects.iter();
        let api = objects.find(|it| it.kind == Kind::Deployment).unwrap();
        let template = &api.manifest["spec"]["template"]["metadata"];
        template["annotations"]["sessionstore.dev/config-hash"].clone()
    };
    assert_ne!(hash(&before), hash(&after));
}

#[test]
fn an_image_that_somebody_else_has_set_is_not_kept() {
    let (_, desired) = samples().remove(0);
    let before = objects(&desired);
    let mut edited = members(&before);
    let spec = edited.spec.as_mut().unwrap();
    let pod = spec.template.spec.as_mut().unwrap();
    pod.init_containers.as_mut().unwrap()[0].image = Some("evil".to_owned());
    let kept = Kept::of(&edited);
    assert_eq!(before, objects_of(&desired, &environment(), kept.as_ref()));
}

//! Descriptions, messages and the full sample tell of the very values and fields that there are.

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Value, json};
use sessionstore_operator::{
    crd::SessionStore,
    desired::{Desired, Mongodb},
    names::Component,
    validate::{self, Defaults},
};

use crate::walk::{node, nodes, root};

/// What counts where the spec says nothing.
fn of_an_empty_spec() -> Desired {
    let store: SessionStore = serde_json::from_value(json!({
        "apiVersion": "sessionstore.dev/v1alpha1",
        "kind": "SessionStore",
        "metadata": {"name": "voice", "namespace": "default", "uid": "1"},
        "spec": {},
    }))
    .unwrap();
    let defaults = Defaults {
        api_image: "api".to_owned(),
        mongodb_image: "mongo".to_owned(),
    };
    validate::desired(&store, &defaults).unwrap()
}

fn description(path: &str) -> String {
    node(path)["description"].as_str().unwrap().to_owned()
}

fn assert_told(path: &str, resources: &ResourceRequirements) {
    let amount = |name: &str| resources.requests.as_ref().unwrap()[name].0.clone();
    let limits = resources.limits.as_ref().unwrap();
    let told = format!(
        "requests {} CPU and {} memory, and its memory is limited to {}; CPU is not limited",
        amount("cpu"),
        amount("memory"),
        limits["memory"].0
    );
    assert!(!limits.contains_key("cpu"), "{path}");
    assert!(description(path).contains(&told), "{path}: not {told}");
}

#[test]
fn resources_that_are_not_given_are_told_by_their_numbers() {
    let desired = of_an_empty_spec();
    let Mongodb::Managed(set) = &desired.mongodb else {
        panic!("it is external");
    };
    assert_told("spec.mongodb.resources", &set.resources);
    assert_told("spec.api.resources", &desired.api.resources);
}

#[test]
fn the_rule_about_autoscaling_tells_what_is_requested_without_resources() {
    let cpu = &of_an_empty_spec().api.resources.requests.unwrap()["cpu"].0;
    let rules = node("spec.api")["x-kubernetes-validations"].clone();
    let mut messages = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["message"].as_str().unwrap());
    let told = format!("a request of {cpu} CPU");
    assert!(messages.any(|it| it.contains(&told)), "{rules}");
}

#[test]
fn examples_of_the_status_are_what_a_store_shows() {
    let owner = of_an_empty_spec().owner;
    let url = format!("`{}`", owner.url("cluster.local"));
    assert!(description("status.api.url").contains(&url));
    for (key, value) in owner.selector(Component::Api) {
        let label = format!("`{key}={value}`");
        assert!(
            description("status.api.selector").contains(&label),
            "{label}"
        );
    }
}

/// 256Mi itself is taken, see the cases of the rules.
#[test]
fn the_least_limit_of_memory_is_told_as_one_that_is_taken() {
    let rules = node("spec.mongodb")["x-kubernetes-validations"].to_string();
    assert!(rules.contains("mongod takes 256Mi for its cache alone"));
    assert!(rules.contains("limits.memory to at least that"));
}

/// All but what excludes others.
#[test]
fn the_full_sample_has_every_field() {
    let sample = include_str!("../../../k8s/samples/5-full.yaml");
    let sample: Value = serde_saphyr::from_str(sample).unwrap();
    let excluded = ["spec.mongodb.external", "spec.api.autoscaling"];
    let missing: Vec<String> = nodes(&root())
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with("spec.") && !path.contains(['[', '{']))
        .filter(|path| !excluded.iter().any(|it| path.starts_with(it)))
        .filter(|path| {
            let pointer = format!("/{}", path.replace('.', "/"));
            sample.pointer(&pointer).is_none()
        })
        .collect();
    assert!(missing.is_empty(), "not in the sample: {missing:?}");
}

//! The schema is one that the API server takes, and reads like documentation.

use regex::Regex;
use serde_json::{Value, json};
use sessionstore_operator::crd;

use crate::walk::{node, nodes, root};

#[test]
fn every_field_is_described_in_whole_sentences() {
    for (path, node) in nodes(&root()) {
        let description = node["description"].as_str();
        let description = description.unwrap_or_else(|| panic!("{path} has no description"));
        assert!(description.ends_with('.'), "{path}: {description}");
        assert!(
            description.starts_with(char::is_uppercase),
            "{path}: {description}"
        );
    }
}

/// `::` may stand in the directives of a log filter.
#[test]
fn descriptions_are_for_users_and_not_for_rustdoc() {
    for (path, node) in nodes(&root()) {
        let description = node["description"].as_str().unwrap();
        let plain = description.replace("sessionstore::log", "");
        for trace in ["[`", "`]", "](", "::", "\n", "Option<", "# Errors"] {
            assert!(!plain.contains(trace), "{path}: {description}");
        }
    }
}

#[test]
fn every_default_is_said_or_seen() {
    let scalars = ["string", "integer", "boolean"];
    for (path, node) in nodes(&root()) {
        let is_spec = path.starts_with("spec.");
        let is_field = !path.ends_with("[]") && !path.ends_with("{}");
        let is_scalar = scalars.iter().any(|scalar| node["type"] == **scalar);
        if !(is_spec && is_field && is_scalar) {
            continue;
        }
        let says = node["description"].as_str().unwrap().contains("given, ");
        assert!(
            says || !node["default"].is_null() || is_required(&path),
            "{path} does not say what counts when it is left out"
        );
    }
}

/// What the API server wants of a structural schema, in as far as the derives could break it.
#[test]
fn the_schema_is_structural() {
    for (path, node) in nodes(&root()) {
        let is_quantity = node["x-kubernetes-int-or-string"] == true;
        assert!(
            node["type"].is_string() != is_quantity,
            "{path} has no type"
        );
        for keyword in [
            "anyOf", "oneOf", "allOf", "not", "$ref", "nullable", "title",
        ] {
            assert!(node[keyword].is_null(), "{path} has {keyword}");
        }
        let format = node["format"].as_str().unwrap_or("int32");
        assert!(
            ["int32", "int64", "date-time"].contains(&format),
            "{path}: {format}"
        );
    }
}

#[test]
fn everything_that_a_user_may_write_is_bounded() {
    for (path, node) in nodes(&root()) {
        if !path.starts_with("spec.") {
            continue;
        }
        let bound = match node["type"].as_str() {
            Some("string") if node["enum"].is_null() => "maxLength",
            Some("array") => "maxItems",
            Some("object") if !node["additionalProperties"].is_null() => "maxProperties",
            Some("integer") if !path.ends_with("tolerationSeconds") => "maximum",
            _ => continue,
        };
        assert!(node[bound].is_number(), "{path} has no {bound}");
    }
}

#[test]
fn fields_that_exclude_each_other_have_no_default() {
    for path in [
        "spec.mongodb.members",
        "spec.mongodb.image",
        "spec.mongodb.storage",
        "spec.mongodb.resources",
        "spec.mongodb.runAsUser",
        "spec.mongodb.nodeSelector",
        "spec.mongodb.tolerations",
        "spec.mongodb.priorityClassName",
        "spec.mongodb.external",
        "spec.api.replicas",
        "spec.api.autoscaling",
        "spec.monitoring.labels",
    ] {
        assert!(node(path)["default"].is_null(), "{path}");
    }
}

#[test]
fn defaults_are_those_of_the_design() {
    for (path, default) in [
        ("spec.mongodb", json!({})),
        ("spec.mongodb.storage.size", json!("20Gi")),
        ("spec.mongodb.storage.whenDeleted", json!("Retain")),
        ("spec.mongodb.storage.whenScaled", json!("Retain")),
        ("spec.mongodb.external.uriSecretRef.key", json!("uri")),
        (
            "spec.api",
            json!({"log": "info", "service": {"type": "ClusterIP"}}),
        ),
        ("spec.api.log", json!("info")),
        ("spec.api.service", json!({"type": "ClusterIP"})),
        ("spec.api.service.type", json!("ClusterIP")),
        ("spec.api.autoscaling.minReplicas", json!(2)),
        ("spec.api.autoscaling.maxReplicas", json!(10)),
        ("spec.api.autoscaling.targetCPUUtilization", json!(70)),
        ("spec.monitoring", json!({"serviceMonitor": false})),
        ("spec.monitoring.serviceMonitor", json!(false)),
        ("spec.paused", json!(false)),
    ] {
        assert_eq!(node(path)["default"], default, "{path}");
    }
}

#[test]
fn choices_are_enums() {
    for (path, values) in [
        (
            "spec.mongodb.storage.whenDeleted",
            json!(["Retain", "Delete"]),
        ),
        (
            "spec.mongodb.storage.whenScaled",
            json!(["Retain", "Delete"]),
        ),
        (
            "spec.api.service.type",
            json!(["ClusterIP", "NodePort", "LoadBalancer"]),
        ),
    ] {
        assert_eq!(node(path)["enum"], values, "{path}");
    }
}

#[test]
fn patterns_take_what_kubernetes_takes() {
    let class = "spec.mongodb.storage.storageClassName";
    let cpu = "spec.api.resources.limits.cpu";
    let memory = "spec.mongodb.resources.requests.memory";
    let image = "spec.api.image";
    for (path, good, bad) in [
        (
            "spec.mongodb.storage.size",
            &[
                "20Gi",
                "1.5Ti",
                "1000000000",
                "1e9",
                "512Mi",
                "8388608Ki",
                "300M",
                "300000k",
            ][..],
            &[
                "", "20 Gi", "-1Gi", "20GB", "Gi", "1.Gi", "500m", "512ki", "512K",
            ][..],
        ),
        (
            cpu,
            &["500m", "2", "0.25", "1.5"],
            &["", "-1", "1.5m", "two", "1Gi", "0.0001"],
        ),
        (
            memory,
            &[
                "512Mi",
                "2Gi",
                "1073741824",
                "1.5Gi",
                "8388608Ki",
                "524288k",
            ],
            &["", "512MB", "-1Gi", "1 Gi", "100m", "512ki", "512K"],
        ),
        (
            class,
            &["fast", "fast.ssd", "gp3-eu-1"],
            &["", "Fast", "fast_ssd", "-fast", "fast."],
        ),
        (
            image,
            &[
                "mongo:8.0",
                "localhost/sessionstore:dev",
                "ghcr.io/a/b@sha256:0f",
                "host:5000/x_y",
            ],
            &["", "mongo 8", ":8.0", "http//?"],
        ),
        (
            "spec.api.otlpEndpoint",
            &["http://collector:4318", "https://x.example/y"],
            &["", "collector:4318", "grpc://x", "http://"],
        ),
        (
            "spec.monitoring.scraperNamespace",
            &["monitoring", "a1"],
            &["", "Monitoring", "a.b", "-a"],
        ),
        (
            "spec.mongodb.external.uriSecretRef.key",
            &["uri", "MONGODB_URI", "connectionString.standardSrv"],
            &["", "a b", "a/b"],
        ),
    ] {
        let pattern = node(path)["pattern"].as_str().unwrap().to_owned();
        let pattern = Regex::new(&pattern).unwrap();
        assert!(
            good.iter().all(|text| pattern.is_match(text)),
            "{path} refuses one of {good:?}"
        );
        assert!(
            !bad.iter().any(|text| pattern.is_match(text)),
            "{path} takes one of {bad:?}"
        );
    }
}

#[test]
fn columns_and_scale_point_at_fields_that_exist() {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    let version = &definition["spec"]["versions"][0];
    let columns = version["additionalPrinterColumns"].as_array().unwrap();
    let of_conditions = ".status.conditions[?(@.type==\"Ready\")]";
    for column in columns {
        let path = column["jsonPath"].as_str().unwrap();
        let path = path.replace(of_conditions, ".status.conditions[]");
        if path != ".metadata.creationTimestamp" {
            node(path.trim_start_matches('.'));
        }
    }
    for path in version["subresources"]["scale"]
        .as_object()
        .unwrap()
        .values()
    {
        node(path.as_str().unwrap().trim_start_matches('.'));
    }
}

#[test]
fn a_list_of_stores_shows_what_matters_first() {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .clone();
    let names = |wide: bool| -> Vec<Value> {
        let wanted = columns
            .iter()
            .filter(|column| (column["priority"] == 1) == wide);
        wanted.map(|column| column["name"].clone()).collect()
    };
    assert_eq!(
        names(false),
        ["Ready", "Reason", "Members", "Primary", "API", "Age"]
    );
    assert_eq!(names(true), ["URL", "MongoDB"]);
}

#[test]
fn names_are_those_of_the_design() {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    assert_eq!(
        definition["metadata"]["name"],
        "sessionstores.sessionstore.dev"
    );
    assert_eq!(definition["spec"]["group"], "sessionstore.dev");
    assert_eq!(definition["spec"]["scope"], "Namespaced");
    let names = &definition["spec"]["names"];
    assert_eq!(names["kind"], "SessionStore");
    assert_eq!(names["plural"], "sessionstores");
    assert_eq!(names["singular"], "sessionstore");
    assert_eq!(names["shortNames"], json!(["sst"]));
    assert_eq!(names["categories"], json!(["all", "sessionstore"]));
    assert_eq!(definition["spec"]["versions"][0]["name"], "v1alpha1");
    assert!(definition["spec"]["versions"][0]["subresources"]["status"].is_object());
}

fn is_required(path: &str) -> bool {
    let (parent, name) = path.rsplit_once('.').unwrap();
    let parent = node(parent);
    parent["required"]
        .as_array()
        .is_some_and(|required| required.contains(&name.into()))
}

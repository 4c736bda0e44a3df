//! What the chart takes and what it refuses, before anything is installed.

use std::{fs, path::Path};

use anyhow::ensure;
use serde_json::Value;

use crate::workspace;

use super::copies::variable;
use super::helm::{CHART, Helm};
use super::manifest::{self, only};

/// Values that the schema refuses, and what its message has to name.
const REFUSED: [(&str, &str); 28] = [
    ("replica=2", "replica"),
    ("replicas=\"two\"", "replicas"),
    ("replicas=-1", "replicas"),
    ("image.tag=\"a tag\"", "tag"),
    ("image.repository=\"\"", "repository"),
    ("image.pullPolicy=\"Sometimes\"", "pullPolicy"),
    ("image.name=\"x\"", "name"),
    ("defaultImages.mongodb=\"\"", "mongodb"),
    ("watchNamespaces=\"voice\"", "watchNamespaces"),
    ("watchNamespaces=[\"Voice\"]", "watchNamespaces"),
    ("watchNamespaces=[\"voice\",\"voice\"]", "watchNamespaces"),
    ("clusterDomain=\".local\"", "clusterDomain"),
    ("concurrency=0", "concurrency"),
    ("leaseDuration=15", "leaseDuration"),
    ("leaseDuration=\"15\"", "leaseDuration"),
    // The operator itself would refuse them, when it is installed already.
    ("leaseDuration=\"1s\"", "leaseDuration"),
    ("leaseDuration=\"301s\"", "leaseDuration"),
    ("leaseDuration=\"900m\"", "leaseDuration"),
    ("podSecurityContext=[]", "podSecurityContext"),
    (
        "containerSecurityContext=\"none\"",
        "containerSecurityContext",
    ),
    ("topologySpreadConstraints=[{\"maxSkew\":1}]", "topologyKey"),
    ("log.format=\"xml\"", "format"),
    ("otlpEndpoint=\"collector:4317\"", "otlpEndpoint"),
    ("crds.install=\"yes\"", "install"),
    ("extraEnv=[{\"value\":\"x\"}]", "extraEnv"),
    // It would break what NetworkPolicies and Services select by.
    (
        "podLabels={\"app.kubernetes.io/name\":\"x\"}",
        "app.kubernetes.io/name",
    ),
    ("networkPolicy.scraperNamespace=\"*\"", "scraperNamespace"),
    ("monitoring.serviceMonitor.enabled=true", "enabled"),
];

/// Tries them all, and looks whether each value has its comment.
pub(super) fn check(helm: &Helm) -> anyhow::Result<()> {
    for (value, named) in REFUSED {
        let said = helm.refusal(value)?;
        ensure!(
            said.contains(named),
            "{value} is refused, but not for {named}: {said}"
        );
    }
    for duration in ["3s", "300s", "5m"] {
        let set = format!("leaseDuration={duration}");
        let taken = helm.render(&["--set", &set])?;
        let given = variable(
            only(&taken, "Deployment")?,
            "SESSIONSTORE_OPERATOR_LEASE_DURATION",
        );
        ensure!(given == duration, "{set} becomes {given}");
    }
    let said = helm.refusal_of("1.31.9")?;
    ensure!(said.contains("kubeVersion"), "{said}");
    helm.render(&["--kube-version", "1.32.0-gke.1"])?;
    check_all_values_are_there(workspace::root())
}

/// Whatever can be set is in values.yaml, with its comment, and is tried by the full values.
fn check_all_values_are_there(root: &Path) -> anyhow::Result<()> {
    let chart = root.join(CHART);
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(chart.join("values.schema.json"))?)?;
    for file in ["values.yaml", "ci/full-values.yaml"] {
        let values = manifest::read(&fs::read_to_string(chart.join(file))?)?.remove(0);
        let missing = missing(&schema, &values.0, "");
        ensure!(
            missing.is_empty(),
            "{file} lacks what the schema has: {missing:?}"
        );
    }
    Ok(())
}

fn missing(schema: &Value, values: &Value, path: &str) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut found = Vec::new();
    for (name, property) in properties {
        let path = format!("{path}.{name}");
        match values.get(name) {
            Some(value) => found.extend(missing(property, value, &path)),
            // Helm sets it in a part of another chart.
            None if path == ".global" => {}
            None => found.push(path),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_without_a_default_is_found_at_any_depth() {
        let schema = json!({"properties": {
            "a": {"properties": {"b": {}, "c": {}}},
            "global": {},
        }});
        assert_eq!(missing(&schema, &json!({"a": {"b": 1}}), ""), [".a.c"]);
    }
}

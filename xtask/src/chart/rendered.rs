//! What the chart makes of several sets of values.

use std::fs;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::workspace;

use super::copies::variable;
use super::helm::{CHART, Helm, NAME};
use super::manifest::{self, Manifest, only};
use super::roles;

/// What `cargo xtask cluster install` sets, which must stay values of the chart.
const OF_THE_CLUSTER: [&str; 5] = [
    "image.repository=localhost/sessionstore-operator",
    "image.tag=dev",
    "image.pullPolicy=Never",
    "defaultImages.api=localhost/sessionstore:dev",
    "defaultImages.mongodb=localhost/mongod:6.0.5",
];

/// Kinds that belong to no namespace.
const OF_THE_WHOLE_CLUSTER: [&str; 3] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
];

/// Renders, and looks through what comes out.
pub(super) fn check(helm: &Helm) -> anyhow::Result<()> {
    let root = workspace::root();
    for entry in fs::read_dir(root.join(CHART).join("ci"))? {
        let values = entry?.path();
        let path = values.display().to_string();
        helm.lint(&values)?;
        let manifests = helm.render(&["--values", &path])?;
        check_any(&manifests).with_context(|| format!("with {path}"))?;
    }
    check_default(&helm.render(&[])?)?;
    check_limited(&helm.render(&["--set", "watchNamespaces={voice,chat}"])?)?;
    check_full(&helm.render(&["--values", &format!("{CHART}/ci/full-values.yaml")])?)?;
    check_without_crd(&helm.render(&["--set", "crds.install=false"])?)?;
    check_cluster(helm)?;
    Ok(())
}

/// What holds for all values.
fn check_any(manifests: &[Manifest]) -> anyhow::Result<()> {
    for manifest in manifests {
        let belongs = !OF_THE_WHOLE_CLUSTER.contains(&manifest.kind());
        ensure!(
            manifest.namespace().is_some() == belongs,
            "{manifest} has the namespace {:?}",
            manifest.namespace()
        );
        ensure!(
            manifest.label("app.kubernetes.io/managed-by") != Some(NAME),
            "{manifest} has the label of what the operator itself makes"
        );
    }
    roles::check(manifests)?;
    roles::check_bindings(manifests)?;
    check_pod(only(manifests, "Deployment")?)?;
    for test in manifests.iter().filter(|it| it.kind() == "Pod") {
        ensure!(
            test.0.pointer("/metadata/annotations/helm.sh~1hook") == Some(&json!("test")),
            "{test} is no test of the chart"
        );
        check_restricted(test, "/spec")?;
    }
    Ok(())
}

/// The operator's pods: found by members, restricted, watched, limited.
fn check_pod(deployment: &Manifest) -> anyhow::Result<()> {
    let template = "/spec/template/spec";
    check_restricted(deployment, template)?;
    let labels = &deployment.0["spec"]["template"]["metadata"]["labels"];
    ensure!(
        labels["app.kubernetes.io/name"] == NAME,
        "members let pods in by the label app.kubernetes.io/name: {NAME}, not by {labels}"
    );
    let container = &deployment.list(&format!("{template}/containers"))[0];
    for (probe, path) in [
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ] {
        let get = &container[probe]["httpGet"];
        ensure!(
            *get == json!({"path": path, "port": "admin"}),
            "the {probe} asks {get}"
        );
    }
    ensure!(
        container["ports"] == json!([{"name": "admin", "containerPort": 8080, "protocol": "TCP"}]),
        "the port of the probes is another one"
    );
    ensure!(
        container["resources"]["limits"]["memory"].is_string(),
        "the memory is not limited"
    );
    let settings = fs::read_to_string(workspace::root().join("operator/src/config/mod.rs"))?;
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default();
        ensure!(
            name.starts_with("OTEL_") || settings.contains(&format!("\"{name}\"")),
            "the operator knows no {name}"
        );
    }
    Ok(())
}

/// By the Pod Security Standard *restricted*, and with a root file system that is read only.
fn check_restricted(manifest: &Manifest, spec: &str) -> anyhow::Result<()> {
    let pod = manifest.0.pointer(spec).unwrap_or(&Value::Null);
    let security = &pod["securityContext"];
    ensure!(
        security["runAsNonRoot"] == true && security["seccompProfile"]["type"] == "RuntimeDefault",
        "{manifest} is not restricted: {security}"
    );
    let containers = pod["containers"].as_array().into_iter().flatten();
    for container in containers {
        let security = &container["securityContext"];
        ensure!(
            security["allowPrivilegeEscalation"] == false
                && security["readOnlyRootFilesystem"] == true
                && security["capabilities"] == json!({"drop": ["ALL"]}),
            "{manifest} is not restricted: {security}"
        );
    }
    Ok(())
}

fn check_default(manifests: &[Manifest]) -> anyhow::Result<()> {
    let deployment = only(manifests, "Deployment")?;
    let version = env!("CARGO_PKG_VERSION");
    let image = deployment.text("/spec/template/spec/containers/0/image");
    ensure!(
        image == format!("ghcr.io/sessionstore/sessionstore-operator:{version}"),
        "the image is {image}; appVersion in Chart.yaml has to be {version}, as in Cargo.toml"
    );
    ensure!(
        variable(deployment, "SESSIONSTORE_OPERATOR_OPERATOR_IMAGE") == image,
        "members are given another image of the operator than its own"
    );
    let api = variable(deployment, "SESSIONSTORE_OPERATOR_API_IMAGE");
    ensure!(
        api == format!("ghcr.io/sessionstore/sessionstore:{version}"),
        "the image of the API is {api}"
    );
    ensure!(
        deployment.0["spec"]["replicas"] == 2,
        "there are not two pods"
    );
    check_definition(only(manifests, "CustomResourceDefinition")?)?;
    let policy = only(manifests, "NetworkPolicy")?;
    ensure!(
        policy.0["spec"]["policyTypes"] == json!(["Ingress"]),
        "what the operator calls is limited"
    );
    for optional in ["ServiceMonitor", "PrometheusRule", "ConfigMap"] {
        ensure!(
            !manifests.iter().any(|it| it.kind() == optional),
            "{optional} needs what a cluster may not have, and nobody asked for it"
        );
    }
    for (group, resource, verbs) in [
        (
            "coordination.k8s.io",
            "leases",
            &["get", "list", "watch", "create", "update"][..],
        ),
        ("sessionstore.dev", "sessionstores", &["list", "watch"]),
        ("sessionstore.dev", "sessionstores/status", &["patch"]),
        ("", "nodes", &["list", "watch"]),
        ("", "pods/eviction", &["create"]),
        ("apps", "deployments/scale", &["patch"]),
        ("events.k8s.io", "events", &["create", "patch"]),
    ] {
        roles::check_allows(manifests, group, resource, verbs)?;
    }
    Ok(())
}

/// That of /crds, kept when the chart goes; nothing of its text was taken for a template.
fn check_definition(definition: &Manifest) -> anyhow::Result<()> {
    let path = workspace::root().join("crds/sessionstores.sessionstore.dev.yaml");
    let mut expected = manifest::read(&fs::read_to_string(path)?)?.remove(0);
    expected.0["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    ensure!(
        *definition == expected,
        "the chart's CRD is not that of /crds"
    );
    Ok(())
}

fn check_limited(manifests: &[Manifest]) -> anyhow::Result<()> {
    roles::check_limited(manifests, &["voice", "chat"])?;
    let namespaces = variable(
        only(manifests, "Deployment")?,
        "SESSIONSTORE_OPERATOR_NAMESPACE",
    );
    ensure!(
        namespaces == "voice,chat",
        "the operator looks after {namespaces}"
    );
    Ok(())
}

fn check_full(manifests: &[Manifest]) -> anyhow::Result<()> {
    check_full_pod(only(manifests, "Deployment")?)?;
    let dashboards = manifests.iter().filter(|it| it.kind() == "ConfigMap");
    let mut count = 0;
    for dashboard in dashboards {
        count += 1;
        ensure!(
            dashboard.label("grafana_dashboard") == Some("1"),
            "Grafana does not find {dashboard}"
        );
        let files = dashboard.0["data"].as_object().into_iter().flatten();
        for (name, file) in files {
            let file = file.as_str().unwrap_or_default();
            let original = name.trim_start_matches("sessionstore-");
            let path = workspace::root().join("k8s/dashboards").join(original);
            let original: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
            ensure!(
                serde_json::from_str::<Value>(file)? == original,
                "{name} is not that of k8s/dashboards"
            );
        }
    }
    ensure!(count == 3, "there are {count} dashboards");
    let rules = only(manifests, "PrometheusRule")?;
    let alerts = fs::read_to_string(workspace::root().join("k8s/alerts/sessionstore.yaml"))?;
    let alerts = manifest::read(&alerts)?.remove(0);
    ensure!(
        rules.0["spec"] == alerts.0,
        "the alerts are not those of k8s/alerts"
    );
    let monitor = only(manifests, "ServiceMonitor")?;
    let service = only(manifests, "Service")?;
    ensure!(
        monitor.0["spec"]["selector"]["matchLabels"]
            .as_object()
            .is_some_and(|labels| labels
                .iter()
                .all(|(name, value)| { service.label(name) == value.as_str() })),
        "the ServiceMonitor does not find the Service"
    );
    Ok(())
}

/// What a cluster of its own kind needs: an image by its digest, a user that the cluster chooses, pods
/// spread as it wants.
fn check_full_pod(deployment: &Manifest) -> anyhow::Result<()> {
    let pod = &deployment.0["spec"]["template"]["spec"];
    let image = &pod["containers"][0]["image"];
    ensure!(
        image.as_str().is_some_and(|it| it.contains("@sha256:")),
        "the image {image} has lost its digest"
    );
    let security = &pod["securityContext"];
    ensure!(
        security["runAsUser"].is_null() && security["fsGroupChangePolicy"] == "OnRootMismatch",
        "podSecurityContext is not merged: {security}"
    );
    let security = &pod["containers"][0]["securityContext"];
    ensure!(
        security["runAsNonRoot"] == true,
        "containerSecurityContext is not merged: {security}"
    );
    let spread = &pod["topologySpreadConstraints"][0]["topologyKey"];
    ensure!(
        spread == "topology.kubernetes.io/zone",
        "the pods are not spread by what the values say: {spread}"
    );
    Ok(())
}

fn check_without_crd(manifests: &[Manifest]) -> anyhow::Result<()> {
    ensure!(
        !manifests
            .iter()
            .any(|it| it.kind() == "CustomResourceDefinition"),
        "crds.install=false installs the CRD"
    );
    Ok(())
}

fn check_cluster(helm: &Helm) -> anyhow::Result<()> {
    let values = OF_THE_CLUSTER.join(",");
    let manifests = helm.render(&["--set-string", &values])?;
    let deployment = only(&manifests, "Deployment")?;
    ensure!(
        deployment.name() == NAME,
        "`cargo xtask cluster install` waits for another Deployment than {deployment}"
    );
    let container = &deployment.list("/spec/template/spec/containers")[0];
    ensure!(
        container["image"] == "localhost/sessionstore-operator:dev"
            && container["imagePullPolicy"] == "Never",
        "the local cluster would pull {}",
        container["image"]
    );
    Ok(())
}

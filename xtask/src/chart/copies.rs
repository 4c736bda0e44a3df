//! Files that are made of others, and checked in so that they can be used without this repository's
//! tools: they must not drift.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};

use crate::workspace;

use super::helm::{CHART, Helm, NAME};
use super::manifest::{Manifest, only};

/// The manifests for kustomize.
const BASE: &str = "k8s/base/operator.yaml";
const CRD: &str = "sessionstores.sessionstore.dev.yaml";

/// Writes them anew.
pub(super) fn write(helm: &Helm) -> anyhow::Result<()> {
    for (copy, original) in copied()? {
        fs::copy(&original, &copy)
            .with_context(|| format!("cannot copy {}", original.display()))?;
    }
    fs::write(at(BASE), base(helm)?).with_context(|| format!("cannot write {BASE}"))
}

/// Fails when one has drifted.
pub(super) fn check(helm: &Helm) -> anyhow::Result<()> {
    let mut copied = copied()?;
    // Written by `cargo xtask generate`, of the operator that is built; here without building it.
    copied.push((
        at(&format!("{CHART}/files/{CRD}")),
        at(&format!("crds/{CRD}")),
    ));
    for (copy, original) in copied {
        if read(&copy)? != read(&original)? {
            bail!(
                "{} is no copy of {}: run `cargo xtask chart write` or `cargo xtask generate`",
                copy.display(),
                original.display()
            );
        }
    }
    let dashboards = fs::read_dir(at(&format!("{CHART}/files/dashboards")))?.count();
    ensure!(
        dashboards == dashboards_below(at("k8s/dashboards"))?.len(),
        "the chart has a dashboard that k8s/dashboards has not"
    );
    ensure!(
        read(&at(BASE))? == base(helm)?,
        "{BASE} is not what the chart makes: run `cargo xtask chart write`"
    );
    check_kustomize(helm)
}

/// Copies and originals.
fn copied() -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let files = at(&format!("{CHART}/files"));
    let mut copied = vec![(
        files.join("alerts.yaml"),
        at("k8s/alerts/sessionstore.yaml"),
    )];
    for original in dashboards_below(at("k8s/dashboards"))? {
        let name = original.file_name().unwrap_or_default();
        copied.push((files.join("dashboards").join(name), original));
    }
    Ok(copied)
}

/// The dashboards in a folder, in the order of their names.
pub(super) fn dashboards_below(folder: PathBuf) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn base(helm: &Helm) -> anyhow::Result<String> {
    helm.template(&["--skip-tests"])
}

/// The base is what the chart makes, and the example changes what it says it changes.
fn check_kustomize(helm: &Helm) -> anyhow::Result<()> {
    let charted = helm.render(&["--skip-tests"])?;
    let base = helm.kustomize("k8s/base")?;
    ensure!(
        base.len() == charted.len() + 1,
        "k8s/base is the chart and a Namespace, but has {} objects instead of {}",
        base.len(),
        charted.len() + 1
    );
    let managers = base
        .iter()
        .map(|it| it.label("app.kubernetes.io/managed-by"));
    for manager in managers {
        ensure!(
            manager == Some("kustomize"),
            "k8s/base has objects that are managed by {manager:?}"
        );
    }
    let example = helm.kustomize("k8s/overlays/example")?;
    let deployment = only(&example, "Deployment")?;
    let image = deployment.text("/spec/template/spec/containers/0/image");
    ensure!(
        image.starts_with("registry.example.net/"),
        "k8s/overlays/example leaves the image {image}"
    );
    ensure!(
        variable(deployment, "SESSIONSTORE_OPERATOR_OPERATOR_IMAGE") == image,
        "k8s/overlays/example has two images of the operator"
    );
    let dashboards = only(&example, "ConfigMap")?;
    ensure!(
        dashboards.label("grafana_dashboard") == Some("1") && dashboards.namespace() == Some(NAME),
        "k8s/overlays/example has dashboards that Grafana does not find"
    );
    Ok(())
}

/// A variable of the operator.
pub(super) fn variable<'a>(deployment: &'a Manifest, name: &str) -> &'a str {
    let variables = deployment.list("/spec/template/spec/containers/0/env");
    let found = variables.iter().find(|it| it["name"] == name);
    found
        .and_then(|it| it["value"].as_str())
        .unwrap_or_default()
}

fn at(path: &str) -> PathBuf {
    workspace::root().join(path)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

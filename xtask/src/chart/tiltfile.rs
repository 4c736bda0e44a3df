//! The Tiltfile, evaluated as Starlark with stubs for what Tilt brings: Tilt itself is in no package
//! registry that can be used here.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context, ensure};
use serde::Deserialize;
use sessionstore_fetch::process::works;

use crate::{process, workspace};

use super::helm::{CHART, Helm, NAME};
use super::manifest::{self, Manifest, only};

const SAMPLES: &str = "k8s/samples";
/// The storage classes that the local cluster has.
const VOLUMES: &str = "xtask/cluster/manifests/volumes.yaml";

/// What a Tiltfile declares, as `xtask/python/tiltfile.py` prints it.
#[derive(Deserialize)]
struct Declared {
    contexts: Vec<String>,
    manifests: Vec<String>,
    charts: Vec<Chart>,
    local: BTreeMap<String, Local>,
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
struct Chart {
    path: String,
    name: String,
    namespace: String,
    set: Vec<String>,
}

#[derive(Deserialize)]
struct Local {
    cmd: String,
    deps: Vec<String>,
    manual: bool,
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct Resource {
    port_forwards: Vec<PortForward>,
    #[serde(rename = "resource_deps")]
    waits_for: Vec<String>,
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct PortForward {
    local: u16,
    container: u16,
}

pub(super) fn check(helm: &Helm, python: &Path) -> anyhow::Result<()> {
    let debug = evaluate(python, &[])?;
    check_declared(helm, &debug, "trial")?;
    let release = evaluate(python, &["release=true"])?;
    let profile = |declared: &Declared| declared.local["operator-image"].cmd.contains("--debug");
    ensure!(
        profile(&debug) && !profile(&release),
        "--release does not choose the profile"
    );
    check_samples(helm, python)
}

/// A sample is taken exactly if the local cluster can have it.
fn check_samples(helm: &Helm, python: &Path) -> anyhow::Result<()> {
    let classes = documents(&workspace::root().join(VOLUMES))?;
    for entry in fs::read_dir(workspace::root().join(SAMPLES))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let sample = documents(&path)?;
        let store = only(&sample, "SessionStore").with_context(|| name.to_string())?;
        let setting = format!("sample={name}");
        match lacking(store, &classes) {
            None => {
                let declared = evaluate(python, &[&setting])?;
                check_declared(helm, &declared, store.name()).with_context(|| setting)?;
            }
            Some(what) => ensure!(
                !works(&mut starlark(python, &[&setting])),
                "the sample {name} is taken, which needs {what}"
            ),
        }
    }
    Ok(())
}

/// What a store needs that the local cluster does not have.
fn lacking(store: &Manifest, classes: &[Manifest]) -> Option<String> {
    if store.0.pointer("/spec/mongodb/external").is_some() {
        return Some("a database elsewhere".to_owned());
    }
    let class = store.text("/spec/mongodb/storage/storageClassName");
    let mut classes = classes.iter().filter(|it| it.kind() == "StorageClass");
    let is_there = class.is_empty() || classes.any(|it| it.name() == class);
    (!is_there).then(|| format!("the storage class {class}"))
}

fn documents(path: &Path) -> anyhow::Result<Vec<Manifest>> {
    let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
    manifest::read(&text)
}

fn check_declared(helm: &Helm, declared: &Declared, store: &str) -> anyhow::Result<()> {
    ensure!(
        declared.contexts == ["sessionstore"],
        "it may change other clusters than that of `cargo xtask cluster`: {:?}",
        declared.contexts
    );
    for (image, source) in [
        ("operator-image", "operator/src"),
        ("service-image", "service/src"),
    ] {
        let local = declared
            .local
            .get(image)
            .with_context(|| format!("no {image}"))?;
        ensure!(!local.manual, "{image} waits for somebody");
        ensure!(
            local.cmd.starts_with("cargo xtask cluster images")
                && local.cmd.contains("rollout restart"),
            "{image} does not load and start anew: {}",
            local.cmd
        );
        ensure!(
            local.deps.iter().any(|it| it == source),
            "{image} does not watch {source}"
        );
    }
    let names = declared.local.keys().chain(declared.resources.keys());
    let names: Vec<&String> = names.collect();
    let labels = declared.local.values().map(|it| &it.labels);
    for labels in labels.chain(declared.resources.values().map(|it| &it.labels)) {
        ensure!(labels.len() == 1, "a resource has the labels {labels:?}");
    }
    for (name, resource) in &declared.resources {
        for needed in &resource.waits_for {
            ensure!(
                names.contains(&needed),
                "{name} waits for {needed}, which there is not"
            );
        }
    }
    for (name, ports) in [(NAME, &[8080][..]), (store, &[8080, 9090])] {
        let resource = declared
            .resources
            .get(name)
            .with_context(|| format!("no {name}"))?;
        let forwarded: Vec<u16> = resource
            .port_forwards
            .iter()
            .map(|it| it.container)
            .collect();
        ensure!(forwarded == ports, "{name} forwards {forwarded:?}");
    }
    let forwards = declared.resources.values().flat_map(|it| &it.port_forwards);
    let mut local: Vec<u16> = forwards.map(|it| it.local).collect();
    local.sort_unstable();
    ensure!(
        local.windows(2).all(|two| two[0] != two[1]),
        "a port is forwarded twice"
    );
    check_files(declared)?;
    check_chart(helm, declared)
}

/// Everything that is watched or applied is there.
fn check_files(declared: &Declared) -> anyhow::Result<()> {
    let watched = declared.local.values().flat_map(|it| &it.deps);
    let applied = declared
        .manifests
        .iter()
        .filter(|it| !it.starts_with("chart:"));
    for path in watched.chain(applied) {
        ensure!(workspace::root().join(path).exists(), "there is no {path}");
    }
    Ok(())
}

/// The chart takes the values, and pulls nothing.
fn check_chart(helm: &Helm, declared: &Declared) -> anyhow::Result<()> {
    let [chart] = declared.charts.as_slice() else {
        anyhow::bail!("there is not one chart but {}", declared.charts.len());
    };
    ensure!(
        (
            chart.path.as_str(),
            chart.name.as_str(),
            chart.namespace.as_str()
        ) == (CHART, NAME, NAME),
        "another chart or release is installed than by `cargo xtask cluster install`"
    );
    let set = chart.set.iter().flat_map(|value| ["--set", value.as_str()]);
    let set: Vec<&str> = set.collect();
    let rendered = helm.render(&set)?;
    let deployment = only(&rendered, "Deployment")?;
    let image = deployment.text("/spec/template/spec/containers/0/image");
    ensure!(
        image.starts_with("localhost/"),
        "the image {image} is on no node"
    );
    Ok(())
}

fn evaluate(python: &Path, settings: &[&str]) -> anyhow::Result<Declared> {
    let declared = process::output_of(&mut starlark(python, settings))?;
    Ok(serde_json::from_slice(&declared)?)
}

fn starlark(python: &Path, settings: &[&str]) -> Command {
    let mut command = Command::new(python);
    command
        .current_dir(workspace::root())
        .args(["xtask/python/tiltfile.py", "Tiltfile"])
        .args(settings);
    command
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn store(mongodb: &Value) -> Manifest {
        Manifest(json!({"kind": "SessionStore", "spec": {"mongodb": mongodb}}))
    }

    #[test]
    fn a_store_with_what_is_not_there_does_not_fit() {
        let classes = [Manifest(
            json!({"kind": "StorageClass", "metadata": {"name": "local"}}),
        )];
        let lacks = |mongodb: &Value| lacking(&store(mongodb), &classes).is_some();
        assert!(!lacks(&json!({})));
        assert!(!lacks(&json!({"storage": {"storageClassName": "local"}})));
        assert!(lacks(&json!({"storage": {"storageClassName": "fast"}})));
        assert!(lacks(&json!({"external": {}})));
    }
}

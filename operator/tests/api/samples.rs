//! What is given to people, taken by the API server as it stands.

use std::fs;
use std::path::Path;

use crate::lab::Lab;
use crate::place::{Place, eventually};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A file of `k8s/samples`.
pub(crate) struct Sample {
    pub(crate) path: String,
    /// Whether it says where it belongs.
    pub(crate) has_namespace: bool,
}

pub(crate) fn all() -> Vec<Sample> {
    let samples = files("k8s/samples").into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        Sample {
            has_namespace: text.contains("  namespace: "),
            path,
        }
    });
    samples.collect()
}

fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder}");
    paths
}

/// Applies without doing it. What the API server does not know, or warns of, is a failure too.
fn dry_run(lab: &Lab, args: &[&str]) {
    let apply = ["apply", "--server-side", "--force-conflicts"];
    let strictly = ["--dry-run=server", "--validate=strict"];
    let output = lab.run_kubectl(&[&apply[..], &strictly, args].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{args:?}: {said}"
    );
    assert!(!output.stdout.is_empty(), "{args:?} applies nothing");
}

#[tokio::test]
async fn the_api_server_takes_every_sample_as_it_stands() {
    // Where one of them belongs.
    let place = Place::new("voice").await;
    for sample in all() {
        let namespace = ["--namespace", place.namespace.as_str()];
        dry_run(
            &place.lab,
            &[&namespace[..], &["--filename", &sample.path]].concat(),
        );
    }
}

#[tokio::test]
async fn the_api_server_takes_the_chart_with_all_sets_of_values() {
    let place = Place::new("charts").await;
    place.lab.require_restricted(&place.namespace);
    // Where a control plane has just begun, its controllers come later than its API.
    let account = ["--namespace", &place.namespace, "get", "serviceaccount"];
    let account = [&account[..], &["default"]].concat();
    eventually("pods have a service account", async || {
        let found = place.lab.run_kubectl(&account);
        found.status.success().then_some(())
    })
    .await;
    // Roles go where SessionStores are looked after.
    let watched = Place::new("chart-watched").await;
    let namespace = ["--namespace", place.namespace.as_str()];
    for values in files("charts/sessionstore-operator/ci") {
        let chart = format!("{ROOT}/charts/sessionstore-operator");
        let render = ["sessionstore-operator", &chart, "--values", &values];
        let mut render = [&render[..], &namespace].concat();
        let watch = format!("watchNamespaces={{{}}}", watched.namespace);
        if fs::read_to_string(&values)
            .unwrap()
            .contains("watchNamespaces")
        {
            render.extend(["--set", &watch]);
        }
        let file = place.lab.folder().join("chart.yaml");
        fs::write(&file, place.lab.template(&render)).unwrap();
        let file = file.display().to_string();
        dry_run(&place.lab, &["--filename", &file]);
    }
}

#[tokio::test]
async fn the_api_server_takes_what_kustomize_makes() {
    let place = Place::new("sessionstore-operator").await;
    for base in ["k8s/base", "k8s/overlays/example"] {
        let path = format!("{ROOT}/{base}");
        dry_run(&place.lab, &["--kustomize", &path]);
    }
    let dashboards = format!("{ROOT}/k8s/dashboards");
    let namespace = ["--namespace", place.namespace.as_str()];
    dry_run(
        &place.lab,
        &[&namespace[..], &["--kustomize", &dashboards]].concat(),
    );
}

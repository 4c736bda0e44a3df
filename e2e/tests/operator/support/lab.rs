//! The cluster that all tests share, and kubectl of it.

use std::{
    env,
    io::Write,
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use sessionstore_cluster::Cluster;

/// Names the folder of the cluster; without it, it is where `cargo xtask cluster` puts one.
const FOLDER: &str = "SESSIONSTORE_E2E_CLUSTER";

/// Where the chart is installed, and by what name.
pub(crate) const OPERATOR: &str = "sessionstore-operator";

const REMEDY: &str = "these tests need a cluster with the operator in it:
    cargo xtask cluster up --nodes 3 --audit
    cargo xtask cluster images --debug
    cargo xtask cluster install";

/// The cluster.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let folder = env::var_os(FOLDER).map_or_else(Cluster::default_folder, |it| Ok(it.into()));
        let folder = folder.unwrap();
        let cluster = Cluster::find(&folder).unwrap();
        let cluster =
            cluster.unwrap_or_else(|| panic!("no cluster in {}; {REMEDY}", folder.display()));
        assert_eq!(cluster.nodes().count(), 3, "{REMEDY}");
        let args = ["--namespace", OPERATOR, "get", "deployment", OPERATOR];
        let operator = output_of(cluster.kubectl().args(args));
        assert!(operator.is_ok(), "{operator:?}; {REMEDY}");
        cluster
    })
}

/// What kubectl prints, or what is wrong; while it runs, so do other tasks.
pub(crate) async fn try_kubectl(args: &[&str]) -> Result<String, String> {
    let args: Vec<String> = args.iter().map(|it| (*it).to_owned()).collect();
    tokio::task::spawn_blocking(move || output_of(cluster().kubectl().args(args)))
        .await
        .unwrap()
}

/// What kubectl prints.
pub(crate) async fn kubectl(args: &[&str]) -> String {
    match try_kubectl(args).await {
        Ok(said) => said,
        Err(error) => panic!("kubectl {}: {error}", args.join(" ")),
    }
}

/// An object or a list.
pub(crate) async fn get(args: &[&str]) -> Value {
    let said = kubectl(&[&["get", "--output=json"], args].concat()).await;
    serde_json::from_str(&said).unwrap()
}

/// The items of a list.
pub(crate) async fn list(args: &[&str]) -> Vec<Value> {
    match get(args).await["items"].take() {
        Value::Array(items) => items,
        other => panic!("{args:?} is no list but {other}"),
    }
}

/// Applies a manifest, in the way in which people do.
pub(crate) async fn apply(manifest: &Value) {
    let manifest = manifest.to_string();
    let said = tokio::task::spawn_blocking(move || {
        let mut kubectl = cluster().kubectl();
        kubectl.args(["apply", "--filename=-"]);
        let mut child = kubectl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(manifest.as_bytes()).unwrap();
        drop(stdin);
        said(&child.wait_with_output().unwrap())
    });
    said.await.unwrap().unwrap();
}

/// What a command prints, or what is wrong.
pub(crate) fn output_of(command: &mut Command) -> Result<String, String> {
    said(&command.stdin(Stdio::null()).output().unwrap())
}

fn said(output: &Output) -> Result<String, String> {
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

//! What is done to nodes and put right again, also if the test fails.

use serde_json::json;
use sessionstore_cluster::ClusterError;

use super::lab::{self, cluster};

/// Nodes that take no new pods, until this is dropped.
pub(crate) struct Cordoned(Vec<usize>);

impl Cordoned {
    /// All but this one.
    pub(crate) async fn all_but(number: usize) -> Self {
        let nodes = Self((1..=3).filter(|it| *it != number).collect());
        for name in nodes.names() {
            lab::kubectl(&["cordon", &name]).await;
        }
        nodes
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|number| cluster().node(*number).name())
    }
}

impl Drop for Cordoned {
    fn drop(&mut self) {
        for name in self.names() {
            // To open one that is open does no harm.
            let _ = lab::output_of(cluster().kubectl().args(["uncordon", &name]));
        }
    }
}

/// How names come late.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// Whoever asks gets no answer.
    Unanswered,
    /// Whoever asks is refused: the name server runs, and does not know the cluster yet.
    Refused,
}

/// A cluster without power and, afterwards, without names; all is there again when this is dropped.
pub(crate) struct Blackout;

impl Blackout {
    /// Every node loses its power in the same moment; returns when all count as lost.
    pub(crate) async fn now() -> Self {
        let blackout = Self;
        for node in cluster().nodes() {
            node.power_off().unwrap();
        }
        await_nodes("Unknown").await;
        blackout
    }

    /// Every node boots, and finds no names; whether pods come up is another matter.
    pub(crate) async fn power_on(&self, names: Names) {
        match names {
            // On nodes with this label alone, of which there are none.
            Names::Unanswered => select_dns(r#"{"e2e":"nowhere"}"#).unwrap(),
            Names::Refused => know_zone("cluster.local", "elsewhere.local").unwrap(),
        }
        switch_on().unwrap();
        await_nodes("True").await;
    }
}

impl Drop for Blackout {
    fn drop(&mut self) {
        // Each does nothing where all is well.
        let restored = [
            select_dns(r#"{"e2e":null}"#),
            know_zone("elsewhere.local", "cluster.local"),
        ];
        let on = switch_on();
        // What it knows it has read at its start.
        let restarted = dns(&["rollout", "restart", "daemonset/coredns"]);
        let well = cluster().await_ready();
        if !std::thread::panicking() {
            for done in restored {
                done.unwrap();
            }
            on.unwrap();
            restarted.unwrap();
            well.unwrap();
        }
    }
}

/// Asks kubectl where the name server is.
fn dns(args: &[&str]) -> Result<String, String> {
    let here = ["--namespace=kube-system"];
    lab::output_of(cluster().kubectl().args(here).args(args))
}

/// Lets the name server run on these nodes.
fn select_dns(labels: &str) -> Result<(), String> {
    let patch = format!(r#"{{"spec":{{"template":{{"spec":{{"nodeSelector":{labels}}}}}}}}}"#);
    let args = ["patch", "daemonset/coredns", "--type=merge", "--patch"];
    dns(&[&args[..], &[&patch]].concat()).map(drop)
}

/// Lets the name server know another zone than it does.
fn know_zone(before: &str, after: &str) -> Result<(), String> {
    let get = [
        "get",
        "configmap/coredns",
        "--output=jsonpath={.data.Corefile}",
    ];
    let file = dns(&get)?.replace(before, after);
    let patch = json!({"data": {"Corefile": file}}).to_string();
    let args = ["patch", "configmap/coredns", "--type=merge", "--patch"];
    dns(&[&args[..], &[&patch]].concat()).map(drop)
}

/// Waits until the condition `Ready` of all nodes is this.
async fn await_nodes(ready: &str) {
    let what = format!("--for=condition=Ready={ready}");
    lab::kubectl(&["wait", &what, "nodes", "--all", "--timeout=180s"]).await;
}

fn switch_on() -> Result<(), ClusterError> {
    cluster().nodes().try_for_each(|node| node.power_on())
}

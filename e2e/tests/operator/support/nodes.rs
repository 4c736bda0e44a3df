//! What is done to nodes and put right again, also if the test fails.

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

    /// Every node boots, and whoever asks for a name gets no answer; whether pods come up is another
    /// matter.
    pub(crate) async fn power_on(&self) {
        // On nodes with this label alone, of which there are none.
        select_dns(r#"{"e2e":"nowhere"}"#).unwrap();
        switch_on().unwrap();
        await_nodes("True").await;
    }
}

impl Drop for Blackout {
    fn drop(&mut self) {
        // Each does nothing where all is well.
        let restored = select_dns(r#"{"e2e":null}"#);
        let on = switch_on();
        let well = cluster().await_ready();
        if !std::thread::panicking() {
            restored.unwrap();
            on.unwrap();
            well.unwrap();
        }
    }
}

/// Lets the name server run on these nodes.
fn select_dns(labels: &str) -> Result<String, String> {
    let patch = format!(r#"{{"spec":{{"template":{{"spec":{{"nodeSelector":{labels}}}}}}}}}"#);
    let args = ["--namespace=kube-system", "patch", "daemonset", "coredns"];
    let patch = ["--type=merge", "--patch", &patch];
    lab::output_of(cluster().kubectl().args(args).args(patch))
}

/// Waits until the condition `Ready` of all nodes is this.
async fn await_nodes(ready: &str) {
    let what = format!("--for=condition=Ready={ready}");
    lab::kubectl(&["wait", &what, "nodes", "--all", "--timeout=180s"]).await;
}

fn switch_on() -> Result<(), ClusterError> {
    cluster().nodes().try_for_each(|node| node.power_on())
}

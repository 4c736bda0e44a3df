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

/// A cluster without power and, afterwards, without a name server; all is there again when this is
/// dropped.
pub(crate) struct Blackout;

impl Blackout {
    /// Every node loses its power in the same moment.
    pub(crate) fn now() -> Self {
        let blackout = Self;
        for node in cluster().nodes() {
            node.power_off().unwrap();
        }
        blackout
    }

    /// What is switched on again finds no name server.
    pub(crate) fn without_dns() {
        Self::select_dns(Some("nowhere")).unwrap();
    }

    /// Every node boots; whether pods come up is another matter.
    pub(crate) async fn power_on() {
        switch_on().unwrap();
        lab::kubectl(&[
            "wait",
            "--for=condition=Ready",
            "nodes",
            "--all",
            "--timeout=180s",
        ])
        .await;
    }

    /// It runs on nodes with this label alone, of which there are none.
    fn select_dns(label: Option<&str>) -> Result<String, String> {
        let value = label.map_or("null".to_owned(), |it| format!(r#""{it}""#));
        let patch =
            format!(r#"{{"spec":{{"template":{{"spec":{{"nodeSelector":{{"e2e":{value}}}}}}}}}}}"#);
        let args = ["--namespace=kube-system", "patch", "daemonset", "coredns"];
        let patch = ["--type=merge", "--patch", &patch];
        lab::output_of(cluster().kubectl().args(args).args(patch))
    }
}

fn switch_on() -> Result<(), ClusterError> {
    cluster().nodes().try_for_each(|node| node.power_on())
}

impl Drop for Blackout {
    fn drop(&mut self) {
        // Each does nothing where all is well.
        let _ = switch_on();
        let _ = Self::select_dns(None);
        let well = cluster().await_ready();
        if !std::thread::panicking() {
            well.unwrap();
        }
    }
}

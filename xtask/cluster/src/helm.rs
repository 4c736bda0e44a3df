//! Installing the operator's chart, as its users do.

use std::path::Path;

use crate::{Cluster, ClusterError, output};

/// The release and its namespace.
const NAME: &str = "sessionstore-operator";

impl Cluster {
    /// Installs the chart in the folder `chart`, or what has changed of it, with the images of
    /// this checkout, and waits until the operator is ready. Returns the namespace that it is in.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Refused`] with what helm says.
    pub fn install(&self, chart: &Path) -> Result<&'static str, ClusterError> {
        let mut helm = self.helm();
        helm.args(["upgrade", "--install", NAME])
            .arg(chart)
            .args(["--namespace", NAME, "--create-namespace"])
            .args(["--wait", "--timeout=3m"])
            .args(values());
        output::of(&mut helm)?;
        let rollout = ["rollout", "status", "deployment", NAME, "--timeout=3m"];
        self.asks()
            .says(&[&["--namespace", NAME], rollout.as_slice()].concat())?;
        Ok(NAME)
    }
}

/// Nothing is pulled: the images are on the nodes or nowhere.
fn values() -> Vec<String> {
    [
        "image.repository=localhost/sessionstore-operator",
        "image.tag=dev",
        "image.pullPolicy=Never",
        "defaultImages.api=localhost/sessionstore:dev",
        "defaultImages.mongodb=localhost/mongod:6.0.5",
        "test.image=localhost/busybox:1",
    ]
    .into_iter()
    .flat_map(|value| ["--set-string".to_owned(), value.to_owned()])
    .collect()
}

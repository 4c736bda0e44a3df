//! What is done to nodes and put right again, also if the test fails.

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

//! Nodes that are drained, as for an upgrade.

use crate::{
    Load, Place, specs,
    support::{
        lab,
        operator::{self, Restored},
        store::Store,
    },
};

/// A node that is drained, and open again when this is dropped.
struct Drained(String);

impl Drained {
    /// Drains a node as people do: budgets are kept.
    async fn now(number: usize) -> Self {
        let node = Self(format!("node{number}"));
        let args = [
            "drain",
            &node.0,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
        ];
        lab::kubectl(&[&args[..], &["--timeout=180s"]].concat()).await;
        node
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        // To open one that is open does no harm.
        let _ = lab::output_of(lab::cluster().kubectl().args(["uncordon", &self.0]));
    }
}

async fn assert_no_pod_is_on(store: &Store, node: &str) {
    let field = format!("--field-selector=spec.nodeName={node}");
    let pods = lab::list(&["--namespace", &store.namespace, "pods", &field]).await;
    assert!(pods.is_empty(), "{pods:#?}");
}

#[tokio::test]
async fn the_primary_s_node_is_drained_and_clients_do_not_notice() {
    let place = Place::alone("drain").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let primary = store.primary().await;
    let load = Load::start(&store).await;

    let drained = Drained::now(store.node_of(&primary).await).await;
    assert_no_pod_is_on(&store, &drained.0).await;
    load.go_on().await;
    assert_ne!(store.primary().await, primary);
    drop(drained);
    store.await_whole().await;
    operator::await_ready(2).await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();
}

#[tokio::test]
async fn a_drain_without_an_operator_loses_nothing_and_is_made_good_when_it_is_back() {
    let place = Place::alone("drain-alone").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let primary = store.primary().await;
    let node = store.node_of(&primary).await;
    let load = Load::start(&store).await;

    let operator = Restored(2);
    operator::scale(0).await;
    let drained = Drained::now(node).await;
    assert_no_pod_is_on(&store, &drained.0).await;
    load.go_on().await;
    drop(drained);
    operator::scale(2).await;
    store.await_whole().await;
    drop(operator);
    load.go_on().await;
    load.stop(&store).await;
}

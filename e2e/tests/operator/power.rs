//! Nodes that lose their power or their cable.

use sessionstore_cluster::Node;

use crate::{
    Load, Place, eventually, specs,
    support::{
        lab::{self, cluster},
        operator,
        store::{Store, condition},
    },
};

/// A node that is well again when this is dropped, also if the test fails.
struct Hurt {
    number: usize,
}

impl Hurt {
    fn node(&self) -> Node<'static> {
        cluster().node(self.number)
    }

    /// The others, by which clients come meanwhile: what stands before a real cluster does so too.
    fn others(&self) -> Vec<usize> {
        (1..=3).filter(|it| *it != self.number).collect()
    }

    async fn await_lost(&self) {
        eventually("the node counts as lost", async || {
            let node = lab::get(&["node", &self.node().name()]).await;
            (condition(&node, "Ready")?["status"] != "True").then_some(())
        })
        .await;
    }
}

impl Drop for Hurt {
    fn drop(&mut self) {
        // Each does nothing to a node that is well.
        let _ = self.node().power_on();
        let _ = self.node().heal();
        let well = cluster().await_ready();
        if !std::thread::panicking() {
            well.unwrap();
        }
    }
}

/// Another primary than this one, which the operator may tell of later than clients hear of it.
async fn await_other_primary(store: &Store, before: &str) {
    eventually("another member is the primary", async || {
        (store.primary().await != before).then_some(())
    })
    .await;
}

/// The primary's node is struck by `blow` under load, until it counts as lost and another member
/// leads; then `cure` brings it back.
async fn strike(place: &str, blow: impl FnOnce(Node<'_>), cure: impl FnOnce(Node<'_>)) {
    let place = Place::alone(place).await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let primary = store.primary().await;
    let hurt = Hurt {
        number: store.node_of(&primary).await,
    };
    let load = Load::start_by(&store, &hurt.others()).await;

    blow(hurt.node());
    load.go_on().await;
    hurt.await_lost().await;
    await_other_primary(&store, &primary).await;
    load.go_on().await;
    cure(hurt.node());
    cluster().await_ready().unwrap();
    store.await_whole().await;
    operator::await_ready(2).await;
    load.go_on().await;
    load.stop(&store).await;
}

#[tokio::test]
async fn the_primary_s_node_loses_its_power_and_nothing_is_lost() {
    let on = |node: Node<'_>| node.power_on().unwrap();
    strike("power", |node| node.power_off().unwrap(), on).await;
}

#[tokio::test]
async fn the_primary_s_node_is_cut_off_and_nothing_is_lost() {
    let heal = |node: Node<'_>| node.heal().unwrap();
    strike("cut", |node| node.cut().unwrap(), heal).await;
}

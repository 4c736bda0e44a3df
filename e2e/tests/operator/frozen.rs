//! A member whose process does nothing any more: its connections stay open, and nobody answers.

use serde_json::json;

use crate::{
    Load, Place, eventually, specs,
    support::{
        processes::Frozen,
        store::{Part, Store, name_of, uid_of},
        told::{await_told, member},
    },
};

/// Freezes a member, and waits until the status tells of it.
async fn freeze(store: &Store, pod: &str) -> Frozen {
    let uid = uid_of(&store.pod(pod).await).to_owned();
    let frozen = Frozen::now(&uid, "mongod");
    await_told(store, "Reconciling", "Unwell", &[pod]).await;
    eventually("the status counts it out", async || {
        (member(store, pod).await["health"] == 0).then_some(())
    })
    .await;
    let ready = store.status("/mongodb/membersReady").await;
    assert_eq!(ready, json!("2/3"));
    frozen
}

#[tokio::test]
async fn a_frozen_member_is_named_while_writes_go_on_and_whole_when_it_has_thawed() {
    let place = Place::beside_others("frozen").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let primary = store.primary().await;
    let pods = store.pods(Part::Members).await;
    let secondary = pods.iter().map(name_of).find(|it| *it != primary);
    let uids = |pods: &[serde_json::Value]| -> Vec<String> {
        pods.iter().map(|it| uid_of(it).to_owned()).collect()
    };
    let before = uids(&pods);

    // Clients do not notice a secondary.
    let load = Load::start(&store).await;
    let frozen = freeze(&store, secondary.unwrap()).await;
    load.go_on().await;
    drop(frozen);
    store.await_whole().await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();

    // The primary is replaced.
    let load = Load::start(&store).await;
    let frozen = freeze(&store, &primary).await;
    load.go_on().await;
    assert_ne!(store.primary().await, primary);
    drop(frozen);
    store.await_whole().await;
    load.go_on().await;
    load.stop(&store).await;

    // It came back by itself: nobody was restarted for it.
    assert_eq!(uids(&store.pods(Part::Members).await), before);
}

//! The volume of the first member is lost while the others are down: the one who may initiate a set
//! is empty, and those who have the data are silent.

use std::collections::BTreeSet;

use mongodb::bson::doc;
use serde_json::Value;

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        key::Member,
        nodes::Cordoned,
        store::{Part, Store, name_of, uid_of},
        told::await_told,
    },
};

/// The server's word for a member that has no configuration.
const NOT_INITIATED: i32 = 94;

const FIRST: &str = "voice-mongodb-0";
const OTHERS: [&str; 2] = ["voice-mongodb-1", "voice-mongodb-2"];

/// A store with data whose second and third member cannot come back, since their volumes are on nodes
/// that take no pod.
async fn without_the_others(place: &Place) -> (Store, Kept, Cordoned) {
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let pods = store.pods(Part::Members).await;
    let nodes = pods.iter().map(|it| it["spec"]["nodeName"].to_string());
    assert_eq!(nodes.collect::<BTreeSet<_>>().len(), 3);
    let kept = Kept::write(&store).await;
    let cordoned = Cordoned::all_but(store.node_of(FIRST).await).await;
    store
        .kubectl(&[&["delete", "pod"][..], &OTHERS].concat())
        .await;
    (store, kept, cordoned)
}

async fn claim(store: &Store) -> Option<String> {
    let claims = store.claims().await;
    let first = claims
        .iter()
        .find(|it| name_of(it) == "data-voice-mongodb-0");
    first.map(|it| uid_of(it).to_owned())
}

/// Loses the volume of the first member, and waits for a new and empty one.
async fn lose_volume(store: &Store) {
    let before = claim(store).await.expect("it has a volume");
    let lose = ["delete", "pvc", "data-voice-mongodb-0", "--wait=false"];
    store.kubectl(&lose).await;
    store
        .kubectl(&["delete", "pod", FIRST, "--ignore-not-found"])
        .await;
    eventually("another volume is there", async || {
        claim(store).await.filter(|now| *now != before)
    })
    .await;
}

async fn assert_is_empty(store: &Store) {
    let first = Member::of(store, FIRST).await;
    assert_eq!(first.status().await.unwrap_err(), NOT_INITIATED);
    let found = doc! {"count": "system.replset"};
    let found = first.run_in("local", found).await.unwrap();
    assert_eq!(found.get_i32("n").unwrap(), 0);
}

async fn set_id(store: &Store) -> Value {
    store.status("/mongodb/replicaSetId").await
}

/// Waits until the operator has looked at the empty member and waits for the others alone.
async fn await_waiting(store: &Store, kind: &str, reason: &str) {
    eventually("the others are waited for, and they alone", async || {
        let told = await_told(store, kind, reason, &OTHERS).await;
        (!told.contains(FIRST)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_empty_first_member_makes_no_second_set_and_comes_back_with_the_data() {
    let place = Place::alone("lost").await;
    let (store, kept, cordoned) = without_the_others(&place).await;
    let set = set_id(&store).await;
    lose_volume(&store).await;
    await_waiting(&store, "MajorityLost", "MajorityLost").await;
    assert_is_empty(&store).await;

    drop(cordoned);
    store.await_whole().await;
    assert_eq!(set_id(&store).await, set);
    kept.assert_there(&store).await;
}

#[tokio::test]
async fn nor_does_it_when_the_store_is_made_again_and_nobody_remembers_the_first_set() {
    let place = Place::alone("forgotten").await;
    let (store, kept, cordoned) = without_the_others(&place).await;
    let set = set_id(&store).await;
    store.delete().await;
    eventually("its pods are gone", async || {
        store.pods(Part::Members).await.is_empty().then_some(())
    })
    .await;
    let lose = ["delete", "pvc", "data-voice-mongodb-0"];
    store.kubectl(&lose).await;
    store.apply(&specs::members(3)).await;
    await_waiting(&store, "Reconciling", "NotAllReachable").await;
    assert_is_empty(&store).await;

    drop(cordoned);
    store.await_whole().await;
    assert_eq!(set_id(&store).await, set);
    kept.assert_there(&store).await;
}

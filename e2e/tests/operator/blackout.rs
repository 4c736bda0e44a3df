//! Everything is off, and on again before names are answered.

use serde_json::Value;

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        key::Member,
        nodes::{Blackout, Names},
        operator,
        store::{Part, Store, name_of, restarts},
    },
};

/// The server's word for a member that has not read its configuration yet.
const STARTING: i32 = 94;

/// The state of a member that follows, or would if it knew whom.
const SECONDARY: i32 = 2;

/// Waits until a member that has been started anew is kept like this.
async fn await_kept(store: &Store, before: &Value, names: Names) {
    let name = name_of(before);
    eventually("the member runs again", async || {
        let pod = store.pod(name).await;
        let is_ready = pod["status"]["containerStatuses"][0]["ready"] == true;
        (is_ready && restarts(&pod) > restarts(before)).then_some(())
    })
    .await;
    let member = Member::of(store, name).await;
    eventually("the member waits for names", async || {
        let status = member.status().await;
        let is_kept = match names {
            // It asks for the others before it asks for itself, and so it waits for each answer.
            Names::Unanswered => status.err() == Some(STARTING),
            // It knows itself, since a pod has its own name without any server, and none of the others.
            Names::Refused => status.is_ok_and(|it| it.get_i32("myState").unwrap() == SECONDARY),
        };
        is_kept.then_some(())
    })
    .await;
}

/// All nodes lose their power and get it back before there are names; then there are names.
async fn assert_survives(place: &Place, names: Names) {
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let kept = Kept::write(&store).await;
    let set = store.status("/mongodb/replicaSetId").await;
    let members = store.pods(Part::Members).await;

    let blackout = Blackout::now().await;
    blackout.power_on(names).await;
    for before in &members {
        await_kept(&store, before, names).await;
    }
    drop(blackout);
    operator::await_ready(2).await;
    store.await_whole().await;
    assert_eq!(store.status("/mongodb/replicaSetId").await, set);
    kept.assert_there(&store).await;
}

#[tokio::test]
async fn all_nodes_come_back_before_the_name_server_and_nothing_is_lost() {
    let place = Place::alone("blackout").await;
    assert_survives(&place, Names::Unanswered).await;
}

#[tokio::test]
async fn all_nodes_come_back_to_a_name_server_that_knows_nobody_and_nothing_is_lost() {
    let place = Place::alone("nameless").await;
    assert_survives(&place, Names::Refused).await;
}

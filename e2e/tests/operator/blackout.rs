//! Everything is off, and on again before names are answered.

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        key::Member,
        nodes::Blackout,
        operator,
        store::{Part, name_of, restarts},
    },
};

/// The server's word for a member that has not read its configuration yet. A pod knows its own name
/// without a server, but the member asks for all of the others' first, and waits for each answer.
const STARTING: i32 = 94;

#[tokio::test]
async fn all_nodes_come_back_before_the_name_server_and_nothing_is_lost() {
    let place = Place::alone("blackout").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let kept = Kept::write(&store).await;
    let set = store.status("/mongodb/replicaSetId").await;
    let members = store.pods(Part::Members).await;

    let blackout = Blackout::now().await;
    blackout.power_on().await;
    for before in &members {
        let name = name_of(before);
        eventually("the member runs again", async || {
            let pod = store.pod(name).await;
            let is_ready = pod["status"]["containerStatuses"][0]["ready"] == true;
            (is_ready && restarts(&pod) > restarts(before)).then_some(())
        })
        .await;
        let member = Member::of(&store, name).await;
        eventually("the member waits for names", async || {
            (member.status().await.err() == Some(STARTING)).then_some(())
        })
        .await;
    }
    drop(blackout);
    operator::await_ready(2).await;
    store.await_whole().await;
    assert_eq!(store.status("/mongodb/replicaSetId").await, set);
    kept.assert_there(&store).await;
}

//! Everything is off, and on again before names are answered.

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        key::Member,
        nodes::Blackout,
        operator,
        store::{Part, name_of},
    },
};

/// The server's word for a member that is none by its own configuration: it did not find itself in
/// it, and looks no more.
const REMOVED: i32 = 93;

#[tokio::test]
async fn all_nodes_lose_their_power_and_come_back_before_the_name_server_and_nothing_is_lost() {
    let place = Place::alone("blackout").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let kept = Kept::write(&store).await;
    let set = store.status("/mongodb/replicaSetId").await;

    let blackout = Blackout::now();
    Blackout::without_dns();
    Blackout::power_on().await;
    for pod in store.pods(Part::Members).await {
        eventually("the member does not find itself", async || {
            let running = store.pod(name_of(&pod)).await;
            let container = &running["status"]["containerStatuses"][0];
            if container["ready"] != true {
                return None;
            }
            let member = Member::of(&store, name_of(&pod)).await;
            (member.status().await.err() == Some(REMOVED)).then_some(())
        })
        .await;
    }

    drop(blackout);
    operator::await_ready(2).await;
    store.await_whole().await;
    assert_eq!(store.status("/mongodb/replicaSetId").await, set);
    kept.assert_there(&store).await;
}

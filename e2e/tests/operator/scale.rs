//! More members and fewer, and new pods of the API, while clients write and read.

use serde_json::json;

use crate::{
    Load, Place, specs,
    support::store::{Part, Store, name_of},
};

/// The names of the members that the status tells of.
async fn members(store: &Store) -> Vec<String> {
    let members = store.status("/mongodb/members").await;
    let members = members.as_array().unwrap().iter();
    members
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn scale_to(store: &Store, count: usize) {
    store.change(&json!({"mongodb": {"members": count}})).await;
    store.await_whole().await;
    let expected: Vec<String> = (0..count).map(|it| format!("voice-mongodb-{it}")).collect();
    assert_eq!(members(store).await, expected);
}

#[tokio::test]
async fn members_come_and_go_and_the_api_is_rolled_without_a_client_error() {
    let place = Place::beside_others("scale").await;
    let store = place.store("voice", &specs::members(1)).await;
    store.await_whole().await;

    // One member has downtime, which nobody promises not to see; but nothing is lost.
    let load = Load::start(&store).await;
    scale_to(&store, 3).await;
    load.go_on().await;
    load.stop(&store).await;

    let load = Load::start(&store).await;
    scale_to(&store, 5).await;
    load.go_on().await;
    scale_to(&store, 3).await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();

    let pods = store.pods(Part::Api).await;
    let load = Load::start(&store).await;
    store
        .change(&json!({"api": {"log": "info,sessionstore=debug"}}))
        .await;
    store.await_whole().await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();
    let rolled = store.pods(Part::Api).await;
    assert!(
        rolled
            .iter()
            .all(|new| pods.iter().all(|old| name_of(old) != name_of(new)))
    );
}

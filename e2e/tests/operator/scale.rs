//! More members and fewer, and new pods of the API, while clients write and read.

use serde_json::json;
use sessionstore_cluster::Image;
use sessionstore_e2e::binary;

use crate::{
    Load, Place, specs,
    support::{
        lab::cluster,
        store::{Part, Store, name_of},
    },
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

    let image = next_image().await;

    let load = Load::start(&store).await;
    for count in [3, 5, 3] {
        scale_to(&store, count).await;
        load.go_on().await;
    }
    roll_to(&store, image).await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();
}

/// Lets the API run another image: every pod is a new one.
async fn roll_to(store: &Store, image: String) {
    let before = store.pods(Part::Api).await;
    store.change(&json!({"api": {"image": image}})).await;
    store.await_whole().await;
    for pod in store.pods(Part::Api).await {
        assert!(before.iter().all(|old| name_of(old) != name_of(&pod)));
        assert_eq!(pod["spec"]["containers"][0]["image"], image);
    }
    assert_eq!(store.status("/resolved/apiImage").await, image);
}

/// An image of the service under a tag that no pod runs yet, on all nodes.
async fn next_image() -> String {
    let load = || {
        let image = Image::service(binary::path()).unwrap().tagged("next");
        cluster().load(&image).unwrap().name
    };
    tokio::task::spawn_blocking(load).await.unwrap()
}

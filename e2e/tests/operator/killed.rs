//! Pods that are deleted, and processes that are killed.

use serde_json::Value;

use crate::{
    Load, Place, eventually, specs,
    support::{
        operator, processes,
        store::{Part, Store, name_of, restarts, uid_of},
    },
};

#[tokio::test]
async fn the_primary_s_pod_is_deleted_and_clients_do_not_notice() {
    let place = Place::beside_others("primary").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let primary = store.primary().await;
    let before = store.pod(&primary).await;

    let load = Load::start(&store).await;
    store.kubectl(&["delete", "pod", &primary]).await;
    store.await_whole().await;
    load.go_on().await;
    load.stop(&store).await.assert_no_error();
    assert_ne!(uid_of(&store.pod(&primary).await), uid_of(&before));
    assert_ne!(store.primary().await, primary);
}

/// Kills a program in a pod, and waits until it has been started again.
async fn kill(store: &Store, pod: &Value, program: &str) {
    let name = name_of(pod);
    let before = restarts(&store.pod(name).await);
    processes::kill(uid_of(pod), program);
    eventually("the kubelet starts it again", async || {
        (restarts(&store.pod(name).await) > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_process_is_killed_once_and_nothing_is_lost() {
    let place = Place::alone("killed").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let load = Load::start(&store).await;

    for (part, program) in [(Part::Members, "mongod"), (Part::Api, "sessionstore")] {
        for pod in store.pods(part).await {
            kill(&store, &pod, program).await;
            store.await_whole().await;
            load.go_on().await;
        }
    }
    for _ in 0..2 {
        let killed = operator::kill_leader().await;
        operator::await_other_leader(&killed).await;
        operator::await_ready(2).await;
    }
    // Whoever leads now does so: it repairs what it is shown.
    let primary = store.primary().await;
    store.kubectl(&["delete", "pod", &primary]).await;
    store.await_whole().await;
    load.go_on().await;
    load.stop(&store).await;
}

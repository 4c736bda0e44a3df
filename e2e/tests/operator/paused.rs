//! Nothing is done to a store while it is paused.

use serde_json::json;

use crate::{
    Place, eventually, specs,
    support::{
        audit, lab, operator,
        store::{Part, Store, condition},
        told::await_told,
    },
};

const BUDGET: [&str; 2] = ["poddisruptionbudget", "voice-api"];

/// Waits until the status is about the newest spec, and says that the store is paused.
async fn await_paused(store: &Store) {
    eventually("it says that it is paused", async || {
        let object = store.object().await;
        let stalled = condition(&object, "Stalled")?;
        let is_paused = stalled["status"] == "True" && stalled["reason"] == "Paused";
        let generation = &object["metadata"]["generation"];
        (is_paused && stalled["observedGeneration"] == *generation).then_some(())
    })
    .await;
}

async fn has_budget(store: &Store) -> bool {
    let here = ["--namespace", &store.namespace, "get"];
    lab::try_kubectl(&[&here[..], &BUDGET].concat())
        .await
        .is_ok()
}

#[tokio::test]
async fn nothing_is_changed_or_repaired_while_a_store_is_paused_and_all_of_it_afterwards() {
    let place = Place::beside_others("paused").await;
    let store = place.store("voice", &specs::one_member()).await;
    store.await_whole().await;
    store.change(&json!({"paused": true})).await;
    await_paused(&store).await;
    let told = await_told(&store, "Stalled", "Paused", &["spec.paused"]).await;
    assert!(told.contains("nothing is changed"), "{told}");
    let object = store.object().await;
    assert_eq!(condition(&object, "Ready").unwrap()["status"], "False");

    let since = audit::now();
    store.kubectl(&[&["delete"][..], &BUDGET].concat()).await;
    store.change(&json!({"api": {"replicas": 2}})).await;
    // It has looked at both.
    await_paused(&store).await;
    // What runs goes on running.
    store.client().await.new_session().await.fill(3).await;

    // By now it has heard of the deletion too, which another watch tells.
    let mut changes = audit::of(operator::USER, since);
    changes.retain(|it| {
        let is_here = it
            .path
            .contains(&format!("/namespaces/{}/", place.namespace));
        let reads = ["get", "list", "watch"].contains(&it.verb.as_str());
        // What it says is no change.
        let tells = it.path.contains("/status") || it.resource == "events";
        is_here && !reads && !tells
    });
    assert!(changes.is_empty(), "{changes:#?}");
    assert!(!has_budget(&store).await);
    assert_eq!(store.pods(Part::Api).await.len(), 1);

    store.change(&json!({"paused": false})).await;
    store.await_whole().await;
    assert_eq!(store.pods(Part::Api).await.len(), 2);
    assert!(has_budget(&store).await);
}

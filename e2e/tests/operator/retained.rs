//! Volumes that outlive their store, and those that do not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        lab,
        store::{Part, Store, name_of, uid_of},
    },
};

fn uids(objects: &[Value]) -> BTreeMap<String, String> {
    let uids = objects.iter();
    uids.map(|it| (name_of(it).to_owned(), uid_of(it).to_owned()))
        .collect()
}

async fn secrets(store: &Store) -> BTreeMap<String, String> {
    let selector = format!("--selector=app.kubernetes.io/instance={}", store.name);
    uids(&lab::list(&["--namespace", &store.namespace, "secrets", &selector]).await)
}

async fn set_id(store: &Store) -> Value {
    store.status("/mongodb/replicaSetId").await
}

/// Waits until nothing of it runs any more.
async fn await_gone(store: &Store) {
    eventually("its pods and Secrets are gone", async || {
        let pods = store.pods(Part::Members).await.len() + store.pods(Part::Api).await.len();
        (pods == 0 && secrets(store).await.is_empty()).then_some(())
    })
    .await;
}

async fn events(store: &Store, reason: &str) -> Vec<Value> {
    let field = format!("--field-selector=reason={reason}");
    lab::list(&["--namespace", &store.namespace, "events", &field]).await
}

/// The volumes that claims of a namespace have.
async fn volumes(namespace: &str) -> Vec<Value> {
    let mut volumes = lab::list(&["pv"]).await;
    volumes.retain(|it| it["spec"]["claimRef"]["namespace"] == namespace);
    volumes
}

async fn await_no_volume(namespace: &str) {
    eventually("the volumes are gone", async || {
        volumes(namespace).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_made_again_has_its_data_on_the_volumes_that_stayed() {
    let place = Place::beside_others("retained").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let kept = Kept::write(&store).await;
    let claims = uids(&store.claims().await);
    assert_eq!(claims.len(), 3);
    let (set, old_secrets) = (set_id(&store).await, secrets(&store).await);

    store.delete().await;
    let told = eventually("an Event says that the volumes stay", async || {
        events(&store, "VolumesRetained").await.pop()
    })
    .await;
    assert_eq!(told["involvedObject"]["name"], "voice");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("data-voice-mongodb-*"), "{message}");
    await_gone(&store).await;
    assert_eq!(uids(&store.claims().await), claims);

    store.apply(&specs::members(3)).await;
    store.await_whole().await;
    let new_secrets = secrets(&store).await;
    assert!(new_secrets.keys().eq(old_secrets.keys()));
    assert!(
        new_secrets
            .values()
            .all(|new| old_secrets.values().all(|old| old != new))
    );
    assert_eq!(set_id(&store).await, set);
    assert_eq!(uids(&store.claims().await), claims);
    kept.assert_there(&store).await;

    // Now while the pods of the one before are still there.
    store.delete().await;
    store.apply(&specs::members(3)).await;
    store.await_whole().await;
    assert_eq!(set_id(&store).await, set);
    assert_eq!(uids(&store.claims().await), claims);
    kept.assert_there(&store).await;
}

#[tokio::test]
async fn volumes_go_with_a_store_that_says_so() {
    let place = Place::beside_others("deleted").await;
    let mut spec = specs::one_member();
    spec["mongodb"]["storage"]["whenDeleted"] = json!("Delete");
    let store = place.store("voice", &spec).await;
    store.await_whole().await;
    assert_eq!(volumes(&place.namespace).await.len(), 1);

    store.delete().await;
    await_gone(&store).await;
    eventually("the claims are gone", async || {
        store.claims().await.is_empty().then_some(())
    })
    .await;
    await_no_volume(&place.namespace).await;
    assert!(events(&store, "VolumesRetained").await.is_empty());
}

#[tokio::test]
async fn a_namespace_takes_stores_and_volumes_with_it() {
    let place = Place::beside_others("namespace").await;
    let store = place.store("voice", &specs::one_member()).await;
    store.await_whole().await;
    assert_eq!(volumes(&place.namespace).await.len(), 1);

    lab::kubectl(&["delete", "namespace", &place.namespace]).await;
    await_no_volume(&place.namespace).await;
}

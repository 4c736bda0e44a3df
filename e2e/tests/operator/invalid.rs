//! A wrong spec that no rule of the definition can see.

use serde_json::{Value, json};

use crate::{
    Place, specs,
    support::{kept::Kept, lab, told::await_told},
};

fn external() -> Value {
    json!({
        "mongodb": {"external": {"uriSecretRef": {"name": "atlas"}}},
        "api": {"replicas": 1},
    })
}

/// It would tolerate a taint that no node can have.
fn nowhere() -> Value {
    let mut spec = specs::one_member();
    spec["mongodb"]["tolerations"] = json!([{"key": "not a label!", "operator": "Exists"}]);
    spec
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do_and_holds_up_nobody_else() {
    let place = Place::beside_others("invalid").await;
    lab::apply(&json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken-api", "namespace": place.namespace},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }))
    .await;
    let missing = place.store("missing", &external()).await;
    let taken = place.store("taken", &specs::one_member()).await;
    let nowhere = place.store("nowhere", &nowhere()).await;
    let good = place.store("good", &specs::one_member()).await;

    let told = await_told(&missing, "Stalled", "SecretMissing", &["atlas", "uri"]).await;
    assert!(told.contains("create"), "{told}");
    let told = await_told(&taken, "Stalled", "NameTaken", &["taken-api"]).await;
    assert!(told.contains("rename") || told.contains("delete"), "{told}");
    let invalid = ["nowhere-mongodb", "tolerations", "not a label!"];
    let told = await_told(&nowhere, "Stalled", "ObjectInvalid", &invalid).await;
    assert!(told.contains("correct the field"), "{told}");
    good.await_whole().await;
    Kept::write(&good).await.assert_there(&good).await;

    // Each goes on when what is wrong has been put right.
    let secret = ["create", "secret", "generic", "atlas"];
    let uri = "--from-literal=uri=mongodb://nobody.invalid/sessionstore";
    missing.kubectl(&[&secret[..], &[uri]].concat()).await;
    await_told(&missing, "Reconciling", "ApiRollingOut", &[]).await;
    taken.kubectl(&["delete", "service", "taken-api"]).await;
    nowhere
        .change(&json!({"mongodb": {"tolerations": null}}))
        .await;
    for store in [&taken, &nowhere] {
        store.await_whole().await;
    }
    good.await_whole().await;
}

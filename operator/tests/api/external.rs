//! The API on a MongoDB of somebody else's.

use kube::api::DeleteParams;
use serde_json::json;
use sessionstore_operator::kind::Kind;
use sessionstore_operator::names::CONFIG_HASH;

use crate::audit;
use crate::operator::Operator;
use crate::place::{Place, eventually};
use crate::specs;

fn hash(deployment: &kube::api::DynamicObject) -> String {
    let annotations = &deployment.data["spec"]["template"]["metadata"]["annotations"];
    annotations[CONFIG_HASH].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_missing_secret_is_a_condition_and_when_it_appears_it_goes_on() {
    let place = Place::new("secret-missing").await;
    let _operator = Operator::at(&place).await;
    place.create("chat", specs::external()).await;
    let stalled = place.await_condition("chat", "Stalled", "True", "SecretMissing");
    let message = stalled.await["message"].clone();
    let message = message.as_str().unwrap();
    assert!(
        message.contains("Secret atlas") && message.contains("create it"),
        "{message}"
    );
    assert!(place.get(Kind::Deployment, "chat-api").await.is_none());

    place
        .secret("atlas", json!({"url": "mongodb://wrong-entry"}))
        .await;
    eventually("it says that the entry is missing", async || {
        let stalled = place.condition("chat", "Stalled").await?;
        let message = stalled["message"].as_str()?.to_owned();
        (message.contains("entry uri")).then_some(())
    })
    .await;
    place.secret("atlas", specs::uri()).await;
    place.await_object(Kind::Deployment, "chat-api").await;
    eventually("it is no longer stalled", async || {
        let stalled = place.condition("chat", "Stalled").await;
        stalled.is_none().then_some(())
    })
    .await;
    assert_eq!(
        place.status("chat").await["mongodb"]["membersReady"],
        "external"
    );
}

#[tokio::test]
async fn a_new_connection_string_rolls_the_api() {
    let place = Place::new("secret-changed").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    let before = hash(&place.await_object(Kind::Deployment, "chat-api").await);
    place.settle(&operator).await;
    place
        .secret("atlas", json!({"uri": "mongodb://other.example.net/"}))
        .await;
    let after = place.await_that(Kind::Deployment, "chat-api", "it is rolled", |it| {
        hash(it) != before
    });
    let after = hash(&after.await);
    place.secret("atlas", specs::uri()).await;
    let again = place.await_that(Kind::Deployment, "chat-api", "it is rolled back", |it| {
        hash(it) != after
    });
    assert_eq!(hash(&again.await), before);
}

#[tokio::test]
async fn the_secret_is_watched_as_long_as_its_store_is_there() {
    let place = Place::new("secret-watched").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    let start = audit::now(&place.lab);
    place.create("chat", specs::external()).await;
    place.await_object(Kind::Deployment, "chat-api").await;
    place.settle(&operator).await;
    // The API server tells of a watch when it has ended.
    let has_ended = || {
        let mut ended = audit::of(&place.lab, start, operator.user()).into_iter();
        ended.any(|it| it.is_watch() && it.path.contains("metadata.name%3Datlas"))
    };
    assert!(!has_ended());
    let params = DeleteParams::default();
    place.stores().delete("chat", &params).await.unwrap();
    eventually("its watch has ended", async || has_ended().then_some(())).await;
}

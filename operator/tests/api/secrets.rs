//! The Secrets of a replica set: what is drawn once stays, what is made of it follows.

use k8s_openapi::ByteString;
use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use sessionstore_operator::kind::Kind;
use sessionstore_operator::names::FIELD_MANAGER;

use crate::operator::{Operator, Start};
use crate::place::Place;
use crate::specs;

const DRAWN: [&str; 3] = [
    "voice-mongodb-key",
    "voice-mongodb-operator",
    "voice-mongodb-user",
];

fn entry(secret: &DynamicObject, name: &str) -> String {
    let entry = secret.data["data"][name].clone();
    let ByteString(entry) = serde_json::from_value(entry).unwrap();
    String::from_utf8(entry).unwrap()
}

/// The entries of the Secrets that are drawn once.
async fn drawn(place: &Place) -> Vec<Value> {
    let mut entries = Vec::new();
    for name in DRAWN {
        let secret = place.get(Kind::Secret, name).await.unwrap();
        entries.push(secret.data["data"].clone());
    }
    entries
}

fn config_hash(api: &DynamicObject) -> Value {
    let template = &api.data["spec"]["template"]["metadata"];
    template["annotations"]["sessionstore.dev/config-hash"].clone()
}

#[tokio::test]
async fn an_operator_that_is_told_another_domain_rolls_the_api_to_it_and_draws_nothing_anew() {
    let place = Place::new("domain").await;
    let before = Operator::at(&place).await;
    place.create("voice", specs::small()).await;
    place.settle(&before).await;
    let secrets = drawn(&place).await;
    let api = place.get(Kind::Deployment, "voice-api").await.unwrap();
    before.stop();

    let after = Start::at(&place).domain("example.net").go().await;
    after.await_lead().await;
    let what = "the connection string has the other domain";
    let is_elsewhere = |it: &DynamicObject| {
        let uri = entry(it, "uri");
        uri.contains("@voice-mongodb-0.voice-mongodb.domain.svc.example.net:27017,")
    };
    place
        .await_that(Kind::Secret, "voice-mongodb-uri", what, is_elsewhere)
        .await;
    let what = "the API is rolled";
    place
        .await_that(Kind::Deployment, "voice-api", what, |it| {
            config_hash(it) != config_hash(&api)
        })
        .await;
    // It is applied after the Secrets, so nothing has stood in its way.
    assert_eq!(drawn(&place).await, secrets);
    assert_eq!(place.condition("voice", "Stalled").await, None);
}

#[tokio::test]
async fn a_password_that_an_earlier_release_has_stored_with_the_connection_string_stays() {
    let place = Place::new("earlier").await;
    let store = place.create("voice", specs::small()).await;
    let earlier = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "voice-mongodb-user",
            "labels": {
                "app.kubernetes.io/managed-by": "sessionstore-operator",
                "app.kubernetes.io/instance": "voice",
            },
            "ownerReferences": [{
                "apiVersion": "sessionstore.dev/v1alpha1",
                "kind": "SessionStore",
                "name": "voice",
                "uid": store.uid().unwrap(),
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "immutable": true,
        "stringData": {"username": "sessionstore", "password": "old", "uri": "mongodb://old"},
    });
    let params = PatchParams::apply(FIELD_MANAGER);
    let secrets = place.api(Kind::Secret);
    let earlier = Patch::Apply(earlier);
    let made = secrets.patch("voice-mongodb-user", &params, &earlier);
    let made = made.await.unwrap();

    let operator = Operator::at(&place).await;
    place.settle(&operator).await;
    let user = place.get(Kind::Secret, "voice-mongodb-user").await.unwrap();
    assert_eq!(user.uid(), made.uid());
    assert_eq!(user.data["data"], made.data["data"]);
    let uri = place.get(Kind::Secret, "voice-mongodb-uri").await.unwrap();
    assert!(entry(&uri, "uri").starts_with("mongodb://sessionstore:old@voice-mongodb-0."));
    assert_eq!(place.condition("voice", "Stalled").await, None);
}

#[tokio::test]
async fn secrets_that_are_out_of_sight_are_adopted_with_what_they_hold() {
    let place = Place::new("hidden").await;
    let before = Operator::at(&place).await;
    place.create("voice", specs::small()).await;
    place.settle(&before).await;
    let secrets = drawn(&place).await;
    before.stop();
    let hidden = [
        json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}}),
        json!({"metadata": {"labels": null}}),
        // As after `kubectl delete --cascade=orphan`.
        json!({"metadata": {"ownerReferences": null}}),
    ];
    for (name, patch) in DRAWN.into_iter().zip(hidden) {
        place.edit(Kind::Secret, name, patch).await;
    }

    let after = Operator::at(&place).await;
    place.settle(&after).await;
    assert_eq!(drawn(&place).await, secrets);
    for name in DRAWN {
        let secret = place.get(Kind::Secret, name).await.unwrap();
        assert_eq!(secret.owner_references().len(), 1, "{name}");
        let label = secret.labels().get("app.kubernetes.io/managed-by");
        assert!(label.is_some(), "{name}");
    }
    assert_eq!(place.condition("voice", "Stalled").await, None);
}

#[tokio::test]
async fn a_secret_of_somebody_elses_is_told_of_before_anything_is_made() {
    let place = Place::new("their-secret").await;
    let _operator = Operator::at(&place).await;
    let theirs = json!({"key": "theirs"});
    place.secret("voice-mongodb-key", theirs).await;
    place.create("voice", specs::small()).await;
    let stalled = place.await_condition("voice", "Stalled", "True", "NameTaken");
    let message = stalled.await["message"].clone();
    let message = message.as_str().unwrap();
    assert!(message.contains("Secret voice-mongodb-key"), "{message}");
    assert!(place.owned().await.is_empty());
}

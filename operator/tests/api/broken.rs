//! One that is wrong stops no other, and says what is wrong with it.

use kube::ResourceExt;
use kube::api::{Patch, PostParams};
use serde_json::json;
use sessionstore_operator::kind::Kind;

use crate::audit;
use crate::operator::Operator;
use crate::place::{Place, by_hand, eventually};
use crate::specs;

#[tokio::test]
async fn an_unreadable_store_stops_no_other_and_says_so_once() {
    let place = Place::new("unreadable").await;
    place.secret("atlas", specs::uri()).await;
    // One that no operator has ever been able to read, and one that it could read once.
    place.create("broken", specs::small()).await;
    place.store_as("broken", |it| {
        it["spec"]["mongodb"]["members"] = json!("three");
    });
    place.create("turned", specs::external()).await;
    place.create("chat", specs::external()).await;
    let operator = Operator::at(&place).await;
    place.await_object(Kind::Deployment, "turned-api").await;
    place
        .await_condition("turned", "Ready", "False", "ApiRollingOut")
        .await;
    place.store_as("turned", |it| it["spec"]["api"]["log"] = json!(7));
    let ready = place
        .await_condition("turned", "Ready", "False", "Unreadable")
        .await;
    let message = ready["message"].as_str().unwrap();
    assert!(message.contains("correct it"), "{message}");
    place
        .await_condition("turned", "Stalled", "True", "Unreadable")
        .await;
    // The API server takes no status of what it cannot even check; but Events it does.
    for name in ["turned", "broken"] {
        eventually(
            &format!("an Event says that {name} is unreadable"),
            async || {
                let mut told = place.events("Unreadable").await.into_iter();
                told.find(|it| it.regarding.as_ref().unwrap().name.as_deref() == Some(name))
            },
        )
        .await;
    }
    let status = place.status("turned").await;
    assert_eq!(status["api"]["replicasReady"], "0/1", "what is known stays");
    assert!(
        place
            .get(Kind::StatefulSet, "broken-mongodb")
            .await
            .is_none()
    );

    // What has been said is not said again, whoever looks, and others go on.
    place.settle_but(&operator, &["broken", "turned"]).await;
    let start = audit::now(&place.lab);
    let said = place.versions().await;
    place.store_as("broken", |it| {
        it["metadata"]["annotations"] = json!({"example.com/a": "b"});
    });
    place
        .change("chat", json!({"spec": {"api": {"replicas": 3}}}))
        .await;
    place
        .await_that(
            Kind::Deployment,
            "chat-api",
            "the other one goes on",
            |it| it.data["spec"]["replicas"] == 3,
        )
        .await;
    place.settle_but(&operator, &["broken", "turned"]).await;
    // A restarted one has nothing new to say either.
    operator.stop();
    let operator = Operator::at(&place).await;
    place.settle_but(&operator, &["broken", "turned"]).await;
    let writes = audit::of(&place.lab, start, operator.user()).into_iter();
    let writes: Vec<_> = writes
        .filter(|it| it.is_work() && it.resource == "sessionstores")
        .filter(|it| !it.path.contains("/chat/") && !it.is_refused())
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    let turned = "SessionStore/turned";
    assert_eq!(place.versions().await[turned], said[turned]);

    // When it is corrected it goes on, and nothing of what was said stays.
    let corrected = json!({"spec": {"mongodb": {"members": 1}}});
    place.change("broken", corrected).await;
    place
        .change("turned", json!({"spec": {"api": {"log": "info"}}}))
        .await;
    for name in ["broken", "turned"] {
        let deployment = format!("{name}-api");
        place.await_object(Kind::Deployment, &deployment).await;
        eventually(&format!("{name} is no longer stalled"), async || {
            let stalled = place.condition(name, "Stalled").await;
            stalled.is_none().then_some(())
        })
        .await;
    }
    place.settle(&operator).await;
}

#[tokio::test]
async fn an_invalid_spec_is_a_condition_with_a_remedy_until_it_is_corrected() {
    let place = Place::new("invalid").await;
    place.secret("atlas", specs::uri()).await;
    // As one is stored whose definition had fewer rules.
    place.create("voice", specs::small()).await;
    place.store_as("voice", |it| it["spec"]["mongodb"]["members"] = json!(2));
    let operator = Operator::at(&place).await;
    place.create("chat", specs::external()).await;

    let stalled = place
        .await_condition("voice", "Stalled", "True", "InvalidSpec")
        .await;
    let message = stalled["message"].as_str().unwrap();
    assert!(message.contains("use 1, 3 or 5"), "{message}");
    let invalid = place.stores().get("voice").await.unwrap();
    assert_eq!(
        invalid.data["status"]["observedGeneration"],
        json!(invalid.metadata.generation)
    );
    assert!(
        place
            .get(Kind::StatefulSet, "voice-mongodb")
            .await
            .is_none()
    );
    place.await_object(Kind::Deployment, "chat-api").await;
    place.settle(&operator).await;

    place
        .change("voice", json!({"spec": {"mongodb": {"members": 1}}}))
        .await;
    place.await_object(Kind::StatefulSet, "voice-mongodb").await;
    eventually("it is no longer stalled", async || {
        let stalled = place.condition("voice", "Stalled").await;
        stalled.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_only_kubernetes_takes_for_invalid_is_told_as_that_and_stops_no_other() {
    let place = Place::new("refused").await;
    place.secret("atlas", specs::uri()).await;
    let operator = Operator::at(&place).await;
    let mut spec = specs::external();
    spec["api"]["tolerations"] = json!([{"key": "not a label!", "operator": "Exists"}]);
    place.create("voice", spec).await;
    place.create("chat", specs::external()).await;
    let stalled = place
        .await_condition("voice", "Stalled", "True", "ObjectInvalid")
        .await;
    let message = stalled["message"].as_str().unwrap();
    for part in [
        "correct the field",
        "Deployment voice-api",
        "tolerations",
        "not a label!",
    ] {
        assert!(message.contains(part), "{message}");
    }
    place.await_object(Kind::Deployment, "chat-api").await;
    place.settle_but(&operator, &["voice"]).await;

    place
        .change("voice", json!({"spec": {"api": {"tolerations": null}}}))
        .await;
    place.await_object(Kind::Deployment, "voice-api").await;
    eventually("it is no longer stalled", async || {
        let stalled = place.condition("voice", "Stalled").await;
        stalled.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_it_is_paused_nothing_is_written_but_the_status() {
    let place = Place::new("paused").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    let mut spec = specs::external();
    spec["paused"] = json!(true);
    let paused = place.create("new", spec).await;
    place.create("chat", specs::external()).await;
    place
        .await_condition("new", "Ready", "False", "Paused")
        .await;
    let status = place.status("new").await;
    assert_eq!(
        status["observedGeneration"],
        json!(paused.metadata.generation)
    );
    place.settle(&operator).await;
    let owned = place.owned().await;
    assert!(
        owned
            .iter()
            .all(|(_, it)| it.name_any().starts_with("chat"))
    );

    place
        .change("chat", json!({"spec": {"paused": true}}))
        .await;
    place
        .await_condition("chat", "Ready", "False", "Paused")
        .await;
    let start = audit::now(&place.lab);
    let edit = json!({"spec": {"maxUnavailable": 2}});
    place
        .edit(Kind::PodDisruptionBudget, "chat-api", edit)
        .await;
    place.delete(Kind::NetworkPolicy, "chat-api").await;
    place
        .change("chat", json!({"spec": {"api": {"replicas": 4}}}))
        .await;
    place.settle(&operator).await;
    let works = audit::of(&place.lab, start, operator.user()).into_iter();
    let works: Vec<_> = works
        .filter(|it| it.is_work() && it.resource != "sessionstores")
        .collect();
    assert!(works.is_empty(), "{works:#?}");

    place
        .change("chat", json!({"spec": {"paused": false}}))
        .await;
    place.await_object(Kind::NetworkPolicy, "chat-api").await;
    place
        .await_that(
            Kind::PodDisruptionBudget,
            "chat-api",
            "it is repaired",
            |it| it.data["spec"]["maxUnavailable"] == 1,
        )
        .await;
    place
        .await_that(Kind::Deployment, "chat-api", "it is scaled", |it| {
            it.data["spec"]["replicas"] == 4
        })
        .await;
}

#[tokio::test]
async fn an_object_that_the_rules_refuse_is_never_stored() {
    let place = Place::new("invalid-object").await;
    let store = json!({
        "apiVersion": "sessionstore.dev/v1alpha1",
        "kind": "SessionStore",
        "metadata": {"name": "voice"},
        "spec": {"mongodb": {"members": 2}},
    });
    let store = serde_json::from_value(store).unwrap();
    let made = place.stores().create(&PostParams::default(), &store).await;
    let error = made.unwrap_err().to_string();
    assert!(error.contains("members elect by majority"), "{error}");
    place.create("chat", specs::external()).await;
    let moved = json!({"spec": {"mongodb": {"external": null}}});
    let moved = place
        .stores()
        .patch("chat", &by_hand(), &Patch::Merge(moved))
        .await;
    let error = moved.unwrap_err().to_string();
    assert!(error.contains("cannot move between"), "{error}");
}

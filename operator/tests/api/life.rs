//! From the first to the last day of a store.

use kube::ResourceExt;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use sessionstore_operator::kind::Kind;

use crate::audit;
use crate::operator::Operator;
use crate::place::{Place, eventually};
use crate::specs;

/// An object with the operator's labels, controlled by somebody else or by nobody.
async fn stranger(place: &Place, name: &str, owner: Option<Value>) {
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/managed-by": "sessionstore-operator",
                "app.kubernetes.io/instance": "chat",
            },
            "ownerReferences": owner.into_iter().collect::<Vec<_>>(),
        },
        "spec": {"podSelector": {"matchLabels": {"app": "theirs"}}},
    });
    let policy = serde_json::from_value(policy).unwrap();
    let policies = place.api(Kind::NetworkPolicy);
    policies
        .create(&PostParams::default(), &policy)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_deleted_and_nothing_of_anybody_elses() {
    let place = Place::new("orphans").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    let mut spec = specs::external();
    spec["api"] = json!({"autoscaling": {}});
    let store = place.create("chat", spec).await;
    let other = place.secret("other", specs::uri()).await;
    let () = other;
    let theirs = place.get(Kind::Secret, "other").await.unwrap();
    place
        .await_object(Kind::HorizontalPodAutoscaler, "chat-api")
        .await;
    let reference = |kind: &str, api: &str, name: &str, uid: &str, controller: bool| {
        json!({
            "apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": controller,
        })
    };
    let uid = theirs.uid().unwrap();
    stranger(&place, "of-nobody", None).await;
    stranger(
        &place,
        "of-other",
        Some(reference("Secret", "v1", "other", &uid, true)),
    )
    .await;
    // It goes with the store, but the operator has not made it.
    let api = "sessionstore.dev/v1alpha1";
    let uid = store.uid().unwrap();
    stranger(
        &place,
        "of-user",
        Some(reference("SessionStore", api, "chat", &uid, false)),
    )
    .await;
    // One that the operator takes for an orphan of its own.
    stranger(
        &place,
        "orphan",
        Some(reference("SessionStore", api, "chat", &uid, true)),
    )
    .await;

    let fixed = json!({"spec": {"api": {"replicas": 1, "autoscaling": null}}});
    place.change("chat", fixed).await;
    eventually("the autoscaler is gone", async || {
        let found = place.get(Kind::HorizontalPodAutoscaler, "chat-api").await;
        found.is_none().then_some(())
    })
    .await;
    eventually("the orphan is gone", async || {
        let found = place.get(Kind::NetworkPolicy, "orphan").await;
        found.is_none().then_some(())
    })
    .await;
    place.settle(&operator).await;
    for name in ["of-nobody", "of-other", "of-user"] {
        assert!(
            place.get(Kind::NetworkPolicy, name).await.is_some(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_deleted_store_is_gone_with_all_it_owned_and_says_that_its_volumes_stay() {
    let place = Place::new("gone").await;
    let operator = Operator::at(&place).await;
    place.create("voice", specs::small()).await;
    place.settle(&operator).await;
    let claims = || place.kubectl(&["get", "pvc", "--output=name"]);
    let before = claims();
    assert!(before.contains("data-voice-mongodb-0"), "{before}");

    let start = audit::now(&place.lab);
    let params = DeleteParams::default();
    place.stores().delete("voice", &params).await.unwrap();
    let note = place.await_event("VolumesRetained").await;
    assert!(note.contains("data-voice-mongodb-*"), "{note}");
    eventually("all that it owned is gone", async || {
        place.owned().await.is_empty().then_some(())
    })
    .await;
    let works = audit::of(&place.lab, start, operator.user()).into_iter();
    let works: Vec<_> = works.filter(audit::Request::is_work).collect();
    assert!(works.is_empty(), "{works:#?}");
    assert_eq!(claims(), before);
    assert_eq!(place.events("VolumesRetained").await.len(), 1);

    // The same name again: another one, with new Secrets and the old volumes.
    place.create("voice", specs::small()).await;
    let note = place.await_event("AdoptedVolumes").await;
    assert!(note.contains("data-voice-mongodb-0"), "{note}");
    place.await_object(Kind::StatefulSet, "voice-mongodb").await;
    place.settle(&operator).await;
    assert_eq!(place.events("AdoptedVolumes").await.len(), 1);
}

#[tokio::test]
async fn where_the_namespace_is_being_deleted_each_store_is_refused_once_at_most_and_quietly() {
    let place = Place::new("ending").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    let names = ["chat", "voice", "mail", "desk"];
    for name in names {
        place.create(name, specs::external()).await;
    }
    place.settle(&operator).await;
    let start = audit::now(&place.lab);
    let delete = ["delete", "namespace", &place.namespace, "--wait=false"];
    place.lab.kubectl(&delete);
    eventually("the stores are gone with all they owned", async || {
        let stores = place.kubectl(&["get", "sst", "--output=name"]);
        (stores.is_empty() && place.owned().await.is_empty()).then_some(())
    })
    .await;
    let requests = audit::of(&place.lab, start, operator.user());
    for name in names {
        let its = requests
            .iter()
            .filter(|it| it.is_work() && it.path.contains(&format!("/{name}-")));
        let refused: Vec<_> = its.filter(|it| it.code == 403).collect();
        assert!(refused.len() <= 1, "{refused:#?}");
    }
    let warned = operator.logged("an Event could not be written");
    assert!(warned.is_empty(), "{warned:#?}");
}

#[tokio::test]
async fn one_that_is_created_again_at_once_waits_for_what_the_last_one_has_left() {
    let place = Place::new("again").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;
    // The last one's objects hold on for a while.
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    place.edit(Kind::Service, "chat-api", hold).await;
    let params = DeleteParams::default();
    place.stores().delete("chat", &params).await.unwrap();
    let new = place.create("chat", specs::external()).await;
    place
        .await_condition("chat", "Reconciling", "True", "WaitingForDeletion")
        .await;
    let release = json!({"metadata": {"finalizers": null}});
    place.edit(Kind::Service, "chat-api", release).await;
    let uid = new.uid().unwrap();
    place
        .await_that(Kind::Deployment, "chat-api", "it is the new one's", |it| {
            it.owner_references().iter().any(|owner| owner.uid == uid)
        })
        .await;
    assert!(place.events("NameTaken").await.is_empty());
}

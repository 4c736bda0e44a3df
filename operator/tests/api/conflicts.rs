//! Others who want the same names or the same fields.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use sessionstore_operator::kind::Kind;

use crate::audit;
use crate::operator::Operator;
use crate::place::{Place, SOMEBODY, eventually};
use crate::specs;

#[tokio::test]
async fn an_object_of_somebody_elses_is_not_taken_over_and_when_it_is_gone_it_goes_on() {
    let place = Place::new("taken").await;
    let theirs = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "chat-api", "labels": {"mine": "yes"}},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "theirs"}},
    });
    let theirs = serde_json::from_value(theirs).unwrap();
    let services = place.api(Kind::Service);
    let made = services.create(&PostParams::default(), &theirs).await;
    let made = made.unwrap();
    let _operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;

    let stalled = place.await_condition("chat", "Stalled", "True", "NameTaken");
    let message = stalled.await["message"].clone();
    let message = message.as_str().unwrap();
    assert!(message.contains("Service chat-api"), "{message}");
    assert!(message.contains("delete"), "{message}");
    let ready = place.condition("chat", "Ready").await.unwrap();
    assert_eq!(ready["status"], "False");
    assert_eq!(place.get(Kind::Service, "chat-api").await.unwrap(), made);

    place.delete(Kind::Service, "chat-api").await;
    place
        .await_that(Kind::Service, "chat-api", "it is the operator's", |it| {
            it.metadata.owner_references.is_some()
        })
        .await;
    eventually("nothing is stalled", async || {
        let stalled = place.condition("chat", "Stalled").await;
        stalled.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_field_manager_that_takes_a_field_is_told_of_and_the_field_is_set_back() {
    let place = Place::new("managers").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;

    let theirs = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "chat-api"},
        "spec": {"maxUnavailable": 2},
    });
    place
        .api(Kind::PodDisruptionBudget)
        .patch(
            "chat-api",
            &PatchParams::apply(SOMEBODY).force(),
            &Patch::Apply(theirs),
        )
        .await
        .unwrap();
    let note = place.await_event("FieldConflict").await;
    assert!(note.contains("PodDisruptionBudget chat-api"), "{note}");
    assert!(note.contains(SOMEBODY), "{note}");
    assert!(note.contains(".spec.maxUnavailable"), "{note}");
    place
        .await_that(
            Kind::PodDisruptionBudget,
            "chat-api",
            "the field is set back",
            |it| it.data["spec"]["maxUnavailable"] == 1,
        )
        .await;
}

/// Whoever sets a field again as soon as the operator has set it back.
async fn fight(place: &Place, kind: Kind, edit: serde_json::Value, time: Duration) -> usize {
    let mut edits = 0;
    let end = tokio::time::Instant::now() + time;
    let mut last = None;
    while tokio::time::Instant::now() < end {
        let live = place.get(kind, "chat-api").await.unwrap();
        let generation = live.metadata.generation;
        if generation != last {
            let edited = place.edit(kind, "chat-api", edit.clone()).await;
            last = edited.metadata.generation;
            edits += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    edits
}

#[tokio::test]
async fn a_controller_that_fights_for_a_field_does_not_keep_the_operator_busy() {
    let place = Place::new("fights").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;
    let start = audit::now(&place.lab);
    // Both a field of the manifest and the count of pods, which is set apart.
    let time = Duration::from_secs(20);
    let (budget, pods) = (
        json!({"spec": {"maxUnavailable": 3}}),
        json!({"spec": {"replicas": 5}}),
    );
    let rounds = tokio::join!(
        fight(&place, Kind::PodDisruptionBudget, budget, time),
        fight(&place, Kind::Deployment, pods, time),
    );
    // Twice as long a wait each time: 0.4, 0.8, 1.6, 3.2, 6.4 and 12.8 s.
    let requests = audit::of(&place.lab, start, operator.user());
    let works = requests.iter().filter(|it| it.is_work());
    let works: Vec<_> = works.filter(|it| it.resource != "sessionstores").collect();
    assert!(rounds.0 >= 3 && rounds.1 >= 3, "nobody fought: {rounds:?}");
    assert!(works.len() <= 40, "{rounds:?}: {works:#?}");
    let events: Vec<_> = requests
        .iter()
        .filter(|it| it.resource == "events")
        .collect();
    assert!(events.len() <= 20, "{events:#?}");

    // When the other one has had enough, the operator's own value stays.
    place
        .await_that(
            Kind::PodDisruptionBudget,
            "chat-api",
            "the field is set back",
            |it| it.data["spec"]["maxUnavailable"] == 1,
        )
        .await;
    place
        .await_that(
            Kind::Deployment,
            "chat-api",
            "the count is set back",
            |it| it.data["spec"]["replicas"] == 1,
        )
        .await;
}

//! Decisions on what is not so any more, since a watch may lag: the API server refuses them.

use std::time::Duration;

use kube::api::{DynamicObject, PostParams};
use kube::{Resource, ResourceExt};
use serde_json::json;
use sessionstore_operator::apply::{
    Applied, Applier, ApplyError, Count, Key, Observed, Step, version,
};
use sessionstore_operator::build::Object;
use sessionstore_operator::clock;
use sessionstore_operator::desired::Owner;
use sessionstore_operator::kind::Kind;
use sessionstore_operator::leader::Leadership;

use crate::place::Place;

/// Writes as the operator does.
struct Writer {
    owner: Owner,
    leadership: Leadership,
}

impl Writer {
    fn at(place: &Place) -> Self {
        Self {
            owner: Owner {
                name: "chat".to_owned(),
                namespace: place.namespace.clone(),
                uid: "of-nobody".to_owned(),
            },
            leadership: Leadership::new(clock::now() + Duration::from_secs(3_600)),
        }
    }

    fn applier<'a>(&'a self, place: &'a Place) -> Applier<'a> {
        Applier::new(&place.client, &self.owner, &self.leadership)
    }

    async fn take(&self, place: &Place, step: Step<'_>) -> Result<(), ApplyError> {
        let mut applied = Applied::default();
        let taken = self.applier(place).take(vec![step], &mut applied).await;
        taken.map(|_| ())
    }
}

fn budget(pods: i32) -> Object {
    Object {
        kind: Kind::PodDisruptionBudget,
        name: "chat-api".to_owned(),
        manifest: json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "chat-api"},
            "spec": {
                "maxUnavailable": pods,
                "selector": {"matchLabels": {"app": "chat"}},
            },
        }),
    }
}

#[tokio::test]
async fn what_was_deleted_or_made_anew_meanwhile_is_neither_made_nor_written_over() {
    let place = Place::new("replaced").await;
    let writer = Writer::at(&place);
    let kind = Kind::PodDisruptionBudget;
    let first = budget(1);
    writer.take(&place, Step::Make(&first)).await.unwrap();
    let seen = place.get(kind, "chat-api").await.unwrap();
    let observed = Observed::of(kind, &seen);

    let changed = budget(2);
    place.delete(kind, "chat-api").await;
    let gone = writer.take(&place, Step::Apply(&changed, &observed)).await;
    assert!(matches!(gone, Err(ApplyError::Outdated(_))), "{gone:?}");
    assert!(place.get(kind, "chat-api").await.is_none());

    let theirs: DynamicObject = serde_json::from_value(budget(7).manifest).unwrap();
    let budgets = place.api(kind);
    let theirs = budgets.create(&PostParams::default(), &theirs).await;
    let theirs = theirs.unwrap();
    let other = writer.take(&place, Step::Apply(&changed, &observed)).await;
    assert!(matches!(other, Err(ApplyError::Outdated(_))), "{other:?}");
    let live = place.get(kind, "chat-api").await.unwrap();
    assert_eq!(
        (live.uid(), live.data["spec"].clone()),
        (theirs.uid(), theirs.data["spec"].clone())
    );

    // On what is so it is done.
    let observed = Observed::of(kind, &live);
    writer
        .take(&place, Step::Apply(&changed, &observed))
        .await
        .unwrap();
    let live = place.get(kind, "chat-api").await.unwrap();
    assert_eq!(live.data["spec"]["maxUnavailable"], 2);
}

#[tokio::test]
async fn a_count_that_was_decided_on_an_older_one_is_not_set() {
    let place = Place::new("recounted").await;
    let writer = Writer::at(&place);
    let kind = Kind::StatefulSet;
    let members = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "chat-mongodb"},
        "spec": {
            "selector": {"matchLabels": {"app": "chat"}},
            // No pod of it is ever made: there is no such service account.
            "template": {
                "metadata": {"labels": {"app": "chat"}},
                "spec": {
                    "serviceAccountName": "nobody",
                    "containers": [{"name": "mongod", "image": "localhost/mongod"}],
                },
            },
        },
    });
    let members: DynamicObject = serde_json::from_value(members).unwrap();
    let sets = place.api(kind);
    let made = sets.create(&PostParams::default(), &members).await.unwrap();
    let key = Key::new(kind, "chat-mongodb");
    let count = |object: &DynamicObject| Count {
        pods: 1,
        version: version(object.meta().resource_version.as_deref()),
    };
    let edit = json!({"spec": {"replicas": 5}});
    place.edit(kind, "chat-mongodb", edit).await;
    let applier = writer.applier(&place);
    let late = applier.scale(&key, count(&made), 3).await;
    assert!(matches!(late, Err(ApplyError::Outdated(_))), "{late:?}");
    let live = place.get(kind, "chat-mongodb").await.unwrap();
    assert_eq!(live.data["spec"]["replicas"], 5);

    // Its controller reports on it at any time.
    loop {
        let live = place.get(kind, "chat-mongodb").await.unwrap();
        match applier.scale(&key, count(&live), 3).await {
            Err(ApplyError::Outdated(_)) => {}
            scaled => break scaled.map(|_| ()).unwrap(),
        }
    }
    let live = place.get(kind, "chat-mongodb").await.unwrap();
    assert_eq!(live.data["spec"]["replicas"], 3);
}

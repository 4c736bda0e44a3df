//! Who sets how many pods the API has.

use kube::api::{DynamicObject, PostParams};
use serde_json::json;
use sessionstore_operator::kind::Kind;
use sessionstore_operator::names::{FIELD_MANAGER, SCALE_MANAGER};

use crate::audit;
use crate::operator::Operator;
use crate::place::{Place, eventually};
use crate::specs;

async fn await_pods(place: &Place, count: i64) -> DynamicObject {
    let what = format!("the Deployment is to have {count} pods");
    place
        .await_that(Kind::Deployment, "chat-api", &what, |it| {
            it.data["spec"]["replicas"] == count
        })
        .await
}

/// Who has set the count of pods.
fn managers(deployment: &DynamicObject) -> Vec<String> {
    let entries = deployment.metadata.managed_fields.iter().flatten();
    entries
        .filter(|it| {
            let fields = serde_json::to_value(&it.fields_v1).unwrap();
            fields["f:spec"].get("f:replicas").is_some()
        })
        .filter_map(|it| it.manager.clone())
        .collect()
}

#[tokio::test]
async fn kubectl_scale_sets_the_pods_of_the_api_under_a_manager_of_its_own() {
    let place = Place::new("scaled").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;
    place.kubectl(&["scale", "sst", "chat", "--replicas=3"]);
    let deployment = await_pods(&place, 3).await;
    assert_eq!(managers(&deployment), [SCALE_MANAGER]);
    assert!(!managers(&deployment).contains(&FIELD_MANAGER.to_owned()));
    let store = place.stores().get("chat").await.unwrap();
    assert_eq!(store.data["spec"]["api"]["replicas"], 3);
    eventually("the status tells an autoscaler of the pods", async || {
        let path = "--output=jsonpath={.status.selector}={.status.replicas}";
        let scale = place.kubectl(&["get", "sst", "chat", "--subresource=scale", path]);
        scale.ends_with("=3").then_some(())
    })
    .await;
    // Somebody who sets another count is corrected.
    place.kubectl(&["scale", "deployment", "chat-api", "--replicas=7"]);
    await_pods(&place, 3).await;
}

#[tokio::test]
async fn with_autoscaling_the_count_is_the_autoscalers_and_back_again() {
    let place = Place::new("autoscaled").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&operator).await;
    let fixed = |count: i32| json!({"spec": {"api": {"replicas": count, "autoscaling": null}}});
    let automatic = json!({"spec": {"api": {
        "replicas": null,
        "autoscaling": {"minReplicas": 3, "maxReplicas": 6},
    }}});
    for count in [2, 1] {
        let start = audit::now(&place.lab);
        place.change("chat", automatic.clone()).await;
        let autoscaler = place
            .await_object(Kind::HorizontalPodAutoscaler, "chat-api")
            .await;
        assert_eq!(
            autoscaler.data["spec"]["scaleTargetRef"]["name"],
            "chat-api"
        );
        // There are no metrics here, but its least counts without any.
        let deployment = await_pods(&place, 3).await;
        // The field is no longer the operator's; nor does it become anybody's, by the API server.
        let left = managers(&deployment);
        assert!(
            !left.iter().any(|it| it.starts_with(FIELD_MANAGER)),
            "{left:?}"
        );
        // Nobody else's count is corrected either.
        place.kubectl(&["scale", "deployment", "chat-api", "--replicas=5"]);
        place.settle(&operator).await;
        await_pods(&place, 5).await;
        let requests = audit::of(&place.lab, start, operator.user());
        let scales = requests.iter().filter(|it| it.path.contains("/scale"));
        assert_eq!(scales.count(), 0);
        assert!(
            place.status("chat").await["resolved"]
                .get("replicas")
                .is_none()
        );

        place.change("chat", fixed(count)).await;
        await_pods(&place, count.into()).await;
        eventually("the autoscaler is gone", async || {
            let found = place.get(Kind::HorizontalPodAutoscaler, "chat-api").await;
            found.is_none().then_some(())
        })
        .await;
        place.settle(&operator).await;
        let deployment = await_pods(&place, count.into()).await;
        assert_eq!(managers(&deployment), [SCALE_MANAGER]);
    }
}

#[tokio::test]
async fn members_are_looked_after_while_another_object_cannot_be_applied() {
    let place = Place::new("half").await;
    let operator = Operator::at(&place).await;
    place.create("voice", specs::small()).await;
    place.settle(&operator).await;
    operator.stop();
    // Somebody else takes the name of an object, and what comes after it cannot be applied.
    place.delete(Kind::Service, "voice-api").await;
    let theirs = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "voice-api"},
        "spec": {"ports": [{"port": 80}]},
    });
    let theirs = serde_json::from_value(theirs).unwrap();
    let services = place.api(Kind::Service);
    services
        .create(&PostParams::default(), &theirs)
        .await
        .unwrap();
    place
        .change("voice", json!({"spec": {"mongodb": {"members": 3}}}))
        .await;

    let _operator = Operator::at(&place).await;
    place
        .await_condition("voice", "Stalled", "True", "NameTaken")
        .await;
    place
        .await_that(
            Kind::StatefulSet,
            "voice-mongodb",
            "it has three pods",
            |it| it.data["spec"]["replicas"] == 3,
        )
        .await;
    let status = place.status("voice").await;
    assert_eq!(
        status["mongodb"]["members"].as_array().map(Vec::len),
        Some(3)
    );
}

//! The kind that may come and go.

use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use sessionstore_operator::kind::Kind;

use crate::lab::Lab;
use crate::operator::{Operator, Start};
use crate::place::{Place, SOMEBODY, eventually};
use crate::specs;

/// As much of the kinds of Prometheus' operator as takes what is made of them.
pub(crate) fn definitions() -> [Value; 2] {
    [definition(), kind("PrometheusRule", "prometheusrules")]
}

fn definition() -> Value {
    kind("ServiceMonitor", "servicemonitors")
}

fn kind(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": true,
                    }},
                }},
            }],
        },
    })
}

/// The classes that the full sample names.
pub(crate) async fn priorities(place: &Place) {
    let classes: Api<PriorityClass> = Api::all(place.client.clone());
    for name in ["databases", "serving"] {
        let class = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": 1,
        });
        let params = PatchParams::apply(SOMEBODY);
        classes
            .patch(name, &params, &Patch::Apply(class))
            .await
            .unwrap();
    }
}

const MISSING: (&str, &str, &str) = ("ServiceMonitorMissing", "True", "KindUnknown");

/// A store that wants to be monitored.
async fn monitored(place: &Place) {
    place.secret("atlas", specs::uri()).await;
    let mut spec = specs::external();
    spec["monitoring"] = json!({"serviceMonitor": true});
    place.create("chat", spec).await;
    place.await_object(Kind::Deployment, "chat-api").await;
}

async fn await_missing(place: &Place) -> Value {
    let (kind, status, reason) = MISSING;
    place.await_condition("chat", kind, status, reason).await
}

async fn await_monitor(place: &Place) {
    place.await_object(Kind::ServiceMonitor, "chat-api").await;
    eventually("nothing is missing", async || {
        let missing = place.condition("chat", MISSING.0).await;
        missing.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_monitor_is_there_as_soon_and_as_long_as_its_kind_is() {
    let place = Place::in_lab(Lab::alone(), "monitored").await;
    let operator = Start::at(&place).everywhere().go().await;
    operator.await_lead().await;
    monitored(&place).await;
    let condition = await_missing(&place).await;
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("prometheus-operator"), "{message}");
    place.settle(&operator).await;

    // One that has no rights on definitions asks when it starts.
    let limited = Place::in_lab(place.lab.clone(), "limited").await;
    let first = Operator::at(&limited).await;
    // Its store is the other one's too, which would only blur what is to be seen.
    operator.stop();
    monitored(&limited).await;
    await_missing(&limited).await;
    limited.settle(&first).await;
    place.lab.install(&definition());
    first.stop();
    let second = Operator::at(&limited).await;
    await_monitor(&limited).await;
    limited.settle(&second).await;

    let operator = Start::at(&place).everywhere().go().await;
    operator.await_lead().await;
    second.stop();
    let definitions: Api<CustomResourceDefinition> = Api::all(place.client.clone());
    for _ in 0..2 {
        await_monitor(&place).await;
        place.settle(&operator).await;

        let name = "servicemonitors.monitoring.coreos.com";
        definitions
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        await_missing(&place).await;
        place.settle(&operator).await;
        // All else goes on.
        place.delete(Kind::NetworkPolicy, "chat-api").await;
        place.await_object(Kind::NetworkPolicy, "chat-api").await;
        place.lab.install(&definition());
    }
    await_monitor(&place).await;
}

//! The kind that may come and go.

use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use sessionstore_operator::kind::Kind;

use crate::lab::Lab;
use crate::operator::Operator;
use crate::place::{Place, SOMEBODY, eventually};
use crate::specs;

/// As much of it as takes what the operator makes.
pub(crate) fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": "ServiceMonitor", "plural": "servicemonitors"},
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

#[tokio::test]
async fn a_service_monitor_is_there_as_soon_and_as_long_as_its_kind_is() {
    let place = Place::in_lab(Lab::alone(), "monitored").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    let mut spec = specs::external();
    spec["monitoring"] = json!({"serviceMonitor": true});
    place.create("chat", spec).await;
    place.await_object(Kind::Deployment, "chat-api").await;
    let missing = ("ServiceMonitorMissing", "True", "KindUnknown");
    let condition = place
        .await_condition("chat", missing.0, missing.1, missing.2)
        .await;
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("prometheus-operator"), "{message}");
    place.settle(&operator).await;

    for _ in 0..2 {
        place.lab.install(&definition());
        place.await_object(Kind::ServiceMonitor, "chat-api").await;
        eventually("nothing is missing", async || {
            let missing = place.condition("chat", missing.0).await;
            missing.is_none().then_some(())
        })
        .await;
        place.settle(&operator).await;

        let definitions: Api<CustomResourceDefinition> = Api::all(place.client.clone());
        let name = "servicemonitors.monitoring.coreos.com";
        definitions
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        place
            .await_condition("chat", missing.0, missing.1, missing.2)
            .await;
        place.settle(&operator).await;
        // All else goes on.
        place.delete(Kind::NetworkPolicy, "chat-api").await;
        place.await_object(Kind::NetworkPolicy, "chat-api").await;
    }
    let failed = operator.metric("sessionstore_operator_reconcile_errors_total", "");
    eprintln!("{failed} looks failed while the kind came and went");
}

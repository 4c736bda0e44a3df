//! What the status says, and how people and programs read it.

use serde_json::{Value, json};

use crate::operator::Operator;
use crate::place::{Place, eventually};
use crate::specs;

/// <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>
fn check_kstatus(store: &Value) {
    let status = &store["status"];
    assert_eq!(
        status["observedGeneration"],
        store["metadata"]["generation"]
    );
    let conditions = status["conditions"].as_array().unwrap();
    let find = |kind: &str| conditions.iter().find(|it| it["type"] == kind);
    let ready = find("Ready").unwrap();
    let abnormal: Vec<_> = ["Reconciling", "Stalled"]
        .iter()
        .filter_map(|it| find(it))
        .collect();
    if ready["status"] == "True" {
        assert!(abnormal.is_empty(), "{conditions:#?}");
    } else {
        assert_eq!(abnormal.len(), 1, "{conditions:#?}");
        assert_eq!(abnormal[0]["status"], "True");
        assert_eq!(abnormal[0]["reason"], ready["reason"]);
    }
    for condition in conditions {
        let text = |field: &str| condition[field].as_str().unwrap_or_default();
        assert!(
            !text("reason").is_empty() && !text("message").is_empty(),
            "{condition}"
        );
        assert!(!text("lastTransitionTime").is_empty(), "{condition}");
        assert_eq!(
            condition["observedGeneration"],
            status["observedGeneration"]
        );
    }
}

#[tokio::test]
async fn the_status_is_about_the_newest_spec_and_has_the_shape_that_tools_read() {
    let place = Place::new("kstatus").await;
    let operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.create("voice", specs::small()).await;
    let mut paused = specs::small();
    paused["paused"] = json!(true);
    place.create("paused", paused).await;
    let mut missing = specs::external();
    missing["mongodb"]["external"]["uriSecretRef"]["name"] = json!("nowhere");
    place.create("missing", missing).await;
    place.settle(&operator).await;
    for name in ["chat", "voice", "paused", "missing"] {
        let store = place.stores().get(name).await.unwrap();
        check_kstatus(&serde_json::to_value(store).unwrap());
    }

    let changed = place
        .change("chat", json!({"spec": {"api": {"log": "debug"}}}))
        .await;
    assert_eq!(changed.metadata.generation, Some(2));
    eventually("the status is about it", async || {
        let status = place.status("chat").await;
        (status["observedGeneration"] == 2).then_some(())
    })
    .await;
}

/// What a kubelet and its like do: nothing runs here.
async fn pretend_ready(place: &Place, deployment: &str) {
    use kube::api::Patch;
    let kind = sessionstore_operator::kind::Kind::Deployment;
    let live = place.await_object(kind, deployment).await;
    let count = live.data["spec"]["replicas"].clone();
    let selector = "--selector=app.kubernetes.io/component=api";
    let pods = eventually("the pods are there", async || {
        let pods = place.kubectl(&["get", "pods", selector, "--output=name"]);
        let pods: Vec<_> = pods.lines().map(str::to_owned).collect();
        (Some(pods.len()) == count.as_u64().and_then(|it| usize::try_from(it).ok())).then_some(pods)
    })
    .await;
    let api: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::namespaced(place.client.clone(), &place.namespace);
    for pod in pods {
        let status = json!({"status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ],
        }});
        let name = pod.strip_prefix("pod/").unwrap();
        api.patch_status(name, &crate::place::by_hand(), &Patch::Strategic(status))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn kubectl_waits_for_ready_and_shows_the_columns() {
    let place = Place::new("columns").await;
    let _operator = Operator::at(&place).await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.kubectl(&[
        "wait",
        "--for=condition=Reconciling",
        "sst/chat",
        "--timeout=240s",
    ]);
    pretend_ready(&place, "chat-api").await;
    place.kubectl(&[
        "wait",
        "--for=condition=Ready",
        "sst/chat",
        "--timeout=240s",
    ]);
    place.kubectl(&[
        "wait",
        "--for=condition=ApiAvailable",
        "sst/chat",
        "--timeout=240s",
    ]);
    let store = place.stores().get("chat").await.unwrap();
    check_kstatus(&serde_json::to_value(store).unwrap());
    let note = place.await_event("AsSpecified").await;
    assert!(note.contains("as the spec wants it"), "{note}");

    let table = place.kubectl(&["get", "sst", "chat", "--output=wide"]);
    let mut lines = table.lines();
    let titles: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    let columns = [
        "NAME", "READY", "REASON", "MEMBERS", "PRIMARY", "API", "AGE", "URL", "MONGODB",
    ];
    assert_eq!(titles, columns);
    let row: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["chat", "True", "AsSpecified", "external"]);
    assert!(row.contains(&"1/1"), "{table}");
    assert!(
        table.contains("http://chat-api.columns.svc.cluster.local"),
        "{table}"
    );
    // By its short name, its long one and its categories.
    for name in ["sst", "sessionstores", "sessionstore", "all"] {
        let found = place.kubectl(&["get", name, "--output=name"]);
        assert!(
            found.contains("sessionstore.sessionstore.dev/chat"),
            "{name}: {found}"
        );
    }
}

#[tokio::test]
async fn kubectl_explains_every_field_in_words() {
    let place = Place::new("explained").await;
    for (field, words) in [
        ("sst", "A store for the sessions of conversations"),
        ("sst.spec.mongodb.members", "1, 3 or 5"),
        ("sst.spec.mongodb.storage.whenDeleted", "Retain"),
        ("sst.spec.api.autoscaling.targetCPUUtilization", "percent"),
        ("sst.status.conditions.reason", "in one word"),
    ] {
        // It is broken into lines.
        let text = place.kubectl(&["explain", field]);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{field}: {text}");
    }
    let all = place.kubectl(&["explain", "sst.spec", "--recursive"]);
    assert!(all.contains("uriSecretRef"), "{all}");
}

//! From a manifest to a store that serves.

use std::{env, process::Command, time::Instant};

use serde_json::{Value, json};

use crate::{
    Place, eventually,
    support::{
        forward::Forward,
        lab,
        store::{Part, Store, name_of},
    },
};

/// The nodes of these pods, each named once.
fn nodes(pods: &[Value]) -> std::collections::BTreeSet<&str> {
    pods.iter()
        .map(|it| it["spec"]["nodeName"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_empty_spec_becomes_three_members_on_three_nodes_and_an_api_that_keeps_the_contract() {
    let place = Place::alone("smallest").await;
    let start = Instant::now();
    let store = place.store("voice", &json!({})).await;
    store.await_ready().await;
    eprintln!(
        "from the manifest to Ready: {:.1} s",
        start.elapsed().as_secs_f64()
    );

    let members = store.pods(Part::Members).await;
    assert_eq!(nodes(&members).len(), 3, "{members:#?}");
    let api = store.pods(Part::Api).await;
    assert_eq!((api.len(), nodes(&api).len()), (2, 2));
    let claims = lab::list(&["--namespace", &place.namespace, "pvc"]).await;
    let sizes: Vec<_> = claims
        .iter()
        .map(|it| &it["status"]["capacity"]["storage"])
        .collect();
    assert_eq!(sizes, ["20Gi"; 3]);
    assert!(claims.iter().all(|it| it["status"]["phase"] == "Bound"));

    assert_status_is_told(&store).await;
    assert_columns_are_printed(&store).await;
    assert_is_kept(&store).await;
}

async fn assert_status_is_told(store: &Store) {
    let status = store.status("").await;
    let members = status["mongodb"]["members"].as_array().unwrap();
    let count = |state: &str| members.iter().filter(|it| it["state"] == state).count();
    assert_eq!((count("PRIMARY"), count("SECONDARY")), (1, 2), "{status:#}");
    let is_well = |it: &Value| it["health"] == 1 && it.get("optimeLagSeconds").is_none();
    assert!(members.iter().all(is_well), "{status:#}");
    let primary = members.iter().find(|it| it["state"] == "PRIMARY").unwrap();
    assert_eq!(status["mongodb"]["primary"], primary["name"]);
    assert_eq!(status["mongodb"]["version"], "6.0.5");
    assert_eq!(status["mongodb"]["featureCompatibilityVersion"], "6.0");
    assert_eq!(status["api"]["readyReplicas"], 2);
    let url = format!("http://voice-api.{}.svc.cluster.local", store.namespace);
    assert_eq!(status["api"]["url"], url);
    let conditions = status["conditions"].as_array().unwrap().iter();
    let conditions: Vec<_> = conditions.map(|it| (&it["type"], &it["status"])).collect();
    let holds = json!("True");
    let kinds = ["Ready", "MongoAvailable", "ApiAvailable"].map(|it| json!(it));
    let expected: Vec<_> = kinds.iter().map(|it| (it, &holds)).collect();
    assert_eq!(conditions, expected);
}

/// What people see.
async fn assert_columns_are_printed(store: &Store) {
    let table = store.kubectl(&["get", "sst"]).await;
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|it| it.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "NAME", "READY", "REASON", "MEMBERS", "PRIMARY", "API", "AGE"
        ]
    );
    let primary = store.primary().await;
    assert_eq!(
        lines[1][..6],
        [
            "voice",
            "True",
            "AsSpecified",
            "3/3",
            primary.as_str(),
            "2/2"
        ]
    );
    let wide = store.kubectl(&["get", "sst", "--output=wide"]).await;
    assert!(
        wide.contains("http://voice-api.") && wide.contains("6.0.5"),
        "{wide}"
    );
}

/// The HTTP contract, through the Service. What a process tells of itself is asked of one pod.
async fn assert_is_kept(store: &Store) {
    store
        .change(&json!({"api": {"service": {"type": "NodePort"}}}))
        .await;
    eventually("the Service has a port on the nodes", async || {
        let service = lab::get(&["--namespace", &store.namespace, "service", "voice-api"]).await;
        service["spec"]["ports"][0]["nodePort"].as_u64()
    })
    .await;
    let pods = store.pods(Part::Api).await;
    let admin = Forward::to(&store.namespace, name_of(&pods[0]), 9090).await;
    let address = pods[0]["status"]["podIP"].as_str().unwrap();
    let mut urls = vec![format!("http://{address}:8080")];
    urls.extend(store.urls_by(&[1, 2, 3]).await);
    let admin_urls = vec![admin.url(); urls.len()];
    let tests = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO"))
            .args(["test", "--workspace", "--test", "contract"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("SESSIONSTORE_E2E_URL", urls.join(","))
            .env("SESSIONSTORE_E2E_ADMIN_URL", admin_urls.join(","))
            .output()
            .unwrap()
    });
    let output = tests.await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let sum = told
        .lines()
        .find(|it| it.starts_with("test result:"))
        .unwrap();
    eprintln!("the HTTP contract through the Service: {sum}");
}

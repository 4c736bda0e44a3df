//! A replica set that somebody else runs, here that of another store.

use serde_json::{Value, json};

use crate::{
    Load, Place, eventually, specs,
    support::{
        kept::Kept,
        lab,
        store::{Part, Store, is_ready_pod, name_of},
    },
};

const SECRET: &str = "theirs";

/// An API without members of its own.
fn external() -> Value {
    let mut spec = specs::one_member();
    spec["mongodb"] = json!({"external": {"uriSecretRef": {"name": SECRET}}});
    spec["api"]["replicas"] = json!(2);
    spec
}

/// Lets the API of one store reach the members of another, which nobody but their own API does.
async fn open(members_of: &Store, to: &Store) {
    let labels = |store: &Store, part: &str| {
        json!({"matchLabels": {
            "app.kubernetes.io/instance": store.name,
            "app.kubernetes.io/component": part,
        }})
    };
    lab::apply(&json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "theirs-to-ours", "namespace": members_of.namespace},
        "spec": {
            "podSelector": labels(members_of, "mongodb"),
            "ingress": [{
                "from": [{"podSelector": labels(to, "api")}],
                "ports": [{"port": 27017}],
            }],
        },
    }))
    .await;
}

/// The Secret with the connection string, as who runs the replica set hands it out.
async fn hand_out(of: &Store, uri: &str) {
    lab::apply(&json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": of.namespace},
        "stringData": {"uri": uri},
    }))
    .await;
}

/// The pods of the API, once there are as many as are wanted, all of them ready.
async fn whole_api(store: &Store, count: usize) -> Option<Vec<Value>> {
    let pods = store.pods(Part::Api).await;
    (pods.len() == count && pods.iter().all(is_ready_pod)).then_some(pods)
}

#[tokio::test]
async fn an_external_replica_set_is_served_and_a_new_connection_string_costs_no_client_error() {
    let place = Place::beside_others("external").await;
    let theirs = place.store("theirs", &specs::one_member()).await;
    let ours = Store::new(&place.namespace, "ours");
    theirs.await_whole().await;
    let uri = theirs.connection_string().await;
    open(&theirs, &ours).await;
    hand_out(&theirs, &uri).await;
    ours.apply(&external()).await;
    ours.await_ready().await;
    let kept = Kept::write(&ours).await;

    // It has the API part, and nothing of a replica set.
    let kinds = "statefulset,secret,pvc,service,networkpolicy,pdb";
    let of_members = "app.kubernetes.io/instance=ours,app.kubernetes.io/component=mongodb";
    let there = ours
        .kubectl(&["get", kinds, "--selector", of_members, "--output=name"])
        .await;
    assert_eq!(there, "");
    assert_eq!(ours.status("/mongodb/members").await, json!([]));

    let before = whole_api(&ours, 2).await.expect("it was ready");
    let load = Load::start(&ours).await;
    hand_out(&theirs, &format!("{uri}&appName=renewed")).await;
    eventually("every pod knows the new connection string", async || {
        let pods = whole_api(&ours, 2).await?;
        let is_new = |pod: &Value| before.iter().all(|old| name_of(old) != name_of(pod));
        pods.iter().all(is_new).then_some(())
    })
    .await;
    load.go_on().await;
    load.stop(&ours).await.assert_no_error();
    ours.await_ready().await;
    // The other API has the same sessions: there is one log.
    kept.assert_there(&theirs).await;
}

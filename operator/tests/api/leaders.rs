//! Several operators, and what one may do.

use std::time::{Duration, Instant};

use serde_json::json;
use sessionstore_operator::kind::Kind;

use crate::audit;
use crate::operator::{Operator, Start};
use crate::place::{Place, eventually};
use crate::specs;

const ADMINS: &[&str] = &["system:masters"];

/// Edits a field; the time until it is back.
async fn repaired_after(place: &Place) -> Duration {
    let start = Instant::now();
    let edit = json!({"spec": {"maxUnavailable": 2}});
    place
        .edit(Kind::PodDisruptionBudget, "chat-api", edit)
        .await;
    place
        .await_that(
            Kind::PodDisruptionBudget,
            "chat-api",
            "it is repaired",
            |it| it.data["spec"]["maxUnavailable"] == 1,
        )
        .await;
    start.elapsed()
}

/// The order in which operators have worked, each named once a turn.
fn turns(place: &Place, start: u64) -> Vec<String> {
    let all = audit::since(&place.lab, start).into_iter();
    let mut turns: Vec<String> = all
        .filter(|(user, request)| user.starts_with("turn-") && request.is_work())
        .map(|(user, _)| user)
        .collect();
    turns.dedup();
    turns
}

#[tokio::test]
async fn another_operator_goes_on_when_the_leader_ends_or_dies_and_never_do_two_write() {
    let place = Place::new("leaders").await;
    let start = audit::now(&place.lab);
    // Long enough that a busy API server does not cost a leader its lead.
    let candidate = async |name: &str| {
        let start = Start::at(&place).user(name, ADMINS).lease("30s");
        start.go().await
    };
    let first = candidate("turn-1").await;
    first.await_lead().await;
    let second = candidate("turn-2").await;
    place.secret("atlas", specs::uri()).await;
    place.create("chat", specs::external()).await;
    place.settle(&first).await;
    assert!(!second.leads());

    let begun = Instant::now();
    first.stop();
    second.await_lead().await;
    let handed_over = begun.elapsed();
    let worked = repaired_after(&place).await;
    eprintln!("after SIGTERM another one leads after {handed_over:?}, and repairs in {worked:?}");

    let third = candidate("turn-3").await;
    eventually("the third one watches", async || {
        let lists = third.metric("sessionstore_operator_api_calls_total", "verb=\"list\"");
        (lists > 5.0).then_some(())
    })
    .await;
    let begun = Instant::now();
    second.signal("KILL");
    drop(second);
    third.await_lead().await;
    let taken_over = begun.elapsed();
    let worked = repaired_after(&place).await;
    eprintln!("after SIGKILL another one leads after {taken_over:?}, and repairs in {worked:?}");

    // One that sleeps while its time runs out does nothing when it wakes up.
    let fourth = candidate("turn-4").await;
    third.signal("STOP");
    fourth.await_lead().await;
    repaired_after(&place).await;
    third.signal("CONT");
    eventually("the third one knows", async || {
        (!third.leads()).then_some(())
    })
    .await;
    repaired_after(&place).await;
    place.settle(&fourth).await;

    let turns = turns(&place, start);
    let once: std::collections::BTreeSet<_> = turns.iter().collect();
    assert_eq!(turns.len(), once.len(), "two wrote in turns: {turns:?}");
    assert_eq!(turns.last().map(String::as_str), Some("turn-4"));
}

#[tokio::test]
async fn a_new_leader_asks_for_the_newest_version_of_each_store_once_before_it_writes_for_it() {
    let place = Place::new("newest").await;
    place.secret("atlas", specs::uri()).await;
    for name in ["chat", "voice"] {
        place.create(name, specs::external()).await;
    }
    let start = audit::now(&place.lab);
    let operator = Operator::at(&place).await;
    place.settle(&operator).await;
    place.poke("chat", &operator).await;
    let requests = audit::of(&place.lab, start, operator.user());
    for name in ["chat", "voice"] {
        let at = |is_it: &dyn Fn(&audit::Request) -> bool| -> Vec<usize> {
            let numbered = requests.iter().enumerate();
            let found = numbered.filter(|(_, it)| is_it(it));
            found.map(|(number, _)| number).collect()
        };
        let field = format!("metadata.name%3D{name}");
        let asked = at(&|it| {
            it.verb == "list" && it.resource == "sessionstores" && it.path.contains(&field)
        });
        let written = at(&|it| it.is_work() && it.path.contains(&format!("/{name}")));
        assert_eq!(asked.len(), 1, "{requests:#?}");
        assert!(asked[0] < written[0], "{requests:#?}");
    }
}

#[tokio::test]
async fn the_rules_of_the_chart_are_enough_and_nothing_is_refused() {
    let place = Place::new("ruled").await;
    let chart = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../charts/sessionstore-operator"
    );
    let namespace = place.namespace.clone();
    let watched = format!("watchNamespaces={{{namespace}}}");
    let manifest = place.lab.template(&[
        "sessionstore-operator",
        chart,
        "--namespace",
        &namespace,
        "--set",
        &watched,
        "--show-only",
        "templates/rbac.yaml",
    ]);
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        assert!(!manifest.contains(&format!("kind: {kind}\n")), "{manifest}");
    }
    let file = place.lab.folder().join("rbac.yaml");
    std::fs::write(&file, manifest).unwrap();
    let file = file.display().to_string();
    place.kubectl(&["apply", "--filename", &file]);
    let account = format!("system:serviceaccount:{namespace}:sessionstore-operator");
    let start = audit::now(&place.lab);
    let operator = Start::at(&place)
        .user(
            &account,
            &["system:serviceaccounts", "system:authenticated"],
        )
        .go()
        .await;
    operator.await_lead().await;
    place.secret("atlas", specs::uri()).await;
    let mut spec = specs::external();
    spec["api"] = json!({"autoscaling": {}});
    // Which kinds there are it asks without any right of the cluster.
    spec["monitoring"] = json!({"serviceMonitor": true});
    place.create("chat", spec).await;
    place.create("voice", specs::small()).await;
    place.await_object(Kind::ServiceMonitor, "chat-api").await;
    place.await_object(Kind::StatefulSet, "voice-mongodb").await;
    place
        .await_object(Kind::HorizontalPodAutoscaler, "chat-api")
        .await;
    place.settle(&operator).await;
    let fixed = json!({"spec": {"api": {"replicas": 3, "autoscaling": null}}});
    place.change("chat", fixed).await;
    place
        .await_that(Kind::Deployment, "chat-api", "it is scaled", |it| {
            it.data["spec"]["replicas"] == 3
        })
        .await;
    repaired_after(&place).await;
    place.await_event("FieldConflict").await;
    let params = kube::api::DeleteParams::default();
    place.stores().delete("voice", &params).await.unwrap();
    place.await_event("VolumesRetained").await;
    for code in ["401", "403"] {
        let refused = operator.metric(
            "sessionstore_operator_api_calls_total",
            &format!("code=\"{code}\""),
        );
        assert!(refused < 1.0, "{}", operator.metrics());
    }
    let requests = audit::of(&place.lab, start, &account);
    let mut refused = requests.iter().filter(|it| [401, 403].contains(&it.code));
    assert!(refused.next().is_none(), "{refused:#?}");
    assert!(requests.iter().any(audit::Request::is_work));
    operator.stop();
}

#[tokio::test]
async fn from_a_manifest_to_its_objects_takes_a_moment() {
    let place = Place::new("moment").await;
    let operator = Operator::at(&place).await;
    let start = Instant::now();
    place.create("voice", specs::small()).await;
    place.await_object(Kind::Deployment, "voice-api").await;
    eprintln!(
        "the last object is there {:?} after the manifest",
        start.elapsed()
    );
    place.settle(&operator).await;
    let calls = operator.metric("sessionstore_operator_api_calls_total", "verb=\"patch\"");
    eprintln!("{calls} writes until it was quiet");
}

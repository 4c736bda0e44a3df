//! What does not change costs nothing.

use std::{collections::BTreeSet, env, time::Duration};

use serde_json::json;

use crate::{
    Place, specs,
    support::{audit, operator},
};

/// For how long nothing may be asked, unless `SESSIONSTORE_IDLE_SECONDS` says otherwise (600 are the
/// ten minutes of the goal): longer than a watch lasts, so that each of them ends and begins anew.
const IDLE: Duration = Duration::from_secs(135);

fn idle_time() -> Duration {
    let seconds = env::var("SESSIONSTORE_IDLE_SECONDS").ok();
    seconds.map_or(IDLE, |it| Duration::from_secs(it.parse().unwrap()))
}

/// The operator still looks at what has happened, such as the probes' last news of a pod.
const SETTLING: Duration = Duration::from_secs(15);

/// One of three members and nine of one: ten replica sets that two cores carry.
#[tokio::test]
async fn ten_idle_stores_cost_leases_and_watches_alone() {
    let place = Place::alone("idle").await;
    let mut stores = vec![place.store("store-0", &specs::members(3)).await];
    for number in 1..10 {
        let mut spec = specs::members(1);
        spec["api"]["replicas"] = json!(1);
        stores.push(place.store(&format!("store-{number}"), &spec).await);
    }
    for store in &stores {
        store.await_whole().await;
    }

    // Nothing announces that nothing more will come.
    tokio::time::sleep(SETTLING).await;
    let start = audit::now();
    tokio::time::sleep(idle_time()).await;
    let requests = audit::of(operator::USER, start);
    let (leases, others): (Vec<_>, Vec<_>) =
        requests.iter().partition(|it| it.resource == "leases");
    let (watches, calls): (Vec<_>, Vec<_>) = others.into_iter().partition(|it| it.verb == "watch");
    let begun_anew: BTreeSet<&str> = watches.iter().map(|it| it.resource.as_str()).collect();
    eprintln!(
        "idle for {:?}: {} requests about the Lease, {} watches begun anew ({}), {} others; the \
         leader has {} KiB",
        idle_time(),
        leases.len(),
        watches.len(),
        begun_anew.iter().copied().collect::<Vec<_>>().join(", "),
        calls.len(),
        operator::resident_kib().await,
    );
    assert!(calls.is_empty(), "{calls:#?}");
    // To begin a watch anew is where a list would hide.
    for resource in [
        "sessionstores",
        "statefulsets",
        "deployments",
        "pods",
        "secrets",
    ] {
        assert!(
            begun_anew.contains(resource),
            "no watch of {resource} has ended"
        );
    }
    assert!(!leases.is_empty(), "the log says nothing of the operator");
}

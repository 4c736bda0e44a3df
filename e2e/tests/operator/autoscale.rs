//! The API follows the load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    Place, eventually, specs,
    support::store::{Part, Store, is_ready_pod},
};

/// As many clients as keep a core busy, without a pause.
const CLIENTS: usize = 16;

async fn ready_pods(store: &Store) -> usize {
    let pods = store.pods(Part::Api).await;
    pods.iter().filter(|it| is_ready_pod(it)).count()
}

fn autoscaled() -> Value {
    let mut spec = specs::members(1);
    spec["api"] = json!({
        "autoscaling": {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilization": 50},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "service": {"type": "NodePort"},
    });
    spec
}

#[tokio::test]
async fn pods_are_added_under_load_and_taken_away_after_it() {
    let place = Place::alone("autoscale").await;
    let store = place.store("voice", &autoscaled()).await;
    store.await_ready().await;
    assert_eq!(ready_pods(&store).await, 1);

    let start = Instant::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let api = store.client().await;
        let is_over = is_over.clone();
        clients.push(tokio::spawn(async move {
            let session = api.new_session().await;
            while !is_over.load(Ordering::Relaxed) {
                session.get(&[]).await.expect(200);
            }
        }));
    }
    eventually(
        "the load is spread over all pods that are allowed",
        async || (ready_pods(&store).await == 3).then_some(()),
    )
    .await;
    eprintln!(
        "three pods after {:.0} s of load",
        start.elapsed().as_secs_f64()
    );
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }

    let start = Instant::now();
    eventually("one pod is left", async || {
        (store.pods(Part::Api).await.len() == 1).then_some(())
    })
    .await;
    eprintln!(
        "one pod after {:.0} s without",
        start.elapsed().as_secs_f64()
    );
    store.await_ready().await;
}

//! The operator: its pods, which of them leads, and how one is killed.

use std::time::Duration;

use serde_json::Value;

use super::{
    lab::{self, OPERATOR, cluster},
    processes,
    store::{is_ready_pod, name_of, uid_of},
    wait::eventually,
};

const NAMESPACE: [&str; 2] = ["--namespace", OPERATOR];

/// As whom it asks the API server.
pub(crate) const USER: &str = "system:serviceaccount:sessionstore-operator:sessionstore-operator";

const PROGRAM: &str = "sessionstore-operator";

/// Its pods.
pub(crate) async fn pods() -> Vec<Value> {
    let selector = "--selector=app.kubernetes.io/name=sessionstore-operator";
    lab::list(&[&NAMESPACE[..], &["pods", selector]].concat()).await
}

/// Waits until `count` pods of it are ready and no other is there; with 0, until all are gone.
pub(crate) async fn await_ready(count: usize) {
    eventually("the operator's pods are as wanted", async || {
        let pods = pods().await;
        (pods.len() == count && pods.iter().all(is_ready_pod)).then_some(())
    })
    .await;
}

/// Changes the number of its pods, and waits until that is so.
pub(crate) async fn scale(count: usize) {
    let replicas = format!("--replicas={count}");
    lab::kubectl(
        &[
            &NAMESPACE[..],
            &["scale", "deployment", OPERATOR, &replicas],
        ]
        .concat(),
    )
    .await;
    await_ready(count).await;
}

/// The name of the pod that leads, by the Lease.
pub(crate) async fn leader() -> String {
    eventually("one of the operator's pods leads", async || {
        let holder = "--output=jsonpath={.spec.holderIdentity}";
        let args = [&NAMESPACE[..], &["get", "lease", OPERATOR, holder]].concat();
        let holder = lab::try_kubectl(&args).await.ok()?;
        let pods = pods().await;
        // Its identity is the name of its pod, and a few letters.
        let leads = |pod: &&Value| holder.starts_with(name_of(pod));
        pods.iter().find(leads).map(|it| name_of(it).to_owned())
    })
    .await
}

/// The resident memory of the process that leads, in KiB.
pub(crate) async fn resident_kib() -> u64 {
    let leader = leader().await;
    let pods = pods().await;
    let pod = pods.iter().find(|it| name_of(it) == leader).unwrap();
    processes::resident_kib(uid_of(pod), PROGRAM)
}

/// Deletes the pod that leads, which tells it to end. The name of the pod; it need not be gone yet.
pub(crate) async fn delete_leader() -> String {
    let leader = leader().await;
    let delete = ["delete", "pod", &leader, "--wait=false"];
    lab::kubectl(&[&NAMESPACE[..], &delete].concat()).await;
    leader
}

/// Kills the process of the pod that leads, as a crash would, and puts another pod in its place:
/// one that has been killed again and again is restarted later and later. The name of the pod.
pub(crate) async fn kill_leader() -> String {
    let leader = leader().await;
    let pods = pods().await;
    let pod = pods.iter().find(|it| name_of(it) == leader).unwrap();
    processes::kill(uid_of(pod), PROGRAM);
    let now = [
        "delete",
        "pod",
        &leader,
        "--grace-period=0",
        "--force",
        "--wait=false",
    ];
    lab::kubectl(&[&NAMESPACE[..], &now].concat()).await;
    leader
}

/// Gives the operator's pods back their number when a test ends, also if it fails.
pub(crate) struct Restored(pub(crate) usize);

impl Drop for Restored {
    fn drop(&mut self) {
        let replicas = format!("--replicas={}", self.0);
        let scale = [
            &NAMESPACE[..],
            &["scale", "deployment", OPERATOR, &replicas],
        ]
        .concat();
        let rollout = [
            &NAMESPACE[..],
            &["rollout", "status", "deployment", OPERATOR],
        ]
        .concat();
        for args in [scale, rollout] {
            let _ = lab::output_of(cluster().kubectl().args(args));
        }
    }
}

/// How long until another pod leads.
pub(crate) async fn await_other_leader(before: &str) -> Duration {
    let start = std::time::Instant::now();
    eventually("another pod leads", async || {
        (leader().await != before).then_some(())
    })
    .await;
    start.elapsed()
}

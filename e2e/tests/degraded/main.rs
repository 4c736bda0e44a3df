//! What the service does when its replica set is not as it should be: no primary, nobody there,
//! nobody that lets it in, and clients and operators that end things in the middle. One file a
//! subject, one test a promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

mod clients;
mod no_primary;
mod observed;
mod start;
mod step_down;
mod stopping;
mod unfit;

use sessionstore_e2e::{client::Api, server::serve_on_command};
use sessionstore_replica_set::ReplicaSet;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

type Set = RwLock<&'static ReplicaSet>;

async fn set() -> &'static Set {
    static SET: OnceCell<Set> = OnceCell::const_new();
    SET.get_or_init(|| async { RwLock::new(ReplicaSet::shared().await.unwrap()) })
        .await
}

/// The set of these tests, for one that needs it to be well. Others use it too.
async fn well() -> RwLockReadGuard<'static, &'static ReplicaSet> {
    let set = set().await.read().await;
    set.wait_until_healthy().await.unwrap();
    set
}

/// The set of these tests, for one that hurts it: nobody else uses it meanwhile.
async fn to_hurt() -> RwLockWriteGuard<'static, &'static ReplicaSet> {
    let set = set().await.write().await;
    set.wait_until_healthy().await.unwrap();
    set
}

/// A server that gives up on its store soon, so that a test of a refusal is short.
fn hasty(url: &str) -> std::process::Command {
    let mut command = serve_on_command(url);
    command.args(["--request-timeout", "2s"]);
    command
}

/// What `/readyz?verbose` answers.
async fn readiness(api: &Api) -> (u16, String) {
    let reply = api.admin("/readyz?verbose").await;
    (reply.status, reply.text)
}

//! Real members, really hurt. The tests of one file share a set where they can, one at a time.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod disk;
mod lifetime;
mod members;
mod proxies;
mod role;
mod standing;
mod tls;

use std::time::Duration;

use mongodb::{Client, bson::doc, error::Error, options::ClientOptions};
use sessionstore_replica_set::{Options, ReplicaSet};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// The one set that tests hurt in turn; healthy when a test gets it.
async fn exclusive() -> MutexGuard<'static, &'static ReplicaSet> {
    static SET: OnceCell<Mutex<&'static ReplicaSet>> = OnceCell::const_new();
    let set = SET
        .get_or_try_init(|| async { ReplicaSet::shared().await.map(Mutex::new) })
        .await
        .unwrap();
    let set = set.lock().await;
    set.wait_until_healthy().await.unwrap();
    set
}

/// Waits for what must come true sooner or later; fails the test after a minute.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let come_true = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), come_true).await;
    assert!(in_time.is_ok(), "waited in vain: {what}");
}

/// A driver that gives up soon, so that a test of a failure is short.
async fn hasty_client(url: &str) -> Client {
    let mut options = ClientOptions::parse(url).await.unwrap();
    options.server_selection_timeout = Some(Duration::from_secs(2));
    options.connect_timeout = Some(Duration::from_secs(1));
    options.heartbeat_freq = Some(Duration::from_millis(500));
    Client::with_options(options).unwrap()
}

/// Stores one document, by a majority.
async fn store(client: &Client) -> Result<(), Error> {
    let database = client.default_database().unwrap();
    let documents = database.collection("documents");
    let stored = documents.insert_one(doc! {"a": 1});
    // A frozen or unreachable member would let a command wait for as long as the connection is up.
    match tokio::time::timeout(Duration::from_secs(10), stored.into_future()).await {
        Ok(stored) => stored.map(drop),
        Err(_) => Err(Error::custom("no answer")),
    }
}

#[tokio::test]
async fn sets_of_one_and_five_members_start() {
    for members in [1, 5] {
        let options = Options {
            members,
            ..Options::default()
        };
        let set = ReplicaSet::start(options).await.unwrap();
        assert!(set.primary().await.unwrap() < members);
        assert_eq!(set.status().await.unwrap().members.len(), members);
        store(&hasty_client(&set.url()).await).await.unwrap();
    }
}

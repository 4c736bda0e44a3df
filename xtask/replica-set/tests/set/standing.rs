//! A set that stays until it is told to stop.

use std::{net::TcpListener, path::Path, thread};

use sessionstore_replica_set::{SetError, StandingSet, StandingStatus};
use tokio::runtime::Builder;

use crate::{hasty_client, store};

/// The members outlive a test that fails, unless somebody stops them.
struct Stopped<'a> {
    folder: &'a Path,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        thread::scope(|scope| {
            scope.spawn(|| {
                let set = StandingSet::open(self.folder, None).unwrap();
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(set.purge()).unwrap();
            });
        });
    }
}

/// The first of three free ports in a row.
fn first_port() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (28_000..32_000)
        .step_by(3)
        .find(|port| (*port..port + 3).all(is_free))
        .unwrap()
}

fn pids(members: &[StandingStatus]) -> Vec<Option<u32>> {
    members.iter().map(|it| it.pid).collect()
}

#[tokio::test]
async fn a_standing_set_stays_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let port = first_port();
    let set = StandingSet::open(folder.path(), Some(port)).unwrap();
    let stopped = Stopped {
        folder: folder.path(),
    };
    set.up(|_| ()).await.unwrap();
    store(&hasty_client(&set.url()).await).await.unwrap();
    let first = set.status().await.unwrap();
    drop(set);

    // Another process finds it by its folder, and has nothing to do.
    let set = StandingSet::find(folder.path()).unwrap().unwrap();
    set.up(|_| ()).await.unwrap();
    assert_eq!(pids(&set.status().await.unwrap()), pids(&first));
    assert!(first.iter().all(|it| it.pid.is_some()));

    set.down().await.unwrap();
    let down = set.status().await.unwrap();
    assert!(down.iter().all(|it| it.pid.is_none() && it.state == "down"));

    set.up(|_| ()).await.unwrap();
    let client = hasty_client(&set.url()).await;
    let database = client.default_database().unwrap();
    let documents = database.collection::<mongodb::bson::Document>("documents");
    let count = documents.count_documents(mongodb::bson::doc! {});
    assert_eq!(count.await.unwrap(), 1);

    let refused = StandingSet::open(folder.path(), Some(port + 1)).unwrap_err();
    assert!(matches!(refused, SetError::OtherPorts { first, .. } if first == port));

    drop(stopped);
    assert!(!folder.path().exists());
}

#[test]
fn where_there_is_no_set_none_is_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    assert!(StandingSet::find(folder.path()).unwrap().is_none());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

//! A disk that is full for real.

use std::{fs, os::unix::fs::MetadataExt};

use sessionstore_replica_set::{Options, ReplicaSet, SetError};

use crate::{eventually, exclusive, hasty_client, store};

#[tokio::test]
async fn a_primary_with_a_full_disk_is_replaced_and_comes_back_with_space() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not tested: only root mounts a file system");
        return;
    }
    let options = Options {
        data_limit: Some(512 * 1024 * 1024),
        ..Options::default()
    };
    let set = ReplicaSet::start(options).await.unwrap();
    let client = hasty_client(&set.url()).await;
    store(&client).await.unwrap();
    let first = set.primary().await.unwrap();

    set.member(first).fill_disk().unwrap();
    // Journal files are made ahead, so the first writes may still find room.
    eventually("the member ends", async || {
        let _ = store(&client).await;
        !set.member(first).is_running()
    })
    .await;
    let second = set.primary().await.unwrap();
    assert_ne!(first, second);
    eventually("a document is stored", async || {
        store(&client).await.is_ok()
    })
    .await;

    set.member(first).free_disk().unwrap();
    set.member(first).restart().await.unwrap();
    set.wait_until_healthy().await.unwrap();
}

#[tokio::test]
async fn the_disk_of_this_machine_is_never_filled() {
    let set = exclusive().await;
    let refused = set.member(0).fill_disk();
    assert!(matches!(refused, Err(SetError::Unlimited)));
}

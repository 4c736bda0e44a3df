//! Nothing is left of a set, however its owner ends.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sessionstore_replica_set::{Member, Options, ReplicaSet, SetError};

use crate::eventually;

/// Set for the process that owns the set which is to outlive it, and does not.
const OWNER: &str = "REPLICA_SET_TEST_OWNER";

fn exists(pid: u32) -> bool {
    // One that has ended and is not yet waited for has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| !it.is_empty())
}

fn pids(set: &ReplicaSet) -> Vec<u32> {
    set.members().iter().filter_map(Member::pid).collect()
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_set() {
    let set = ReplicaSet::start(Options::default()).await.unwrap();
    let (pids, folder) = (pids(&set), set.folder().to_owned());
    assert_eq!(pids.iter().filter(|it| exists(**it)).count(), 3);
    set.member(0).freeze().await.unwrap();
    drop(set);
    assert_eq!(pids.iter().filter(|it| exists(**it)).count(), 0);
    assert!(!folder.exists());
}

#[tokio::test]
async fn nothing_is_left_when_the_owner_is_killed() {
    if env::var_os(OWNER).is_some() {
        own().await;
    }
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("lifetime::nothing_is_left_when_the_owner_is_killed")
        .env(OWNER, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let said = lines.find_map(|line| line.unwrap().strip_prefix("owns ").map(str::to_owned));
    let said = said.unwrap();
    let mut words = said.split(' ');
    let folder = PathBuf::from(words.next().unwrap());
    let pids: Vec<u32> = words.map(|it| it.parse().unwrap()).collect();
    assert_eq!(pids.iter().filter(|it| exists(**it)).count(), 3);

    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("nothing is left", async || {
        !pids.iter().any(|it| exists(*it)) && !folder.exists()
    })
    .await;
}

/// Has a set, with one member frozen, until it is killed.
async fn own() -> ! {
    let set = ReplicaSet::start(Options::default()).await.unwrap();
    set.member(0).freeze().await.unwrap();
    let pids: Vec<String> = pids(&set).iter().map(u32::to_string).collect();
    println!("owns {} {}", set.folder().display(), pids.join(" "));
    std::future::pending().await
}

#[tokio::test]
async fn a_given_folder_must_be_empty_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = |path: &Path| Options {
        members: 1,
        folder: Some(path.to_owned()),
        ..Options::default()
    };
    let set = ReplicaSet::start(options(folder.path())).await.unwrap();
    drop(set);
    assert!(folder.path().join("key").exists());
    let refused = ReplicaSet::start(options(folder.path())).await.unwrap_err();
    assert!(matches!(refused, SetError::FolderInUse { .. }));
}

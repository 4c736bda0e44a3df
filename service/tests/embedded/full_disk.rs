//! A disk that fills up under load, and has space again. Needs the right to mount: the disk is a
//! small `tmpfs`.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sessionstore::domain::{Consistency, SessionId};
use sessionstore::store::{
    CommitOutcome, EmbeddedSettings, EmbeddedStore, Health, LogState, LookUp, Record, Store,
    StoreError,
};
use tempfile::TempDir;

use crate::{create, event, events, noise};

const MIB: usize = 1024 * 1024;

/// A disk of its own, unmounted when dropped.
struct Disk {
    mount: TempDir,
}

impl Disk {
    fn new(megabytes: usize) -> Self {
        let mount = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(mount.path())
            .status()
            .expect("`mount` has to be there");
        assert!(mounted.success(), "this test has to run as root, to mount");
        Self { mount }
    }

    fn data(&self) -> PathBuf {
        self.mount.path().join("data")
    }

    /// Takes up space: all of it, or as much as asked for.
    fn fill(&self, name: &str, bytes: usize) {
        let mut file = File::create(self.mount.path().join(name)).unwrap();
        let page = [1; 4096];
        for _ in 0..bytes / page.len() {
            match file.write_all(&page) {
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                result => result.unwrap(),
            }
        }
    }

    fn free(&self, name: &str) {
        fs::remove_file(self.mount.path().join(name)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.mount.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn open(folder: &Path) -> EmbeddedStore {
    let settings = EmbeddedSettings {
        reopen_every: Duration::from_millis(50),
        ..EmbeddedSettings::default()
    };
    EmbeddedStore::open(folder, settings).unwrap()
}

async fn tail(store: &EmbeddedStore, id: &SessionId) -> Result<u64, StoreError> {
    let question = LookUp {
        session_id: id.clone(),
        event_ids: vec![],
    };
    match store.look_up(vec![question]).await?.remove(0).log {
        LogState::Open(tail) => Ok(tail),
        other => panic!("{other:?}"),
    }
}

async fn wait_until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What one writer has seen.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Events that are acknowledged, or were found to be stored after all.
    stored: u64,
    unknown: u64,
}

/// Appends until told to stop, looking at the log after everything that was not stored.
async fn append_all_the_time(
    store: EmbeddedStore,
    id: SessionId,
    is_over: Arc<AtomicBool>,
    text: fn(u64) -> String,
) -> Seen {
    let mut seen = Seen::default();
    while !is_over.load(Ordering::Relaxed) {
        let seq = seen.stored + 1;
        let record = Record::Event(event(&id, seq, &text(seq)));
        let outcome = store.commit([record].into()).await.remove(0);
        match outcome {
            CommitOutcome::Stored => {
                seen.stored = seq;
                continue;
            }
            CommitOutcome::Unknown => seen.unknown += 1,
            CommitOutcome::NotTried => {}
            CommitOutcome::Refused => panic!("nobody else writes here"),
        }
        wait_until(|| store.health() == Health::Serving || is_over.load(Ordering::Relaxed)).await;
        let tail = tail(&store, &id).await.unwrap();
        assert!(tail == seen.stored || tail == seq, "{tail} after {seq}");
        seen.stored = tail;
    }
    seen
}

/// Every event that was acknowledged is there, in full, and none that was not sent.
async fn assert_complete(
    store: &EmbeddedStore,
    written: &[(SessionId, Seen)],
    text: fn(u64) -> String,
) {
    for (id, seen) in written {
        let expected: Vec<_> = (1..=seen.stored)
            .map(|seq| event(id, seq, &text(seq)))
            .collect();
        let stored = events(store, id).await;
        assert!(stored == expected, "{} of {}", stored.len(), seen.stored);
    }
}

/// Lets the disk fill up under load, frees it again, and looks for what was acknowledged. Returns
/// how often it was unknown whether something was stored.
async fn survive_a_full_disk(disk: &Disk, text: fn(u64) -> String) -> u64 {
    let store = open(&disk.data());
    let is_over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let id = create(&store, name).await;
        let writer = append_all_the_time(store.clone(), id.clone(), Arc::clone(&is_over), text);
        writers.push((id, tokio::spawn(writer)));
    }
    wait_until(|| store.health() != Health::Serving).await;

    // Reads go on, writes are turned away, and it says why.
    for (id, _) in &writers {
        store.session(id, Consistency::Strong).await.unwrap();
        let next = tail(&store, id).await.unwrap() + 1;
        let record = Record::Event(event(id, next, "no room"));
        let outcomes = store.commit([record].into()).await;
        assert_eq!(outcomes, [CommitOutcome::NotTried]);
    }
    let says_why = |store: &EmbeddedStore| match store.health() {
        Health::Down(why) => {
            why.contains("the disk is full: free some space") && why.contains("data")
        }
        _ => false,
    };
    wait_until(|| says_why(&store)).await;

    disk.free("ballast");
    wait_until(|| store.health() == Health::Serving).await;
    let (first, _) = &writers[0];
    let resumed_at = tail(&store, first).await.unwrap();
    while tail(&store, first).await.unwrap() < resumed_at + 20 {
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut written = Vec::new();
    for (id, writer) in writers {
        written.push((id, writer.await.unwrap()));
    }
    assert_complete(&store, &written, text).await;

    drop(store);
    assert_complete(&open(&disk.data()), &written, text).await;
    written.iter().map(|(_, seen)| seen.unknown).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_load_loses_nothing_acknowledged_and_serves_again() {
    let disk = Disk::new(96);
    disk.fill("ballast", 48 * MIB);
    survive_a_full_disk(&disk, |seq| noise(seq, 20_000)).await;
}

/// Less room than a memtable takes: the journal is the first to need more than there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_finds_the_disk_full_leaves_nothing_unknown_for_long() {
    let disk = Disk::new(64);
    disk.fill("ballast", 62 * MIB);
    let unknown = survive_a_full_disk(&disk, |seq| noise(seq, 20_000)).await;
    assert!(unknown > 0);
}

/// The journal compresses what repeats, the first level of tables does not: a flush in the
/// background is the first to need more than there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_that_finds_the_disk_full_stops_no_writer_for_good() {
    let disk = Disk::new(64);
    disk.fill("ballast", 60 * MIB);
    survive_a_full_disk(&disk, |seq| format!("{seq}{}", "x".repeat(50_000))).await;
}

#[tokio::test]
async fn a_store_on_a_full_disk_opens_and_can_be_read() {
    let disk = Disk::new(48);
    let store = open(&disk.data());
    let id = create(&store, "s").await;
    let record = Record::Event(event(&id, 1, "x"));
    let outcomes = store.commit([record].into()).await;
    assert_eq!(outcomes, [CommitOutcome::Stored]);
    drop(store);
    disk.fill("ballast", 48 * MIB);

    let store = open(&disk.data());
    assert_eq!(events(&store, &id).await, [event(&id, 1, "x")]);
}

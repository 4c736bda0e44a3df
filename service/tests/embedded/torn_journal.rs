//! A journal that ends in the midst of a batch, as a crash leaves it, and one that went bad.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sessionstore::domain::{Event, SessionId};
use sessionstore::store::{
    CommitOutcome, EmbeddedSettings, EmbeddedStore, OpenError, Record, Store,
};
use tempfile::TempDir;

use crate::{create, event, events, noise};

const PAGE: u16 = 4096;

/// A store with some batches in its journal, each an event to two sessions. It stays open: a copy
/// of its folder is what a kill leaves.
struct Written {
    _store: EmbeddedStore,
    folder: TempDir,
    ids: [SessionId; 2],
    batches: Vec<[Event; 2]>,
    /// Where each batch ends in the journal; the first is where there is none yet.
    ends: Vec<u64>,
}

impl Written {
    /// Batches with texts of these lengths.
    async fn new(lengths: &[usize]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).unwrap();
        let ids = [create(&store, "a").await, create(&store, "b").await];
        let mut written = Self {
            _store: store.clone(),
            ends: vec![journal_length(folder.path())],
            batches: Vec::new(),
            folder,
            ids,
        };
        for (number, length) in lengths.iter().enumerate() {
            let seq = number as u64 + 1;
            let batch = written
                .ids
                .each_ref()
                .map(|id| event(id, seq, &noise(seq, *length)));
            let records = batch.clone().map(Record::Event);
            let outcomes = store.commit(records.into()).await;
            assert_eq!(outcomes, [CommitOutcome::Stored; 2]);
            written.batches.push(batch);
            written.ends.push(journal_length(written.folder.path()));
        }
        written
    }

    /// A copy whose journal is `spoil`ed.
    fn spoiled(&self, spoil: impl FnOnce(&Path)) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(
            &self.folder.path().join("store"),
            &copy.path().join("store"),
        );
        spoil(&journal(copy.path()));
        copy
    }

    /// The store opens and has exactly the first `batches`, and takes more.
    async fn assert_whole(&self, folder: &Path, batches: usize, what: &str) {
        let store = open(folder).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (index, id) in self.ids.iter().enumerate() {
            let expected: Vec<_> = self.batches[..batches]
                .iter()
                .map(|batch| batch[index].clone())
                .collect();
            assert_eq!(events(&store, id).await, expected, "{what}");
        }
        let next = event(&self.ids[0], batches as u64 + 1, "more");
        let outcomes = store.commit([Record::Event(next)].into()).await;
        assert_eq!(outcomes, [CommitOutcome::Stored], "{what}");
    }

    fn whole_batches(&self, cut: u64) -> usize {
        self.ends.iter().filter(|end| **end <= cut).count() - 1
    }

    fn length(&self) -> u64 {
        self.ends[self.batches.len()]
    }
}

fn open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(folder, EmbeddedSettings::default())
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("store/0.jnl")
}

/// Without the space that is allocated ahead: a batch never ends with a zero.
fn journal_length(folder: &Path) -> u64 {
    let bytes = fs::read(journal(folder)).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0);
    written.map_or(0, |last| last as u64 + 1)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn cut(journal: &Path, at: u64) {
    let file = OpenOptions::new().write(true).open(journal).unwrap();
    file.set_len(at).unwrap();
}

fn overwrite(journal: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(journal).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[tokio::test]
async fn a_journal_cut_off_anywhere_holds_whole_batches_only() {
    let written = Written::new(&[40, 5_000, 20, 60]).await;
    let is_end = |at: u64| written.ends.iter().any(|end| end.abs_diff(at) < 20);
    // Every byte about the ends of batches, and every few within them.
    for at in (written.ends[2] - 20..=written.length()).filter(|at| is_end(*at) || at % 7 == 0) {
        let copy = written.spoiled(|journal| cut(journal, at));
        let whole = written.whole_batches(at);
        written
            .assert_whole(copy.path(), whole, &format!("cut off at {at}"))
            .await;
    }
}

#[tokio::test]
async fn a_journal_that_was_allocated_ahead_may_end_in_zeros_anywhere() {
    let written = Written::new(&[40, 60]).await;
    for at in (written.ends[1] - 2..=written.length()).step_by(3) {
        let copy = written.spoiled(|journal| {
            cut(journal, at);
            cut(journal, 1 << 20);
        });
        let whole = written.whole_batches(at);
        written
            .assert_whole(copy.path(), whole, &format!("zeros from {at}"))
            .await;
    }
}

#[tokio::test]
async fn garbage_behind_the_last_batch_is_forgotten() {
    let written = Written::new(&[40, 60]).await;
    let garbage = noise(7, 3_000).into_bytes();
    for first in 0..=5_u8 {
        for length in [1, 2, 14, 100, 3_000] {
            let mut garbage = garbage[..length].to_vec();
            garbage[0] = first;
            let copy = written.spoiled(|journal| overwrite(journal, written.length(), &garbage));
            let what = format!("{length} bytes of garbage that begin with {first}");
            written.assert_whole(copy.path(), 2, &what).await;
        }
    }
}

#[tokio::test]
async fn a_page_of_the_last_batch_that_was_not_written_takes_the_batch_with_it() {
    let written = Written::new(&[40, 30_000]).await;
    let last_batch = written.ends[1]..written.length();
    let pages = (last_batch.start..last_batch.end)
        .step_by(usize::from(PAGE))
        .map(|at| at / u64::from(PAGE) * u64::from(PAGE));
    for page in pages {
        let from = page.max(last_batch.start);
        let to = (page + u64::from(PAGE)).min(last_batch.end);
        let zeros = vec![0; usize::try_from(to - from).unwrap()];
        let copy = written.spoiled(|journal| overwrite(journal, from, &zeros));
        written
            .assert_whole(copy.path(), 1, &format!("zeros from {from} to {to}"))
            .await;
    }
}

#[tokio::test]
async fn an_acknowledged_batch_that_went_bad_is_damage_not_a_torn_tail() {
    let written = Written::new(&[40, 60, 60]).await;
    for at in written.ends[0]..written.ends[2] {
        let bytes = fs::read(journal(written.folder.path())).unwrap();
        let flipped = [!bytes[usize::try_from(at).unwrap()]];
        let copy = written.spoiled(|journal| overwrite(journal, at, &flipped));
        match open(copy.path()) {
            Err(OpenError::Damaged { .. }) => {}
            // The number of a batch is not under its checksum.
            Ok(_)
                if written
                    .ends
                    .iter()
                    .any(|end| (end + 5..end + 13).contains(&at)) => {}
            other => panic!("{at}: {:?}", other.map(drop)),
        }
    }
}

//! The keyspaces, opened: batches in, views out. Knows no sessions and no rules.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode, Snapshot};

use crate::store::StoreError;
use crate::store::embedded::error::WriteError;
use crate::store::embedded::settings::{self, Settings};
use crate::store::embedded::view::View;

const MIB: u64 = 1024 * 1024;

/// An open database.
pub(super) struct Tables {
    db: Database,
    /// Session id → header or tombstone.
    pub(super) sessions: Keyspace,
    /// Session id, seq → event, terminal record or stub.
    pub(super) log: Keyspace,
    /// Session id, event id → seq.
    pub(super) event_ids: Keyspace,
    /// Session id, time, seq → nothing.
    pub(super) times: Keyspace,
    /// Status, start, creation → session id and language.
    pub(super) listing: Keyspace,
    /// Session ids whose erased content is not all gone yet.
    pub(super) purges: Keyspace,
    /// What readers see while a batch is being applied.
    ///
    /// fjall makes a batch visible by moving one number, but a flush that ends meanwhile moves it
    /// too, and half a batch would show. So as long as a batch is under way, readers get the
    /// snapshot from before it.
    held: Mutex<Option<Snapshot>>,
}

/// Flushed memtables that may wait before writes do. From four on, fjall blocks writers until they
/// are flushed, for ever if flushing has failed; up to two more can be sealed before it looks
/// again (the one that is full now, and one that this very batch fills).
const SEALED: usize = 1;
/// Tables in level 0 before writes wait. From thirty runs on, fjall blocks writers until they are
/// merged, for ever if merging has failed.
const LEVEL_0: usize = 24;

const POLL: Duration = Duration::from_millis(1);

impl Tables {
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self, fjall::Error> {
        use settings::{mostly_absent, mostly_present};
        let db = settings::database(path, settings).open()?;
        Ok(Self {
            sessions: db.keyspace("sessions", || mostly_absent(MIB))?,
            log: db.keyspace("log", || mostly_present(4 * MIB))?,
            event_ids: db.keyspace("event_ids", || mostly_absent(2 * MIB))?,
            times: db.keyspace("times", || mostly_present(2 * MIB))?,
            listing: db.keyspace("listing", || mostly_present(MIB))?,
            purges: db.keyspace("purges", || mostly_present(MIB))?,
            held: Mutex::new(None),
            db,
        })
    }

    /// Everything that is committed at this moment, and nothing else.
    pub(super) fn view(&self) -> View<'_> {
        let held = self.lock_held();
        let snapshot = held.clone().unwrap_or_else(|| self.db.snapshot());
        View::new(self, snapshot)
    }

    /// Begins a write. There must be no other one: the engine's writer lock sees to it.
    pub(super) fn begin(&self) -> Write<'_> {
        let mut held = self.lock_held();
        debug_assert!(held.is_none(), "two writes at the same time");
        let snapshot = self.db.snapshot();
        *held = Some(snapshot.clone());
        Write {
            tables: self,
            view: View::new(self, snapshot),
        }
    }

    /// Waits until fjall can take a batch without blocking.
    pub(super) fn wait_for_room(&self, limit: Duration) -> Result<(), StoreError> {
        let started = Instant::now();
        while !self.has_room() {
            self.check()?;
            if started.elapsed() > limit {
                return Err(StoreError::TimedOut);
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Writes everything that is only in a journal into tables. Shows that the disk takes data,
    /// and replaces what was written by a sync that failed: the system may have dropped it from
    /// its cache only later, and a second sync says nothing about it.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        for keyspace in self.keyspaces() {
            keyspace.rotate_memtable()?;
        }
        while self
            .keyspaces()
            .iter()
            .any(|it| it.sealed_memtable_count() > 0)
        {
            self.check()?;
            std::thread::sleep(POLL);
        }
        self.check()
    }

    /// Whether fjall still takes writes: after one that failed it takes none.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        Ok(self.db.persist(PersistMode::Buffer)?)
    }

    fn has_room(&self) -> bool {
        self.keyspaces()
            .iter()
            .all(|it| it.sealed_memtable_count() <= SEALED && it.l0_table_count() < LEVEL_0)
    }

    fn keyspaces(&self) -> [&Keyspace; 6] {
        [
            &self.sessions,
            &self.log,
            &self.event_ids,
            &self.times,
            &self.listing,
            &self.purges,
        ]
    }

    fn lock_held(&self) -> MutexGuard<'_, Option<Snapshot>> {
        // Nothing that can leave it half changed runs under this lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write under way: readers see what was before it.
pub(super) struct Write<'a> {
    tables: &'a Tables,
    view: View<'a>,
}

impl<'a> Write<'a> {
    /// What is committed so far.
    pub(super) fn view(&self) -> &View<'a> {
        &self.view
    }

    pub(super) fn tables(&self) -> &'a Tables {
        self.tables
    }

    pub(super) fn batch(&self, rows: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.tables.db.clone(), rows)
    }

    /// Writes a batch whole or not at all, and durably: fjall syncs its journal before it applies
    /// the batch.
    ///
    /// `fdatasync` is enough: it also writes the metadata that is needed to read the data back,
    /// the length of the file and its newly allocated blocks, and leaves out its times only
    /// (`fdatasync(2)`). New journals are synced with their folder when fjall makes them.
    pub(super) fn commit(self, batch: OwnedWriteBatch) -> Result<(), WriteError> {
        let result = batch.durability(Some(PersistMode::SyncData)).commit();
        // From here on readers see it.
        drop(self);
        match result {
            Ok(()) => Ok(()),
            // fjall looks for this before it writes anything.
            Err(error @ fjall::Error::Poisoned) => Err(WriteError::NotWritten(error.into())),
            Err(error) => Err(WriteError::Unknown(error.into())),
        }
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        *self.tables.lock_held() = None;
    }
}

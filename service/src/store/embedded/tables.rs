//! The keyspaces, opened: batches in, views out. Knows no sessions and no rules.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fjall::{AbstractTree, Database, Keyspace, OwnedWriteBatch, PersistMode, Snapshot};

use crate::store::StoreError;
use crate::store::embedded::codec;
use crate::store::embedded::error::WriteError;
use crate::store::embedded::keys::{self, SessionNumber};
use crate::store::embedded::settings::{self, LEVEL_0, Memtables, Settings};
use crate::store::embedded::tails::Tails;
use crate::store::embedded::view::View;

/// An open database.
pub(super) struct Tables {
    db: Database,
    memtables: Memtables,
    /// Session id → header or tombstone.
    pub(super) sessions: Keyspace,
    /// Session number, seq → event, terminal record or stub.
    pub(super) log: Keyspace,
    /// Session number, event id → seq.
    pub(super) event_ids: Keyspace,
    /// Session number, time, seq → nothing.
    pub(super) times: Keyspace,
    /// Status, start, creation → session id and language.
    pub(super) listing: Keyspace,
    /// The last session number; sessions that are still to be purged.
    pub(super) meta: Keyspace,
    pub(super) tails: Tails,
    last_number: AtomicU64,
    /// Journals when last looked at.
    journals: AtomicUsize,
    /// What readers see while a batch is being applied.
    ///
    /// fjall makes a batch visible by moving one number, but a flush that ends meanwhile moves it
    /// too, and half a batch would show. So as long as a batch is under way, readers get the
    /// snapshot from before it.
    held: Mutex<Option<Snapshot>>,
}

/// How long to wait before looking again whether a flush or a merge has ended.
const POLL: Duration = Duration::from_millis(1);

impl Tables {
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self, fjall::Error> {
        use settings::{mostly_absent, mostly_present};
        let db = settings::database(path, settings).open()?;
        let meta = db.keyspace("meta", mostly_present)?;
        let last_number = match meta.get(keys::LAST_NUMBER)? {
            None => 0,
            Some(row) => {
                let number = codec::last_number_row(&row);
                number.map_err(|_| fjall::Error::Unrecoverable)?.0
            }
        };
        Ok(Self {
            memtables: settings.memtables,
            sessions: db.keyspace("sessions", mostly_absent)?,
            log: db.keyspace("log", mostly_present)?,
            event_ids: db.keyspace("event_ids", mostly_absent)?,
            times: db.keyspace("times", mostly_present)?,
            listing: db.keyspace("listing", mostly_present)?,
            meta,
            tails: Tails::new(),
            last_number: AtomicU64::new(last_number),
            journals: AtomicUsize::new(1),
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

    /// Seals memtables that are full, so that they are flushed, and waits where flushing or
    /// merging lags behind.
    ///
    /// fjall would do both by itself, but it asks for a full memtable to be sealed again with
    /// every batch, until its queue is full of that and the thread that works it off blocks on
    /// it; and its waiting for flushes does not end if flushing has failed. Here its limits are
    /// never reached.
    pub(super) fn make_room(&self, limit: Duration) -> Result<(), StoreError> {
        self.let_go_of_journals()?;
        let started = Instant::now();
        loop {
            let mut has_room = true;
            for (keyspace, memtable) in self.keyspaces() {
                has_room &= make_room_in(keyspace, memtable)?;
            }
            if has_room {
                return Ok(());
            }
            self.check()?;
            if started.elapsed() > limit {
                return Err(StoreError::TimedOut);
            }
            std::thread::sleep(POLL);
        }
    }

    /// A journal that is full is deleted when everything in it is in tables: if one was begun, all
    /// that is in the one before it is sealed now. A keyspace that is hardly written to would
    /// otherwise keep it for long, for the next start to replay.
    fn let_go_of_journals(&self) -> Result<(), StoreError> {
        let journals = self.db.journal_count();
        if self.journals.swap(journals, Ordering::Relaxed) < journals {
            self.seal()?;
        }
        Ok(())
    }

    fn seal(&self) -> Result<(), StoreError> {
        for (keyspace, _) in self.keyspaces() {
            keyspace.rotate_memtable()?;
        }
        Ok(())
    }

    /// Writes everything that is only in a journal into tables. Shows that the disk takes data,
    /// and replaces what was written by a sync that failed: the system may have dropped it from
    /// its cache only later, and a second sync says nothing about it.
    pub(super) fn flush(&self, limit: Duration) -> Result<(), StoreError> {
        self.seal()?;
        let started = Instant::now();
        let is_flushed = |(keyspace, _): (&Keyspace, u64)| keyspace.sealed_memtable_count() == 0;
        while !self.keyspaces().into_iter().all(is_flushed) {
            self.check()?;
            if started.elapsed() > limit {
                return Err(StoreError::TimedOut);
            }
            std::thread::sleep(POLL);
        }
        self.check()
    }

    #[cfg(test)]
    pub(super) fn merge(&self) -> Result<(), StoreError> {
        for (keyspace, _) in self.keyspaces() {
            keyspace.major_compact()?;
        }
        Ok(())
    }

    /// Whether fjall still takes writes: after one that failed it takes none.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        Ok(self.db.persist(PersistMode::Buffer)?)
    }

    /// With the size of its memtable, in bytes.
    fn keyspaces(&self) -> [(&Keyspace, u64); 6] {
        let Memtables { log, index, other } = self.memtables;
        [
            (&self.sessions, other),
            (&self.log, log),
            (&self.event_ids, index),
            (&self.times, index),
            (&self.listing, other),
            (&self.meta, other),
        ]
    }

    fn lock_held(&self) -> MutexGuard<'_, Option<Snapshot>> {
        // Nothing that can leave it half changed runs under this lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A memtable is sealed when it is full; it may grow to twice its size while the one before it is
/// flushed.
fn make_room_in(keyspace: &Keyspace, memtable: u64) -> Result<bool, StoreError> {
    let is_flushed = keyspace.sealed_memtable_count() == 0;
    let size = keyspace.tree.active_memtable().size();
    if is_flushed && size >= memtable {
        keyspace.rotate_memtable()?;
    }
    let has_room = is_flushed || size < 2 * memtable;
    Ok(has_room && keyspace.l0_table_count() < LEVEL_0)
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

    /// A number that no session has had.
    pub(super) fn new_number(&self) -> SessionNumber {
        // Only the one writer counts; a number whose session was not stored is left out.
        let last = self.tables.last_number.fetch_add(1, Ordering::Relaxed);
        SessionNumber(last + 1)
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

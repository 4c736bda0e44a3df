//! The database behind the store, and what becomes of it when a write fails: fjall takes no
//! further one then, so it is closed and opened again as soon as the disk takes data. Reads go on
//! meanwhile. Knows no sessions but those whose erasure has to be finished.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::thread;

use crate::domain::SessionId;
use crate::store::StoreError;
use crate::store::embedded::erase;
use crate::store::embedded::error::{OpenError, WriteError, explain};
use crate::store::embedded::folder::Folder;
use crate::store::embedded::journals::{self, Inspection};
use crate::store::embedded::settings::Settings;
use crate::store::embedded::tables::{Tables, Write};
use crate::store::embedded::tails::Tail;
use crate::store::embedded::view::View;

/// Bytes of journals that are replayed in some 10 ms: less is left to the next start.
const SHORT_JOURNAL: u64 = 1024 * 1024;

/// See the module.
pub(super) struct Engine {
    folder: Folder,
    settings: Settings,
    /// Held by every write, for its whole time.
    writer: Mutex<()>,
    /// Absent only while a store that failed cannot be opened again.
    tables: RwLock<Option<Tables>>,
    /// Why nothing can be written. As long as it is here, a thread is at work to end it.
    failure: Mutex<Option<StoreError>>,
}

impl Engine {
    pub(super) fn open(path: &Path, settings: Settings) -> Result<Arc<Self>, OpenError> {
        let folder = Folder::open(path, |new| {
            let made = Tables::open(new, &settings);
            made.map(drop).map_err(|error| explain(path, error))
        })?;
        let tables = open_tables(&folder, &settings)?;
        let engine = Arc::new(Self {
            folder,
            settings,
            writer: Mutex::new(()),
            tables: RwLock::new(Some(tables)),
            failure: Mutex::new(None),
        });
        engine.finish_purges();
        Ok(engine)
    }

    /// Runs `read` on what is committed now.
    pub(super) fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&View<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match &*self.tables() {
            Some(tables) => read(&tables.view()),
            None => Err(self.why_closed().into()),
        }
    }

    /// Like [`Self::read`], for reads of one log: with its tail, if it is known. Taken before the
    /// view, it is not younger than that.
    pub(super) fn read_log<T, E: From<StoreError>>(
        &self,
        id: &SessionId,
        read: impl FnOnce(&View<'_>, Option<Tail>) -> Result<T, E>,
    ) -> Result<T, E> {
        match &*self.tables() {
            Some(tables) => {
                let warm = tables.tails.peek(id);
                read(&tables.view(), warm)
            }
            None => Err(self.why_closed().into()),
        }
    }

    /// Runs `write` while nobody else writes.
    pub(super) fn write<T>(
        self: &Arc<Self>,
        write: impl FnOnce(Write<'_>) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        let _writer = self.lock_writer();
        self.health()?;
        let tables = self.tables();
        let Some(tables) = &*tables else {
            return Err(self.why_closed().into());
        };
        let result = match tables.make_room(self.settings.stall_limit) {
            Ok(()) => write(tables.begin()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &result
            && tables.check().is_err()
        {
            self.fail(error.clone().into());
        }
        result
    }

    /// Whether something can be written.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        self.lock_failure().clone().map_or(Ok(()), Err)
    }

    /// Moves everything from memory and journals into tables.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        match &*self.tables() {
            Some(tables) => tables.flush(self.settings.stall_limit),
            None => Ok(()),
        }
    }

    /// Merges every table with every other.
    #[cfg(test)]
    pub(super) fn merge(&self) -> Result<(), StoreError> {
        self.tables().as_ref().map_or(Ok(()), Tables::merge)
    }

    fn fail(self: &Arc<Self>, cause: StoreError) {
        let mut failure = self.lock_failure();
        if failure.is_some() {
            return;
        }
        let cause = self.in_words(cause);
        tracing::error!(%cause, "writing failed");
        *failure = Some(cause);
        let engine = Arc::downgrade(self);
        spawn("store-reopen", move || Self::recover(&engine));
    }

    /// Tries to open the store again until it can be written, or nobody needs it any more.
    fn recover(engine: &Weak<Self>) {
        while let Some(engine) = engine.upgrade() {
            match engine.reopen() {
                Ok(()) => {
                    *engine.lock_failure() = None;
                    tracing::info!("the store was opened again and can be written");
                    engine.finish_purges();
                    return;
                }
                Err(cause) => *engine.lock_failure() = Some(engine.in_words(cause)),
            }
            let pause = engine.settings.reopen_every;
            drop(engine);
            thread::sleep(pause);
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.folder.probe()?;
        let _writer = self.lock_writer();
        let mut slot = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        // The old one has to be gone first: it holds fjall's lock, and closing it may still write.
        drop(slot.take());
        *slot = Some(open_tables(&self.folder, &self.settings)?);
        drop(slot);
        self.flush()
    }

    /// Finishes in the background what an erasure has left, if a stop or a failure cut it short.
    fn finish_purges(self: &Arc<Self>) {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method alone is for one lifetime only"
        )]
        let pending = match self.read(|view| view.pending_purges()) {
            Ok(pending) => pending,
            Err(error) => return tracing::warn!(%error, "cannot tell which erasures are pending"),
        };
        if pending.is_empty() {
            return;
        }
        let engine = Arc::downgrade(self);
        spawn("store-purge", move || {
            for id in pending {
                let Some(engine) = engine.upgrade() else {
                    return;
                };
                if let Err(error) = erase::purge(&engine, &id) {
                    let error = StoreError::from(error);
                    return tracing::warn!(%error, "an erasure stays pending until the next start");
                }
            }
        });
    }

    /// Why there are no tables; they may have come back in between.
    fn why_closed(&self) -> StoreError {
        self.health().err().unwrap_or(StoreError::TimedOut)
    }

    fn in_words(&self, cause: StoreError) -> StoreError {
        let folder = self.folder.path().display();
        match cause {
            StoreError::Unavailable(cause) => StoreError::Unavailable(format!(
                "{cause}; the data folder is {folder}, writing goes on by itself"
            )),
            other => other,
        }
    }

    fn tables(&self) -> RwLockReadGuard<'_, Option<Tables>> {
        // Readers change nothing, and reopening leaves either a whole database or none.
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            // A write panicked, perhaps after it was stored: the tails may be behind.
            self.writer.clear_poison();
            if let Some(tables) = &*self.tables() {
                tables.tails.forget();
            }
            poisoned.into_inner()
        })
    }

    fn lock_failure(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    /// Leaves little to replay, so that the next start is quick. If that fails, the journals stay.
    fn drop(&mut self) {
        let store = self.folder.store();
        let is_worth_it = journals::length(&store).is_ok_and(|bytes| bytes > SHORT_JOURNAL);
        let is_flushed = is_worth_it && self.flush().is_ok();
        let tables = self.tables.get_mut();
        drop(tables.unwrap_or_else(PoisonError::into_inner).take());
        if is_flushed && let Err(error) = journals::empty(&store) {
            tracing::warn!(%error, "the journal could not be emptied");
        }
    }
}

fn open_tables(folder: &Folder, settings: &Settings) -> Result<Tables, OpenError> {
    let path = folder.path();
    let store = folder.store();
    let io = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    match journals::inspect(&store).map_err(io)? {
        Inspection::Sound(torn) => {
            for tail in torn {
                tail.cut_off().map_err(io)?;
            }
        }
        Inspection::Damaged(journal) => {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                what: format!("{} has a broken part before whole ones", journal.display()),
            });
        }
    }
    Tables::open(&store, settings).map_err(|error| explain(path, error))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name(name.to_owned());
    if let Err(error) = thread.spawn(work) {
        tracing::error!(%error, name, "no thread could be started: restart the process");
    }
}

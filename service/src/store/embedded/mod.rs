//! The embedded store: `fjall`, a log-structured merge tree with a journal, in one folder.
//!
//! One process has the folder, one writer at a time arbitrates, one journal sync makes a batch
//! durable, and readers see what is durable. This file is the table of contents: reads that touch
//! a few rows run where they are asked for, everything that may block on the disk runs on a thread
//! for that, and what is written all the time on one of its own.
//!
//! `engine` holds the database and opens it again after a failure; `folder` and `journals` decide
//! whether it may be opened; `tables` and `view` are its keyspaces, written and read; `keys` and
//! `codec` are the rows. The rest is one file an operation.

mod codec;
mod commit;
mod engine;
mod erase;
mod error;
mod folder;
mod journals;
mod keys;
mod list;
mod page;
mod sessions;
mod settings;
mod tables;
mod tails;
mod view;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::domain::{
    Consistency, Event, EventId, NewSession, PageQuery, Session, SessionId, SessionListQuery,
    Timestamp,
};
use crate::store::{
    Announcement, CommitOutcome, CreateOutcome, EraseError, EventPage, Health, Known, LogState,
    LookUp, ReadError, Record, SessionChange, SessionPage, Store, StoreError, UpdateError,
};

use codec::Standing;
use engine::Engine;
use view::View;
use writer::Writer;

pub use error::OpenError;
pub use settings::{Memtables, Settings};

/// A store in a folder of this machine.
#[derive(Clone)]
pub struct EmbeddedStore(Arc<Inner>);

struct Inner {
    /// Before the engine, which is closed when nothing is being written any more.
    writer: Writer,
    engine: Arc<Engine>,
}

impl EmbeddedStore {
    /// Opens the data folder; makes it if it is not there.
    ///
    /// # Errors
    /// See [`OpenError`]: one line each, for the operator.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, OpenError> {
        let engine = Engine::open(path, settings)?;
        let writer = Writer::start(Arc::clone(&engine)).map_err(|source| OpenError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(Arc::new(Inner { writer, engine })))
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Runs work that may block on a thread that may. It runs to its end, whoever waits for it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Engine>) -> T + Send + 'static,
    ) -> T {
        let engine = Arc::clone(&self.0.engine);
        match tokio::task::spawn_blocking(move || work(&engine)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only a runtime that shuts down cancels such work, and the caller with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome> {
        self.0
            .writer
            .run(move |engine| sessions::create(engine, &sessions))
            .await
    }

    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome> {
        self.0
            .writer
            .run(move |engine| commit::commit(engine, &records))
            .await
    }

    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError> {
        self.blocking(move |engine| {
            engine.read(|view| questions.iter().map(|it| look_up(view, it)).collect())
        })
        .await
    }

    async fn session(&self, id: &SessionId, _: Consistency) -> Result<Session, ReadError> {
        self.engine()
            .read_log(id, |view, warm| Ok(view.session(id, warm)?.0))
    }

    async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        if page::is_short(query) {
            return events(self.engine(), id, query);
        }
        let (id, query) = (id.clone(), query.clone());
        self.blocking(move |engine| events(engine, &id, &query))
            .await
    }

    async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        if page::is_short(query) {
            return session_with_events(self.engine(), id, query);
        }
        let (id, query) = (id.clone(), query.clone());
        self.blocking(move |engine| session_with_events(engine, &id, &query))
            .await
    }

    async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        _: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        self.engine().read(|view| match view.standing(id)? {
            None => Err(ReadError::Absent),
            Some(Standing::Erased) => Err(ReadError::Erased),
            Some(Standing::Open(session) | Standing::Closed(session, _)) => {
                Ok(view.event(id, session, event_id)?)
            }
        })
    }

    async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
        let query = query.clone();
        self.blocking(move |engine| engine.read(|view| list::read(view, &query)))
            .await
    }

    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError> {
        let id = id.clone();
        self.blocking(move |engine| sessions::update(engine, &id, change))
            .await
    }

    async fn erase(&self, id: &SessionId, at: Timestamp) -> Result<(), EraseError> {
        let id = id.clone();
        self.blocking(move |engine| erase::erase(engine, &id, at))
            .await
    }

    /// No other process can write here.
    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>> {
        None
    }

    fn health(&self) -> Health {
        self.engine().health().into()
    }
}

fn events(engine: &Engine, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
    engine.read_log(id, |view, warm| {
        let log = view.log(id, warm)?;
        Ok(page::read(view, id, log, query)?)
    })
}

fn session_with_events(
    engine: &Engine,
    id: &SessionId,
    query: &PageQuery,
) -> Result<(Session, EventPage), ReadError> {
    engine.read_log(id, |view, warm| {
        let (session, log) = view.session(id, warm)?;
        Ok((session, page::read(view, id, log, query)?))
    })
}

fn look_up(view: &View<'_>, question: &LookUp) -> Result<Known, StoreError> {
    let nothing = |log| Known {
        log,
        events: Vec::new(),
    };
    let id = &question.session_id;
    let log = match view.log(id, None) {
        Ok(log) => log,
        Err(ReadError::Absent) => return Ok(nothing(LogState::Absent)),
        Err(ReadError::Erased) => return Ok(nothing(LogState::Erased)),
        Err(ReadError::Store(error)) => return Err(error),
    };
    let event_ids = question.event_ids.iter();
    let events = event_ids.map(|event| view.event(id, log.session, event));
    Ok(Known {
        events: events.collect::<Result<_, _>>()?,
        log: match log.terminal {
            Some(terminal) => LogState::Closed(terminal),
            None => LogState::Open(log.events),
        },
    })
}

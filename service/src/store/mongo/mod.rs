//! The store on a MongoDB replica set, for several processes at once.
//!
//! The keys arbitrate: a record's `_id` is its session and its place, so whoever comes second is
//! refused. Writes are acknowledged by a majority, with journal; only what a majority has is ever
//! built upon; what became of a lost answer is for the caller to look up. Reads learn from the
//! primary where a log ends and take its events from a secondary that is proven to know as much.
//!
//! `topology` knows who is primary, `link` sends one command and says when an answer may be
//! trusted, `schema` proves the indexes, `codec` and `bson_text` are the documents. `known`
//! with `question` and `tails`, `finder` with `gather`, `write`, `read` with `page` and `replicas`,
//! `list`, `update`, `erase` and `watch` are one operation each, `keeper` and `sweep` what runs without being asked.

mod bson_text;
mod codec;
mod connect;
mod erase;
mod error;
mod finder;
mod gather;
mod keeper;
mod known;
mod link;
mod list;
mod metrics;
mod page;
mod question;
mod read;
mod replicas;
mod schema;
mod sweep;
mod tails;
mod topology;
mod update;
mod watch;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::watch::Receiver;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::domain::{
    Consistency, Event, EventId, NewSession, PageQuery, Session, SessionId, SessionListQuery,
    Timestamp,
};
use crate::store::{
    Announcement, CommitOutcome, CreateOutcome, EraseError, EventPage, Health, Known, LookUp,
    ReadError, Record, SessionChange, SessionPage, Store, StoreError, UpdateError,
};

pub use connect::{ConnectError, Settings};
pub use link::Patience;
pub use metrics::MongoMetrics;

use finder::Finder;
use keeper::State;
use link::Link;
use replicas::Replicas;
use tails::Tails;
use write::FollowUps;

/// A store on a replica set. Cheap to clone.
#[derive(Clone)]
pub struct MongoStore(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    finder: Arc<Finder>,
    state: Receiver<State>,
    /// What runs without being asked ends with the store.
    keeper: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl MongoStore {
    /// A store on the replica set that `url` names. Comes back at once: whether the set can be
    /// reached and used is for [`Store::health`] to say, and operations wait for it.
    ///
    /// # Errors
    /// See [`ConnectError`]: the URL itself is wrong.
    pub async fn connect(
        url: &str,
        settings: Settings,
        metrics: MongoMetrics,
    ) -> Result<Self, ConnectError> {
        let (link, replicas) = connect::link(url, &settings, metrics).await?;
        let link = Arc::new(link);
        let finder = Finder::new(Arc::clone(&link), replicas);
        let (state, keeper) = keeper::start(Arc::clone(&link));
        Ok(Self(Arc::new(Inner {
            link,
            finder,
            state,
            keeper,
        })))
    }

    fn link(&self) -> &Link {
        &self.0.link
    }

    fn finder(&self) -> &Arc<Finder> {
        &self.0.finder
    }

    fn tails(&self) -> &Tails {
        self.0.finder.tails()
    }

    fn replicas(&self) -> &Replicas {
        self.0.finder.replicas()
    }

    /// Waits until the database has been found fit to serve, but no longer than a request may;
    /// returns until when that is.
    async fn fit(&self) -> Result<Instant, StoreError> {
        let deadline = self.link().deadline();
        let mut state = self.0.state.clone();
        let is_fit = state.borrow().is_fit();
        if is_fit {
            return Ok(deadline);
        }
        let waiting = state.wait_for(State::is_fit);
        match timeout_at(deadline, waiting).await {
            Ok(Ok(_)) => Ok(deadline),
            _ => Err(StoreError::Unavailable(self.reason())),
        }
    }

    fn reason(&self) -> String {
        match self.health() {
            Health::Serving => "it was not ready in time".to_owned(),
            Health::Degraded(reason) | Health::Down(reason) => reason,
        }
    }
}

#[async_trait]
impl Store for MongoStore {
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome> {
        match self.fit().await {
            Ok(deadline) => {
                let outcomes = write::create(self.link(), &sessions, deadline).await;
                let made = outcomes.iter().filter_map(|outcome| match outcome {
                    CreateOutcome::Created(session) => Some((&session.session_id, 0)),
                    _ => None,
                });
                self.tails().saw(made);
                outcomes
            }
            Err(_) => vec![CreateOutcome::Unknown; sessions.len()],
        }
    }

    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome> {
        match self.fit().await {
            Ok(deadline) => {
                let outcomes = write::commit(self.link(), &records, deadline).await;
                let stored = records.iter().zip(&outcomes);
                let stored = stored.filter(|(_, outcome)| **outcome == CommitOutcome::Stored);
                let places = stored.map(|(record, _)| (record.session_id(), record.seq().get()));
                self.tails().saw(places);
                outcomes
            }
            Err(_) => vec![CommitOutcome::NotTried; records.len()],
        }
    }

    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError> {
        let deadline = self.fit().await?;
        let (known, found) =
            known::look_up(self.link(), self.tails(), &questions, deadline).await?;
        // What is found to be closed is answered as closed: its document must say so too.
        let behind = FollowUps::of(&found);
        behind.write(self.link(), deadline).await?;
        Ok(known)
    }

    async fn session(
        &self,
        id: &SessionId,
        consistency: Consistency,
    ) -> Result<Session, ReadError> {
        let deadline = self.fit().await?;
        read::session(self, id, consistency, deadline).await
    }

    async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        let (_, page) = self.session_with_events(id, query).await?;
        Ok(page)
    }

    async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        let deadline = self.fit().await?;
        read::session_with_events(self, id, query, deadline).await
    }

    async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        consistency: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        let deadline = self.fit().await?;
        read::event(self, id, event_id, consistency, deadline).await
    }

    async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
        let deadline = self.fit().await?;
        list::read(self, query, deadline).await
    }

    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError> {
        let deadline = self.fit().await?;
        update::update(self.link(), id, &change, deadline).await
    }

    async fn erase(&self, id: &SessionId, at: Timestamp) -> Result<(), EraseError> {
        let deadline = self.fit().await?;
        erase::erase(self.link(), id, at, deadline).await
    }

    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>> {
        Some(watch::announcements(self))
    }

    fn health(&self) -> Health {
        self.0.state.borrow().health(&self.link().topology.view())
    }
}

//! The session log above any store: group commit, retries, closing, following.
//!
//! [`Log`] is what HTTP talks to. It decides nothing itself: the committer does (pure, in
//! `committer/`), and the shell carries out what it says.

mod committer;
mod deadline;
mod error;
#[cfg(test)]
mod fake_store;
mod hub;
mod metrics;
mod shell;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::domain::{
    ClosingStatus, Consistency, Event, EventId, NewEvent, NewSession, PageQuery, Session,
    SessionId, SessionListQuery, SessionPatch, Timestamp, Version,
};
use crate::store::{
    EraseError, EventPage, Health, ReadError, SessionChange, SessionPage, Store, StoreError,
    UpdateError,
};

pub use committer::{
    Answer, CallId, Closing, Committer, Effect, Refusal, Request, Settings, Ticket,
};
pub use error::{CloseError, PatchError};
pub use hub::{Follower, News};
pub use metrics::LogMetrics;

use deadline::Deadline;
use hub::Hub;
use shell::Shell;

/// The log of every session. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    store: Arc<dyn Store>,
    shell: Arc<Shell>,
    hub: Hub,
    /// Changes and erasures on their way to the store; appends and closings are the shell's.
    writes: TaskTracker,
    /// How long an operation may take.
    deadline: Duration,
}

/// A session that exists now.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// As it is stored.
    pub session: Session,
    /// It was created by an earlier request.
    pub replayed: bool,
}

/// An event that is stored now.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// As it is stored.
    pub event: Event,
    /// It was stored by an earlier request.
    pub replayed: bool,
}

impl Log {
    /// A log over `store`. Needs a tokio runtime to run in.
    pub fn new(store: Arc<dyn Store>, settings: Settings, metrics: LogMetrics) -> Self {
        let hub = Hub::new(Arc::clone(&store));
        let deadline = settings.deadline;
        let shell = Shell::start(Arc::clone(&store), settings, metrics, hub.clone());
        Self {
            store,
            shell,
            hub,
            writes: TaskTracker::new(),
            deadline,
        }
    }

    /// Whether the queue of appends, closings and creations takes more. A hint, for those who would
    /// work for nothing before they are refused.
    pub fn has_room(&self) -> bool {
        self.shell.has_room()
    }

    /// Creates a session, or returns the one that has this id.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn create(&self, session: NewSession) -> Result<Created, Refusal> {
        match self.shell.request(Request::Create(session)).await {
            Answer::Created { session, replayed } => Ok(Created { session, replayed }),
            Answer::Refused(refusal) => Err(refusal),
            Answer::Appended { .. } | Answer::Closed(_) => Err(Refusal::TimedOut),
        }
    }

    /// Appends an event, or returns the one that has this id and content.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn append(&self, event: NewEvent) -> Result<Appended, Refusal> {
        appended(self.shell.request(Request::Append(event)).await)
    }

    /// Appends events, those of one session in the order given. One outcome each, in order.
    pub async fn append_all(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, Refusal>> {
        let requests = events.into_iter().map(Request::Append).collect();
        let answers = self.shell.requests(requests).await;
        answers.into_iter().map(appended).collect()
    }

    /// Closes a session; idempotent for the same status.
    ///
    /// # Errors
    /// See [`CloseError`].
    pub async fn close(
        &self,
        session_id: SessionId,
        status: ClosingStatus,
        reason: Option<Arc<str>>,
        at: Timestamp,
    ) -> Result<Session, CloseError> {
        let deadline = self.deadline();
        let closing = Closing {
            session_id: session_id.clone(),
            status,
            reason,
            at,
        };
        if let Answer::Refused(refusal) = self.shell.request(Request::Close(closing)).await {
            return Err(refusal.into());
        }
        let read = self.store.session(&session_id, Consistency::Strong);
        Ok(deadline.read(read).await?)
    }

    /// Changes a session if `condition` holds for its version. A patch that changes nothing
    /// leaves the version as it is. A change that is being stored when the deadline comes, or when
    /// the caller stops waiting, goes on.
    ///
    /// # Errors
    /// See [`PatchError`].
    pub async fn patch(
        &self,
        id: &SessionId,
        patch: &SessionPatch,
        condition: impl Fn(Version) -> bool + Send + Sync,
        metadata_limit: usize,
        at: Timestamp,
    ) -> Result<Session, PatchError> {
        let deadline = self.deadline();
        let mut was_moved = false;
        loop {
            let read = self.store.session(id, Consistency::Strong);
            let current = match deadline.read(read).await {
                // Certainly not done, and slow because of the others.
                Err(ReadError::Store(StoreError::TimedOut)) if was_moved => {
                    return Err(PatchError::Contended);
                }
                read => read?,
            };
            if !condition(current.version) {
                return Err(PatchError::PreconditionFailed);
            }
            let metadata = patch.patched_metadata(&current.metadata);
            if metadata.len() > metadata_limit {
                return Err(PatchError::MetadataTooLarge {
                    limit: metadata_limit,
                });
            }
            let language = patch.language.as_ref().unwrap_or(&current.language);
            if metadata.same_content(&current.metadata) && *language == current.language {
                return Ok(current);
            }
            let change = SessionChange {
                base: current.version,
                language: language.clone(),
                metadata,
                at,
            };
            match self.update(id.clone(), change, deadline).await {
                // Another change was done in its place: together they get on, however many.
                Err(UpdateError::Moved) if !deadline.has_passed() => was_moved = true,
                Err(UpdateError::Moved) => return Err(PatchError::Contended),
                Ok(session) => return Ok(session),
                Err(UpdateError::Absent) => return Err(ReadError::Absent.into()),
                Err(UpdateError::Erased) => return Err(ReadError::Erased.into()),
                Err(UpdateError::Store(error)) => return Err(ReadError::Store(error).into()),
            }
        }
    }

    async fn update(
        &self,
        id: SessionId,
        change: SessionChange,
        deadline: Deadline,
    ) -> Result<Session, UpdateError> {
        let store = Arc::clone(&self.store);
        let write = async move { store.update(&id, change).await };
        deadline.written(self.writes.spawn(write)).await
    }

    /// Erases a session and its events for ever; idempotent. It goes on when the deadline comes
    /// or the caller stops waiting: what is half erased is neither there nor gone.
    ///
    /// # Errors
    /// See [`EraseError`].
    pub async fn erase(&self, id: &SessionId, at: Timestamp) -> Result<(), EraseError> {
        let (store, hub, id) = (Arc::clone(&self.store), self.hub.clone(), id.clone());
        let write = async move {
            let result = store.erase(&id, at).await;
            hub.changed(&id);
            result
        };
        let deadline = self.deadline();
        deadline.written(self.writes.spawn(write)).await
    }

    /// One session.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn session(
        &self,
        id: &SessionId,
        consistency: Consistency,
    ) -> Result<Session, ReadError> {
        self.deadline()
            .read(self.store.session(id, consistency))
            .await
    }

    /// A page of a session's events.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        self.deadline().read(self.store.events(id, query)).await
    }

    /// A session with a page of its events, both of one moment.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        self.deadline()
            .read(self.store.session_with_events(id, query))
            .await
    }

    /// One event; `None` if the session has none of this id.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        consistency: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        self.deadline()
            .read(self.store.event(id, event_id, consistency))
            .await
    }

    /// A page of sessions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
        self.deadline().read(self.store.list(query)).await
    }

    /// Follows a session: tells when there may be something new in its log.
    pub fn follow(&self, id: &SessionId) -> Follower {
        self.hub.follow(id)
    }

    /// Whether the store can serve now.
    pub fn health(&self) -> Health {
        self.store.health()
    }

    /// Waits until nothing is queued or in flight any more.
    pub async fn drained(&self) {
        self.shell.drained().await;
        // "Closed" only means that waiting may end; further writes can begin.
        self.writes.close();
        self.writes.wait().await;
    }

    /// The deadline of an operation that begins now.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.deadline)
    }
}

fn appended(answer: Answer) -> Result<Appended, Refusal> {
    match answer {
        Answer::Appended { event, replayed } => Ok(Appended { event, replayed }),
        Answer::Refused(refusal) => Err(refusal),
        Answer::Created { .. } | Answer::Closed(_) => Err(Refusal::TimedOut),
    }
}

//! A store for the tests of the log, the shell and the hub: it keeps logs in memory, waits, fails,
//! panics and announces as it is told. It cannot be read by pages or listed, and forgets closings
//! and changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{Semaphore, broadcast, watch};

use crate::domain::{
    Consistency, CreationId, Document, Event, EventId, Language, NewSession, PageQuery, Session,
    SessionId, SessionListQuery, SessionStatus, Timestamp, Version,
};
use crate::store::{
    Announcement, CommitOutcome, CreateOutcome, EraseError, EventPage, Health, Known, LogState,
    LookUp, ReadError, Record, SessionChange, SessionPage, Store, StoreError, UpdateError,
};

pub(super) struct FakeStore {
    logs: Mutex<HashMap<SessionId, Vec<Event>>>,
    /// A commit takes one permit before it stores anything.
    pub(super) gate: Semaphore,
    /// Sizes of the commits that have begun.
    pub(super) commits: watch::Sender<Vec<usize>>,
    /// So many next commits panic, after they stored.
    pub(super) panics_after_commit: AtomicUsize,
    /// So many next look-ups panic.
    pub(super) panics_in_look_up: AtomicUsize,
    /// So many next look-ups fail.
    pub(super) failing_look_ups: AtomicUsize,
    /// How long a read, an update or an erasure takes.
    pub(super) slowness: Mutex<Duration>,
    /// So many next updates find that somebody else was faster.
    pub(super) lost_updates: AtomicUsize,
    /// Updates and erasures that have begun.
    pub(super) begun: watch::Sender<usize>,
    /// Updates and erasures that came to their end.
    pub(super) ended: watch::Sender<usize>,
    /// What other processes commit; replaced when a stream is cut off.
    foreign: Mutex<broadcast::Sender<Announcement>>,
    /// Streams of announcements that are held now.
    pub(super) subscribers: watch::Sender<usize>,
    /// Streams of announcements that were ever opened.
    pub(super) subscriptions: AtomicUsize,
}

impl FakeStore {
    /// A store with these sessions, empty and open, and an open gate.
    pub(super) fn with_sessions<const N: usize>(ids: [&str; N]) -> Arc<Self> {
        let logs = ids.map(|id| (SessionId::from_stored(id), Vec::new()));
        Arc::new(Self {
            logs: Mutex::new(logs.into()),
            gate: Semaphore::new(1_000),
            commits: watch::Sender::default(),
            panics_after_commit: AtomicUsize::new(0),
            panics_in_look_up: AtomicUsize::new(0),
            failing_look_ups: AtomicUsize::new(0),
            slowness: Mutex::default(),
            lost_updates: AtomicUsize::new(0),
            begun: watch::Sender::default(),
            ended: watch::Sender::default(),
            foreign: Mutex::new(broadcast::Sender::new(16)),
            subscribers: watch::Sender::default(),
            subscriptions: AtomicUsize::new(0),
        })
    }

    /// Lets no commit through until permits are added to `gate`.
    pub(super) fn shut_gate(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    /// From now on reads, updates and erasures take so long.
    pub(super) fn slow_down(&self, slowness: Duration) {
        *self.slowness.lock().unwrap() = slowness;
    }

    /// Whether it has this session.
    pub(super) fn has(&self, id: &SessionId) -> bool {
        self.logs.lock().unwrap().contains_key(id)
    }

    async fn take_time(&self) {
        let slowness = *self.slowness.lock().unwrap();
        tokio::time::sleep(slowness).await;
    }

    /// The ids of a session's stored events, in order.
    pub(super) fn stored(&self, id: &SessionId) -> Vec<String> {
        let logs = self.logs.lock().unwrap();
        let ids = logs[id]
            .iter()
            .map(|event| event.event_id.as_str().to_owned());
        ids.collect()
    }

    /// The store says what it has heard of: of other processes, or of this one.
    pub(super) fn announce(&self, announcement: Announcement) {
        let sender = self.foreign.lock().unwrap();
        sender.send(announcement).unwrap();
    }

    /// Ends the streams of announcements that are held now.
    pub(super) fn cut_off(&self) {
        *self.foreign.lock().unwrap() = broadcast::Sender::new(16);
    }
}

/// Takes one from a counter, if there is one.
fn takes_one(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
}

/// Every session looks like this, whatever happens to it.
fn stored_session(id: &SessionId) -> Session {
    let at = Timestamp::from_millis(0);
    Session {
        session_id: id.clone(),
        creation_id: CreationId([7; 12]),
        status: SessionStatus::Active,
        language: Language::from_stored("en"),
        started_at: at,
        created_at: at,
        updated_at: at,
        ended_at: None,
        end_reason: None,
        event_count: None,
        metadata: Document::empty(),
        version: Version::FIRST,
    }
}

fn unreadable() -> StoreError {
    StoreError::Unavailable("this store cannot be read".to_owned())
}

#[async_trait]
impl Store for FakeStore {
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome> {
        vec![CreateOutcome::Unknown; sessions.len()]
    }

    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome> {
        self.commits
            .send_modify(|commits| commits.push(records.len()));
        self.gate.acquire().await.unwrap().forget();
        let outcomes = {
            let mut logs = self.logs.lock().unwrap();
            let mut store = |record: &Record| {
                let Record::Event(event) = record else {
                    return CommitOutcome::Stored;
                };
                let log = logs.get_mut(&event.session_id).unwrap();
                let is_next = log.len() as u64 + 1 == event.seq.get();
                if is_next && log.iter().all(|other| other.event_id != event.event_id) {
                    log.push(event.clone());
                    CommitOutcome::Stored
                } else {
                    CommitOutcome::Refused
                }
            };
            records.iter().map(&mut store).collect()
        };
        assert!(!takes_one(&self.panics_after_commit), "told to panic");
        outcomes
    }

    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError> {
        assert!(!takes_one(&self.panics_in_look_up), "told to panic");
        if takes_one(&self.failing_look_ups) {
            return Err(StoreError::TimedOut);
        }
        let logs = self.logs.lock().unwrap();
        let answer = |question: LookUp| match logs.get(&question.session_id) {
            None => Known {
                log: LogState::Absent,
                events: Vec::new(),
            },
            Some(log) => Known {
                log: LogState::Open(log.len() as u64),
                events: question
                    .event_ids
                    .iter()
                    .map(|id| log.iter().find(|event| event.event_id == *id).cloned())
                    .collect(),
            },
        };
        Ok(questions.into_iter().map(answer).collect())
    }

    async fn session(&self, id: &SessionId, _: Consistency) -> Result<Session, ReadError> {
        self.take_time().await;
        if self.has(id) {
            Ok(stored_session(id))
        } else {
            Err(ReadError::Absent)
        }
    }

    async fn events(&self, _: &SessionId, _: &PageQuery) -> Result<EventPage, ReadError> {
        self.take_time().await;
        Err(unreadable().into())
    }

    async fn session_with_events(
        &self,
        _: &SessionId,
        _: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        self.take_time().await;
        Err(unreadable().into())
    }

    async fn event(
        &self,
        _: &SessionId,
        _: &EventId,
        _: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        self.take_time().await;
        Err(unreadable().into())
    }

    async fn list(&self, _: &SessionListQuery) -> Result<SessionPage, StoreError> {
        self.take_time().await;
        Err(unreadable())
    }

    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError> {
        self.begun.send_modify(|begun| *begun += 1);
        self.take_time().await;
        self.ended.send_modify(|ended| *ended += 1);
        if takes_one(&self.lost_updates) {
            return Err(UpdateError::Moved);
        }
        Ok(Session {
            language: change.language,
            metadata: change.metadata,
            updated_at: change.at,
            version: change.base.next(),
            ..stored_session(id)
        })
    }

    async fn erase(&self, id: &SessionId, _: Timestamp) -> Result<(), EraseError> {
        self.begun.send_modify(|begun| *begun += 1);
        self.take_time().await;
        self.ended.send_modify(|ended| *ended += 1);
        match self.logs.lock().unwrap().remove(id) {
            Some(_) => Ok(()),
            None => Err(EraseError::Absent),
        }
    }

    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>> {
        struct Held(watch::Sender<usize>);
        impl Drop for Held {
            fn drop(&mut self) {
                self.0.send_modify(|held| *held -= 1);
            }
        }
        self.subscriptions.fetch_add(1, Ordering::SeqCst);
        self.subscribers.send_modify(|held| *held += 1);
        let held = Held(self.subscribers.clone());
        let receiver = self.foreign.lock().unwrap().subscribe();
        let announcements = stream::unfold((receiver, held), |(mut receiver, held)| async move {
            let announcement = receiver.recv().await.ok()?;
            Some((announcement, (receiver, held)))
        });
        Some(announcements.boxed())
    }

    fn health(&self) -> Health {
        Health::Serving
    }
}

//! A store in memory: one lock, one map, nothing durable. Enough to answer the API's tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::domain::{
    Consistency, Document, Event, EventId, EventType, NewSession, Order, PageQuery, PageStart,
    Position, Seq, Session, SessionId, SessionListQuery, SessionPosition, SessionStatus, Terminal,
    Timestamp, Version,
};
use crate::store::{
    Announcement, CommitOutcome, CreateOutcome, EraseError, EventPage, Health, Known, LogState,
    LookUp, ReadError, Record, SessionChange, SessionPage, Store, StoreError, UpdateError,
};

#[derive(Default)]
pub(super) struct FakeStore {
    sessions: Mutex<BTreeMap<SessionId, Entry>>,
    is_down: AtomicBool,
    page_reads: AtomicUsize,
    listeners: Mutex<Vec<UnboundedSender<Announcement>>>,
}

enum Entry {
    Live(Box<Live>),
    Erased,
}

struct Live {
    session: Session,
    events: Vec<Event>,
    terminal: Option<Terminal>,
}

impl Live {
    fn session(&self) -> Session {
        let mut session = self.session.clone();
        session.event_count = Some(self.events.len() as u64);
        if !self.events.is_empty() {
            session.status = SessionStatus::Active;
        }
        if let Some(terminal) = &self.terminal {
            session.status = terminal.status.into();
            session.ended_at = Some(terminal.at);
            session.end_reason.clone_from(&terminal.reason);
        }
        session
    }

    fn page(&self, query: &PageQuery) -> EventPage {
        let mut sorted: Vec<_> = self
            .events
            .iter()
            .map(|event| (key(query.order, event), event))
            .collect();
        sorted.sort_by_key(|(key, _)| *key);
        if query.order.is_descending() {
            sorted.reverse();
        }
        let events: Vec<_> = sorted.into_iter().map(|(_, event)| event).collect();
        let start = match query.start {
            PageStart::After(position) => events
                .iter()
                .position(|event| event.seq == position.seq)
                .map_or(0, |at| at + 1),
            PageStart::AfterSeq(seq) => events.partition_point(|event| event.seq.get() <= seq),
            PageStart::Offset(_) => 0,
        };
        let skipped = match query.start {
            PageStart::Offset(offset) => usize::try_from(offset).unwrap(),
            _ => 0,
        };
        let mut rest = events[start..]
            .iter()
            .filter(|event| query.filter.passes(event.kind, event.timestamp))
            .skip(skipped);
        let page: Vec<Event> = rest
            .by_ref()
            .take(query.limit)
            .map(|event| (*event).clone())
            .collect();
        let more = rest.next().is_some();
        let next = page.last().filter(|_| more).map(|event| Position {
            timestamp: event.timestamp,
            seq: event.seq,
        });
        EventPage {
            events: page,
            total: self.events.len() as u64,
            terminal: self.terminal.clone(),
            next,
        }
    }
}

fn key(order: Order, event: &Event) -> (Option<Timestamp>, u64) {
    (
        order.is_by_time().then_some(event.timestamp),
        event.seq.get(),
    )
}

impl FakeStore {
    /// From now on it cannot be reached, or again it can.
    pub(super) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// How many pages of events were asked for.
    pub(super) fn page_reads(&self) -> usize {
        self.page_reads.load(Ordering::SeqCst)
    }

    /// Says that the log of a session reaches so far, whoever wrote it.
    pub(super) fn announce(&self, id: &str, seq: u64) {
        let grown = Announcement::Grown(SessionId::from_stored(id), Seq::after(seq - 1));
        for listener in &*self.listeners.lock().unwrap() {
            listener.send(grown.clone()).unwrap();
        }
    }

    /// Appends as another process would, of which this one hears nothing.
    pub(super) fn append_unannounced(&self, id: &str, event_id: &str) {
        let id = SessionId::from_stored(id);
        let mut stored = self.lock();
        let Some(Entry::Live(live)) = stored.get_mut(&id) else {
            panic!("there is no such session");
        };
        let now = Timestamp::from_millis(0);
        live.events.push(Event {
            seq: Seq::after(live.events.len() as u64),
            session_id: id,
            event_id: EventId::from_stored(event_id),
            kind: EventType::System,
            payload: Document::empty(),
            timestamp: now,
            recorded_at: now,
        });
    }

    /// Erases as another process would, of which this one hears nothing.
    pub(super) fn erase_unannounced(&self, id: &str) {
        self.lock()
            .insert(SessionId::from_stored(id), Entry::Erased);
    }

    fn is_up(&self) -> Result<(), StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            Err(StoreError::Unavailable("the test took it down".to_owned()))
        } else {
            Ok(())
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Entry>> {
        self.sessions.lock().unwrap()
    }

    fn read<T>(&self, id: &SessionId, read: impl FnOnce(&Live) -> T) -> Result<T, ReadError> {
        self.is_up()?;
        match self.lock().get(id) {
            None => Err(ReadError::Absent),
            Some(Entry::Erased) => Err(ReadError::Erased),
            Some(Entry::Live(live)) => Ok(read(live)),
        }
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome> {
        let mut stored = self.lock();
        let outcome = |new: NewSession| match stored.get(&new.session_id) {
            Some(Entry::Erased) => CreateOutcome::Erased,
            Some(Entry::Live(live)) => CreateOutcome::Existing(live.session()),
            None => {
                let session = Session {
                    session_id: new.session_id.clone(),
                    creation_id: new.creation_id,
                    status: SessionStatus::Initiated,
                    language: new.language,
                    started_at: new.started_at,
                    created_at: new.created_at,
                    updated_at: new.created_at,
                    ended_at: None,
                    end_reason: None,
                    event_count: Some(0),
                    metadata: new.metadata,
                    version: Version::FIRST,
                };
                let live = Live {
                    session: session.clone(),
                    events: Vec::new(),
                    terminal: None,
                };
                stored.insert(new.session_id, Entry::Live(Box::new(live)));
                CreateOutcome::Created(session)
            }
        };
        sessions.into_iter().map(outcome).collect()
    }

    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome> {
        let mut stored = self.lock();
        let outcome = |record: &Record| {
            let Some(Entry::Live(live)) = stored.get_mut(record.session_id()) else {
                return CommitOutcome::Refused;
            };
            let is_next =
                live.terminal.is_none() && record.seq().get() == live.events.len() as u64 + 1;
            match record {
                _ if !is_next => return CommitOutcome::Refused,
                Record::Event(event) => {
                    if live
                        .events
                        .iter()
                        .any(|other| other.event_id == event.event_id)
                    {
                        return CommitOutcome::Refused;
                    }
                    live.events.push(event.clone());
                }
                Record::Terminal(_, terminal) => {
                    live.session.version = live.session.version.next();
                    live.session.updated_at = terminal.at;
                    live.terminal = Some(terminal.clone());
                }
            }
            CommitOutcome::Stored
        };
        records.iter().map(outcome).collect()
    }

    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError> {
        self.is_up()?;
        let stored = self.lock();
        let known = |question: LookUp| {
            let (log, events) = match stored.get(&question.session_id) {
                None => (LogState::Absent, Vec::new()),
                Some(Entry::Erased) => (LogState::Erased, Vec::new()),
                Some(Entry::Live(live)) => {
                    let log = match &live.terminal {
                        Some(terminal) => LogState::Closed(terminal.clone()),
                        None => LogState::Open(live.events.len() as u64),
                    };
                    let find = |id: &EventId| {
                        live.events
                            .iter()
                            .find(|event| event.event_id == *id)
                            .cloned()
                    };
                    (log, question.event_ids.iter().map(find).collect())
                }
            };
            Known { log, events }
        };
        Ok(questions.into_iter().map(known).collect())
    }

    async fn session(&self, id: &SessionId, _: Consistency) -> Result<Session, ReadError> {
        self.read(id, Live::session)
    }

    async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        self.page_reads.fetch_add(1, Ordering::SeqCst);
        self.read(id, |live| live.page(query))
    }

    async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        self.read(id, |live| (live.session(), live.page(query)))
    }

    async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        _: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        self.read(id, |live| {
            let mut events = live.events.iter();
            events.find(|event| event.event_id == *event_id).cloned()
        })
    }

    async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
        self.is_up()?;
        let filter = &query.filter;
        let stored = self.lock();
        let mut sessions: Vec<_> = stored
            .values()
            .filter_map(|entry| match entry {
                Entry::Live(live) => Some((live.session(), live.terminal.is_some())),
                Entry::Erased => None,
            })
            .filter(|(session, _)| {
                filter.status.is_none_or(|status| status == session.status)
                    && filter
                        .language
                        .as_ref()
                        .is_none_or(|language| language.folded() == session.language.folded())
                    && filter
                        .started_after
                        .is_none_or(|time| session.started_at >= time)
                    && filter
                        .started_before
                        .is_none_or(|time| session.started_at < time)
            })
            .map(|(session, is_closed)| Session {
                event_count: session.event_count.filter(|_| is_closed),
                ..session
            })
            .collect();
        sessions
            .sort_by_key(|session| std::cmp::Reverse((session.started_at, session.creation_id)));
        if let Some(after) = query.after {
            sessions.retain(|session| {
                (session.started_at, session.creation_id) < (after.started_at, after.creation_id)
            });
        }
        let more = sessions.len() > query.limit;
        sessions.truncate(query.limit);
        let next = sessions
            .last()
            .filter(|_| more)
            .map(|session| SessionPosition {
                started_at: session.started_at,
                creation_id: session.creation_id,
            });
        Ok(SessionPage { sessions, next })
    }

    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError> {
        match self.lock().get_mut(id) {
            None => Err(UpdateError::Absent),
            Some(Entry::Erased) => Err(UpdateError::Erased),
            Some(Entry::Live(live)) if live.session.version != change.base => {
                Err(UpdateError::Moved)
            }
            Some(Entry::Live(live)) => {
                live.session.version = change.base.next();
                live.session.language = change.language;
                live.session.metadata = change.metadata;
                live.session.updated_at = change.at;
                Ok(live.session())
            }
        }
    }

    async fn erase(&self, id: &SessionId, _: Timestamp) -> Result<(), EraseError> {
        match self.lock().get_mut(id) {
            None => Err(EraseError::Absent),
            Some(entry) => {
                *entry = Entry::Erased;
                Ok(())
            }
        }
    }

    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.lock().unwrap().push(sender);
        let announcements = stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        Some(announcements.boxed())
    }

    fn health(&self) -> Health {
        self.is_up().into()
    }
}

//! A store in memory: the model behind the trait. What runs over it tests the suite itself, and
//! the log apart from any real store.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::stream::BoxStream;
use sessionstore::domain::{
    Consistency, Event, EventId, NewSession, PageQuery, Position, Session, SessionId,
    SessionListQuery, SessionPosition, Timestamp,
};
use sessionstore::log::Refusal;
use sessionstore::store::{
    Announcement, CommitOutcome, CreateOutcome, EraseError, EventPage, Health, Known, LogState,
    LookUp, ReadError, Record, SessionChange, SessionPage, Store, StoreError, UpdateError,
};

use crate::model::{Model, Row};

#[derive(Clone, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<Model>>);

impl MemoryStore {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
fn missing(refusal: Refusal) -> ReadError {
    if refusal == Refusal::Erased {
        ReadError::Erased
    } else {
        ReadError::Absent
    }
}

fn commit_one(model: &mut Model, record: &Record) -> CommitOutcome {
    let Ok(row) = model.row_mut(record.session_id()) else {
        return CommitOutcome::Refused;
    };
    if row.terminal.is_some() || record.seq() != row.next() {
        return CommitOutcome::Refused;
    }
    match record {
        Record::Event(event) => {
            if row.events.iter().any(|it| it.event_id == event.event_id) {
                return CommitOutcome::Refused;
            }
            row.push(event.clone());
        }
        Record::Terminal(_, terminal) => row.close(terminal.clone()),
    }
    CommitOutcome::Stored
}

fn page(row: &Row, query: &PageQuery) -> EventPage {
    let mut events = Vec::new();
    let mut bytes = 0;
    let mut left = row.page(query).into_iter().peekable();
    while events.len() < query.limit
        && bytes < query.max_bytes
        && let Some(event) = left.next()
    {
        bytes += event.payload.len();
        events.push(event);
    }
    let has_more = left.peek().is_some();
    let last = events.last().filter(|_| has_more);
    EventPage {
        total: row.events.len() as u64,
        terminal: row.terminal.clone(),
        next: last.map(|last| Position {
            timestamp: last.timestamp,
            seq: last.seq,
        }),
        events,
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome> {
        let mut model = self.model();
        let create = |new: NewSession| match model.create(&new) {
            Ok(it) if it.session.creation_id == new.creation_id => {
                CreateOutcome::Created(it.session)
            }
            Ok(it) => CreateOutcome::Existing(it.session),
            Err(_) => CreateOutcome::Erased,
        };
        sessions.into_iter().map(create).collect()
    }

    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome> {
        let mut model = self.model();
        let mut outcomes = Vec::new();
        // As an ordered insert: the first refusal stops the rest.
        for record in records.iter() {
            let outcome = match outcomes.last() {
                None | Some(CommitOutcome::Stored) => commit_one(&mut model, record),
                Some(_) => CommitOutcome::NotTried,
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError> {
        let model = self.model();
        let known = |question: LookUp| match model.row(&question.session_id) {
            Err(Refusal::Erased) => Known {
                log: LogState::Erased,
                events: Vec::new(),
            },
            Err(_) => Known {
                log: LogState::Absent,
                events: Vec::new(),
            },
            Ok(row) => {
                let find = |id: &EventId| row.events.iter().find(|it| it.event_id == *id).cloned();
                Known {
                    log: match &row.terminal {
                        Some(terminal) => LogState::Closed(terminal.clone()),
                        None => LogState::Open(row.events.len() as u64),
                    },
                    events: question.event_ids.iter().map(find).collect(),
                }
            }
        };
        Ok(questions.into_iter().map(known).collect())
    }

    async fn session(&self, id: &SessionId, _: Consistency) -> Result<Session, ReadError> {
        let model = self.model();
        Ok(model.row(id).map_err(missing)?.session.clone())
    }

    async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        let model = self.model();
        Ok(page(model.row(id).map_err(missing)?, query))
    }

    async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        let model = self.model();
        let row = model.row(id).map_err(missing)?;
        Ok((row.session.clone(), page(row, query)))
    }

    async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        _: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        let model = self.model();
        let mut events = model.row(id).map_err(missing)?.events.iter();
        Ok(events.find(|event| event.event_id == *event_id).cloned())
    }

    async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
        let mut sessions = self.model().list(query);
        let has_more = sessions.len() > query.limit;
        sessions.truncate(query.limit);
        let last = sessions.last().filter(|_| has_more);
        Ok(SessionPage {
            next: last.map(|last| SessionPosition {
                started_at: last.started_at,
                creation_id: last.creation_id,
            }),
            sessions,
        })
    }

    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError> {
        let mut model = self.model();
        let row = model.row_mut(id).map_err(|refusal| match refusal {
            Refusal::Erased => UpdateError::Erased,
            _ => UpdateError::Absent,
        })?;
        let session = &mut row.session;
        if session.version != change.base {
            return Err(UpdateError::Moved);
        }
        session.language = change.language;
        session.metadata = change.metadata;
        session.updated_at = change.at;
        session.version = session.version.next();
        Ok(session.clone())
    }

    async fn erase(&self, id: &SessionId, _: Timestamp) -> Result<(), EraseError> {
        if self.model().erase(id) {
            Ok(())
        } else {
            Err(EraseError::Absent)
        }
    }

    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>> {
        None
    }

    fn health(&self) -> Health {
        Health::Serving
    }
}

//! What is committed of sessions: their documents and the ends of their logs, in one question.

use std::collections::HashMap;

use mongodb::bson::{Bson, Document, RawBsonRef, RawDocument, Timestamp, doc};
use mongodb::options::ServerAddress;
use tokio::time::Instant;

use crate::domain::{Event, EventId, Session, SessionId, SessionStatus, Terminal};
use crate::store::mongo::codec::{self, Garbled, LogDocument, SessionDocument};
use crate::store::mongo::error::CallError;
use crate::store::mongo::link::{Link, Reply};
use crate::store::{Known, LogState, LookUp, ReadError, StoreError};

/// A session and the end of its log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    document: SessionDocument,
    log: Log,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Log {
    /// How many events it has.
    pub(super) events: u64,
    pub(super) terminal: Option<Terminal>,
}

impl Log {
    /// The place of its last record; 0 without any.
    pub(super) fn tail(&self) -> u64 {
        match &self.terminal {
            Some(terminal) => terminal.seq.get(),
            None => self.events,
        }
    }
}

/// Sessions as they are known at one moment of the set.
pub(super) struct Finding {
    pub(super) sessions: HashMap<SessionId, Found>,
    /// That moment: what a secondary has to have reached to know the same.
    pub(super) at: Option<Timestamp>,
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// The primary: the answer is what a majority has.
    Primary,
    /// Any other member: the answer is what it knows of what a majority has.
    Member(&'a ServerAddress),
}

/// Looks for sessions; those that do not exist are missing in the answer.
pub(super) async fn find(
    link: &Link,
    ids: &[&SessionId],
    asked: Asked<'_>,
    deadline: Instant,
) -> Result<Finding, CallError> {
    let command = question(ids);
    let reply = match asked {
        Asked::Primary => link.read(&command, deadline).await?,
        Asked::Member(member) => link.read_from(member, &command, None, deadline).await?,
    };
    let mut sessions = HashMap::with_capacity(ids.len());
    for document in reply.documents()? {
        let (id, found) = found(document?)?;
        sessions.insert(id, found);
    }
    Ok(Finding {
        sessions,
        at: reply.operation_time(),
    })
}

/// Looks for one session.
pub(super) async fn find_one(
    link: &Link,
    id: &SessionId,
    asked: Asked<'_>,
    deadline: Instant,
) -> Result<(Option<Found>, Option<Timestamp>), CallError> {
    let mut finding = find(link, &[id], asked, deadline).await?;
    Ok((finding.sessions.remove(id), finding.at))
}

/// Only a range over the whole `_id`, its fields in this order, uses the index.
fn question(ids: &[&SessionId]) -> Document {
    let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let range = doc! {"$and": [
        {"$gte": ["$_id", {"sessionId": "$$session", "seq": 0_i64}]},
        {"$lte": ["$_id", {"sessionId": "$$session", "seq": i64::MAX}]},
    ]};
    doc! {
        "aggregate": "sessions",
        "pipeline": [
            {"$match": {"sessionId": {"$in": names}}},
            {"$lookup": {
                "from": "events",
                "let": {"session": "$sessionId"},
                "pipeline": [
                    {"$match": {"$expr": range}},
                    {"$sort": {"_id": -1}},
                    {"$limit": 1},
                    {"$project": {"closed": 1}},
                ],
                "as": "last",
            }},
        ],
        "cursor": {"batchSize": i64::try_from(ids.len() + 1).unwrap_or(i64::MAX)},
    }
}

fn found(document: &RawDocument) -> Result<(SessionId, Found), Garbled> {
    let garbled = |what| Garbled::new(what);
    let id = document
        .get_str("sessionId")
        .map_err(|_| garbled("a session without sessionId"))?;
    let id = SessionId::from_stored(id);
    let last = document
        .get_array("last")
        .map_err(|_| garbled("a session without the end of its log"))?;
    let log = match last.into_iter().next() {
        None => Log {
            events: 0,
            terminal: None,
        },
        Some(last) => {
            let last = last
                .ok()
                .and_then(RawBsonRef::as_document)
                .ok_or_else(|| garbled("the end of a log"))?;
            end_of_log(&id, last)?
        }
    };
    let document = codec::session_document(document)?;
    Ok((id, Found { document, log }))
}

fn end_of_log(id: &SessionId, last: &RawDocument) -> Result<Log, Garbled> {
    if matches!(last.get("closed"), Ok(Some(_)))
        && let LogDocument::Terminal(terminal) = codec::log_document(id, last)?
    {
        return Ok(Log {
            events: terminal.event_count(),
            terminal: Some(terminal),
        });
    }
    let (_, seq) = codec::id_of(last)?;
    Ok(Log {
        events: seq.get(),
        terminal: None,
    })
}

impl Found {
    /// The session as its log has it, whatever its document has missed; and its log.
    pub(super) fn into_session(self) -> Result<(Session, Log), ReadError> {
        match self.document {
            SessionDocument::Tombstone { .. } => Err(ReadError::Erased),
            SessionDocument::Live(stored) => Ok((derived(stored, &self.log), self.log)),
        }
    }

    pub(super) fn is_erased(&self) -> bool {
        matches!(self.document, SessionDocument::Tombstone { .. })
    }

    /// Whether its content is all gone; `None` for a session that was not erased.
    pub(super) fn is_purged(&self) -> Option<bool> {
        match self.document {
            SessionDocument::Tombstone { is_purged } => Some(is_purged),
            SessionDocument::Live(_) => None,
        }
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// The record that its document does not know of: whoever wrote it ended before the document
    /// was written too.
    pub(super) fn unseen_terminal(&self) -> Option<&Terminal> {
        match &self.document {
            SessionDocument::Live(stored) if !is_closed(stored.status) => {
                self.log.terminal.as_ref()
            }
            _ => None,
        }
    }

    /// Whether its document does not know that it has begun.
    pub(super) fn is_unseen_beginning(&self) -> bool {
        matches!(&self.document, SessionDocument::Live(stored)
            if stored.status == SessionStatus::Initiated
                && self.log.events > 0
                && self.log.terminal.is_none())
    }

    fn state(&self) -> LogState {
        if self.is_erased() {
            return LogState::Erased;
        }
        match &self.log.terminal {
            Some(terminal) => LogState::Closed(terminal.clone()),
            None => LogState::Open(self.log.events),
        }
    }
}

fn is_closed(status: SessionStatus) -> bool {
    matches!(status, SessionStatus::Completed | SessionStatus::Failed)
}

/// What a reader is told of a session: its document, corrected by its log.
fn derived(stored: Session, log: &Log) -> Session {
    let stored = Session {
        event_count: Some(log.events),
        ..stored
    };
    match &log.terminal {
        None if log.events == 0 => stored,
        None => Session {
            status: SessionStatus::Active,
            ..stored
        },
        Some(_) if is_closed(stored.status) => stored,
        // As the repair will write it.
        Some(terminal) => Session {
            status: terminal.status.into(),
            updated_at: terminal.at,
            ended_at: Some(terminal.at),
            end_reason: terminal.reason.clone(),
            version: stored.version.next(),
            ..stored
        },
    }
}

/// Answers the questions of the committer.
pub(super) async fn look_up(
    link: &Link,
    questions: &[LookUp],
) -> Result<(Vec<Known>, HashMap<SessionId, Found>), StoreError> {
    let deadline = link.deadline();
    let ids: Vec<&SessionId> = questions.iter().map(|it| &it.session_id).collect();
    let finding = find(link, &ids, Asked::Primary, deadline).await?;
    // After the logs: an event that is missing here was not in a log that is closed by now.
    let events = find_events(link, questions, &finding.sessions, deadline).await?;
    let known = questions.iter().map(|question| {
        let id = &question.session_id;
        let log = match finding.sessions.get(id) {
            None => LogState::Absent,
            Some(found) => found.state(),
        };
        let is_there = matches!(log, LogState::Open(_) | LogState::Closed(_));
        let wanted = question.event_ids.iter().filter(|_| is_there);
        Known {
            events: wanted
                .map(|event_id| events.get(&(id.clone(), event_id.clone())).cloned())
                .collect(),
            log,
        }
    });
    Ok((known.collect(), finding.sessions))
}

async fn find_events(
    link: &Link,
    questions: &[LookUp],
    sessions: &HashMap<SessionId, Found>,
    deadline: Instant,
) -> Result<HashMap<(SessionId, EventId), Event>, StoreError> {
    let mut alternatives = Vec::new();
    let mut count = 0_i64;
    for LookUp {
        session_id,
        event_ids,
    } in questions
    {
        let is_there = sessions.get(session_id).is_some_and(|it| !it.is_erased());
        if is_there && !event_ids.is_empty() {
            let ids: Vec<&str> = event_ids.iter().map(EventId::as_str).collect();
            count += i64::try_from(ids.len()).unwrap_or(i64::MAX);
            alternatives.push(Bson::from(doc! {
                "_id.sessionId": session_id.as_str(),
                "eventId": {"$in": ids},
            }));
        }
    }
    let mut events = HashMap::new();
    // A batch ends at 16 MiB, whatever its size was to be: what is missing is asked for again.
    while !alternatives.is_empty() {
        let command = doc! {
            "find": "events",
            "filter": {"$or": alternatives.clone()},
            "batchSize": count + 1,
            "singleBatch": true,
        };
        let reply = link.read(&command, deadline).await?;
        let before = events.len();
        collect_events(&reply, &mut events)?;
        let is_complete = events.len() == before || reply_is_small(&reply);
        if is_complete {
            break;
        }
        alternatives = without(alternatives, &events);
    }
    Ok(events)
}

/// Whether a reply was certainly not cut off by its size.
fn reply_is_small(reply: &Reply) -> bool {
    reply.bytes() < 8 * 1024 * 1024
}

fn collect_events(
    reply: &Reply,
    events: &mut HashMap<(SessionId, EventId), Event>,
) -> Result<(), Garbled> {
    for document in reply.documents()? {
        let document = document?;
        let (session_id, _) = codec::id_of(document)?;
        if let LogDocument::Event(event) = codec::log_document(&session_id, document)? {
            events.insert((session_id, event.event_id.clone()), event);
        }
    }
    Ok(())
}

/// The questions that are left when these events are known.
fn without(alternatives: Vec<Bson>, events: &HashMap<(SessionId, EventId), Event>) -> Vec<Bson> {
    let is_left = |question: &Document| {
        let session_id = question
            .get_str("_id.sessionId")
            .map(SessionId::from_stored);
        let ids = question
            .get_document("eventId")
            .and_then(|ids| ids.get_array("$in"));
        let (Ok(session_id), Ok(ids)) = (session_id, ids) else {
            return false;
        };
        let mut ids = ids
            .iter()
            .filter_map(Bson::as_str)
            .map(EventId::from_stored);
        ids.any(|id| !events.contains_key(&(session_id.clone(), id)))
    };
    alternatives
        .into_iter()
        .filter(|question| question.as_document().is_some_and(is_left))
        .collect()
}

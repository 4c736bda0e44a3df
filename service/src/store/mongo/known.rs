//! What is committed of sessions: their documents and the ends of their logs, in one question.

use std::collections::{HashMap, HashSet};

use mongodb::bson::raw::RawArrayBuf;
use mongodb::bson::{RawDocumentBuf, Timestamp, rawdoc};
use mongodb::options::ServerAddress;
use tokio::time::Instant;

use crate::domain::{self, Event, EventId, Session, SessionId, SessionStatus, Terminal};
use crate::store::mongo::codec::{self, Garbled, LogDocument, SessionDocument};
use crate::store::mongo::erase;
use crate::store::mongo::error::CallError;
use crate::store::mongo::link::{Link, Reign};
use crate::store::mongo::question::{Answer, Question, Verdict};
use crate::store::mongo::tails::Tails;
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
    /// That of a session that was just created.
    pub(super) const EMPTY: Self = Self {
        events: 0,
        terminal: None,
    };

    /// The place of its last record; 0 without any.
    pub(super) fn tail(&self) -> u64 {
        match &self.terminal {
            Some(terminal) => terminal.seq.get(),
            None => self.events,
        }
    }
}

/// Sessions as they are known at one moment of the set.
#[derive(Default)]
pub(super) struct Finding {
    pub(super) sessions: HashMap<SessionId, Found>,
    /// Those that cannot be read, which is nothing to others that were asked for with them.
    damaged: HashMap<SessionId, Garbled>,
    /// That moment: what a secondary has to have reached to know the same.
    pub(super) at: Option<Timestamp>,
    /// The primary that was asked.
    pub(super) reign: Option<Reign>,
}

impl Finding {
    /// One of them; `None` if it does not exist.
    pub(super) fn get(&self, id: &SessionId) -> Result<Option<&Found>, CallError> {
        match self.damaged.get(id) {
            Some(garbled) => Err(garbled.clone().into()),
            None => Ok(self.sessions.get(id)),
        }
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    /// The primary: the answer is what a majority has.
    Primary,
    /// Any other member: the answer is what it knows of what a majority has.
    Member(&'a ServerAddress),
}

/// Looks for sessions; those that do not exist are missing in the answer. With `tails`, which only
/// the primary is sure to know, from there on.
///
/// Nobody is told that a session is erased before its log is ended: until then a writer that
/// remembers the tail could still append, and the session would seem to come back.
pub(super) async fn find(
    link: &Link,
    tails: Option<&Tails>,
    ids: &[&SessionId],
    asked: Asked<'_>,
    deadline: Instant,
) -> Result<Finding, CallError> {
    let mut finding = find_as_stored(link, tails, ids, asked, deadline).await?;
    let half_erased: Vec<(SessionId, domain::Timestamp)> = finding
        .sessions
        .iter()
        .filter_map(|(id, found)| Some((id.clone(), found.erased_with_open_log()?)))
        .collect();
    for (id, at) in half_erased {
        match asked {
            // Boxed, since ending a log looks for it too.
            Asked::Primary => {
                Box::pin(erase::end_log(link, &id, at, deadline)).await?;
            }
            // It may be behind: the primary knows.
            Asked::Member(_) => {
                finding.sessions.remove(&id);
            }
        }
    }
    Ok(finding)
}

/// The same, whatever a crash has left.
pub(super) async fn find_as_stored(
    link: &Link,
    tails: Option<&Tails>,
    ids: &[&SessionId],
    asked: Asked<'_>,
    deadline: Instant,
) -> Result<Finding, CallError> {
    let mut finding = Finding::default();
    ask_for(link, tails, ids, asked, deadline, &mut finding).await?;
    // The document and the end of the log are read one after the other. A terminal record that the
    // document does not know of may just have been written with it, or by an erasure since.
    let doubtful: Vec<&SessionId> = ids
        .iter()
        .copied()
        .filter(|id| {
            let found = finding.sessions.get(*id);
            found.is_some_and(|found| found.unseen_terminal().is_some())
        })
        .collect();
    if !doubtful.is_empty() {
        ask_for(link, tails, &doubtful, asked, deadline, &mut finding).await?;
    }
    Ok(finding)
}

async fn ask_for(
    link: &Link,
    tails: Option<&Tails>,
    ids: &[&SessionId],
    asked: Asked<'_>,
    deadline: Instant,
    finding: &mut Finding,
) -> Result<(), CallError> {
    let mut left = ids.to_vec();
    let mut tails = tails;
    while !left.is_empty() {
        let remembered = match tails {
            Some(tails) => tails.of(&left),
            None => vec![None; left.len()],
        };
        let question = Question::new(&left, &remembered);
        let command = question.command();
        let reply = match asked {
            Asked::Primary => link.read(&command, deadline).await?,
            Asked::Member(member) => link.read_from(member, &command, None, deadline).await?,
        };
        if reply.is_cut() && question.is_from_memory() {
            // Much has been written since: the last records alone are fewer.
            tails = None;
            continue;
        }
        let mut answer = Answer::default();
        for row in reply.documents()? {
            answer.take(row?)?;
        }
        finding.at = reply.operation_time();
        finding.reign = reply.reign().cloned();
        let (before, is_cut) = (left.len(), reply.is_cut());
        let answered: HashSet<&SessionId> =
            left.iter().copied().filter(|id| answer.has(id)).collect();
        let mut again = HashSet::new();
        for (id, verdict) in question.found(answer) {
            match verdict {
                Verdict::Found(found) => {
                    finding.sessions.insert(id, found);
                }
                Verdict::Damaged(garbled) => {
                    tracing::error!(session_id = %id, %garbled, "a session is damaged");
                    finding.damaged.insert(id, garbled);
                }
                Verdict::Otherwise => {
                    if let Some(tails) = tails {
                        tails.forget(&id);
                    }
                    again.insert(id);
                }
            }
        }
        left.retain(|id| again.contains(*id) || (is_cut && !answered.contains(id)));
        if left.len() == before && again.is_empty() {
            break;
        }
    }
    if let Some(tails) = tails {
        let found = finding.sessions.iter();
        tails.saw(found.map(|(id, found)| (id, found.log.tail())));
    }
    Ok(())
}

/// Looks for one session.
pub(super) async fn find_one(
    link: &Link,
    id: &SessionId,
    asked: Asked<'_>,
    deadline: Instant,
) -> Result<(Option<Found>, Option<Timestamp>), CallError> {
    let finding = find(link, None, &[id], asked, deadline).await?;
    Ok((finding.get(id)?.cloned(), finding.at))
}

impl Found {
    pub(super) fn new(document: SessionDocument, log: Log) -> Self {
        Self { document, log }
    }

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

    /// When it was erased, if its log does not know yet.
    fn erased_with_open_log(&self) -> Option<domain::Timestamp> {
        match self.document {
            SessionDocument::Tombstone { at, .. } if self.log.terminal.is_none() => Some(at),
            _ => None,
        }
    }

    /// Whether its content is all gone; `None` for a session that was not erased.
    pub(super) fn is_purged(&self) -> Option<bool> {
        match self.document {
            SessionDocument::Tombstone { is_purged, .. } => Some(is_purged),
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

    fn is_closed(&self) -> bool {
        self.log.terminal.is_some() && !self.is_erased()
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
    tails: &Tails,
    questions: &[LookUp],
    deadline: Instant,
) -> Result<(Vec<Known>, HashMap<SessionId, Found>), StoreError> {
    let ids: Vec<&SessionId> = questions.iter().map(|it| &it.session_id).collect();
    let mut finding = find(link, Some(tails), &ids, Asked::Primary, deadline).await?;
    // After the logs: an event that is missing here was not in a log that is closed by now.
    let mut wanted = Wanted::of(questions, &finding.sessions);
    let events = find_events(link, &mut wanted, deadline).await?;
    // Unless the log was erased meanwhile, and its events with it.
    let closed: Vec<&SessionId> = wanted
        .sessions()
        .filter(|id| finding.sessions.get(*id).is_some_and(Found::is_closed))
        .collect();
    if !closed.is_empty() {
        ask_for(
            link,
            Some(tails),
            &closed,
            Asked::Primary,
            deadline,
            &mut finding,
        )
        .await?;
    }
    let mut known = Vec::with_capacity(questions.len());
    for question in questions {
        let id = &question.session_id;
        let log = match finding.get(id)? {
            None => LogState::Absent,
            Some(found) => found.state(),
        };
        let is_there = matches!(log, LogState::Open(_) | LogState::Closed(_));
        let wanted = question.event_ids.iter().filter(|_| is_there);
        known.push(Known {
            events: wanted
                .map(|event_id| events.get(&(id.clone(), event_id.clone())).cloned())
                .collect(),
            log,
        });
    }
    Ok((known, finding.sessions))
}

/// Events that are still to be found, by session.
struct Wanted<'a>(HashMap<&'a SessionId, HashSet<&'a EventId>>);

impl<'a> Wanted<'a> {
    /// Those of sessions that are there.
    fn of(questions: &'a [LookUp], sessions: &HashMap<SessionId, Found>) -> Self {
        let mut wanted: HashMap<_, HashSet<_>> = HashMap::new();
        for LookUp {
            session_id,
            event_ids,
        } in questions
        {
            let is_there = sessions.get(session_id).is_some_and(|it| !it.is_erased());
            if is_there && !event_ids.is_empty() {
                wanted.entry(session_id).or_default().extend(event_ids);
            }
        }
        Self(wanted)
    }

    fn sessions(&self) -> impl Iterator<Item = &'a SessionId> {
        self.0.keys().copied()
    }

    fn command(&self) -> RawDocumentBuf {
        let mut count = 0;
        let mut alternatives = RawArrayBuf::new();
        for (session_id, event_ids) in &self.0 {
            let mut ids = RawArrayBuf::new();
            for id in event_ids {
                ids.push(id.as_str());
            }
            count += event_ids.len();
            alternatives.push(rawdoc! {
                "_id.sessionId": session_id.as_str(), "eventId": {"$in": ids},
            });
        }
        rawdoc! {
            "find": "events",
            "filter": {"$or": alternatives},
            "batchSize": i64::try_from(count + 1).unwrap_or(i64::MAX),
        }
    }

    fn found(&mut self, event: &Event) {
        if let Some(left) = self.0.get_mut(&event.session_id) {
            left.remove(&event.event_id);
            if left.is_empty() {
                self.0.remove(&event.session_id);
            }
        }
    }
}

/// Finds what is stored of these events; what is left of `wanted` is not.
async fn find_events(
    link: &Link,
    wanted: &mut Wanted<'_>,
    deadline: Instant,
) -> Result<HashMap<(SessionId, EventId), Event>, StoreError> {
    let mut events = HashMap::new();
    while !wanted.0.is_empty() {
        let reply = link.read(&wanted.command(), deadline).await?;
        let before = events.len();
        for document in reply.documents()? {
            let document = document?;
            let (session_id, _) = codec::id_of(document)?;
            if let LogDocument::Event(event) = codec::log_document(&session_id, document)? {
                wanted.found(&event);
                events.insert((session_id, event.event_id.clone()), event);
            }
        }
        if !reply.is_cut() || events.len() == before {
            break;
        }
    }
    Ok(events)
}

//! Writing: sessions and records by insert, and what follows from a record in its session.

use std::collections::{HashMap, HashSet};

use mongodb::bson::raw::cstr;
use mongodb::bson::{Bson, Document, RawArrayBuf, RawDocumentBuf, doc, rawdoc};
use tokio::time::Instant;

use crate::domain::{NewSession, Seq, Session, SessionId, SessionStatus, Terminal};
use crate::store::mongo::codec;
use crate::store::mongo::error::CallError;
use crate::store::mongo::known::{self, Asked, Found};
use crate::store::mongo::link::{Link, pause_after, settled};
use crate::store::{CommitOutcome, CreateOutcome, ReadError, Record};

/// Most bytes of documents in one command: a message may have 48 MB, its body 16.
const COMMAND_BYTES: usize = 12 * 1024 * 1024;

/// Code of a unique index that is met a second time.
const DUPLICATE_KEY: i32 = 11000;

pub(super) async fn commit(
    link: &Link,
    records: &[Record],
    deadline: Instant,
) -> Vec<CommitOutcome> {
    let mut outcomes = Vec::with_capacity(records.len());
    let mut documents = records.iter().map(codec::record).peekable();
    while documents.peek().is_some() {
        let chunk = take_chunk(&mut documents);
        let count = chunk.len();
        let command = insert("events", true, &chunk);
        let reply = link.write("insert", command, deadline).await;
        let stored = insert_outcomes(reply.as_ref(), count, Batch::Ordered);
        let is_complete = stored.iter().all(|it| *it == CommitOutcome::Stored);
        outcomes.extend(stored);
        if !is_complete {
            break;
        }
    }
    outcomes.resize(records.len(), CommitOutcome::NotTried);
    follow_up(link, records, &mut outcomes, deadline).await;
    outcomes
}

/// The documents of the next command.
fn take_chunk(
    documents: &mut std::iter::Peekable<impl Iterator<Item = RawDocumentBuf>>,
) -> Vec<RawDocumentBuf> {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    while let Some(document) =
        documents.next_if(|next| chunk.is_empty() || bytes + next.as_bytes().len() <= COMMAND_BYTES)
    {
        bytes += document.as_bytes().len();
        chunk.push(document);
    }
    chunk
}

fn insert(collection: &str, is_ordered: bool, documents: &[RawDocumentBuf]) -> RawDocumentBuf {
    let mut array = RawArrayBuf::new();
    for document in documents {
        array.push(&**document);
    }
    let mut command = rawdoc! {"insert": collection, "ordered": is_ordered};
    command.append(cstr!("documents"), &*array);
    command
}

/// Whether the server goes on after a document that it refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batch {
    Ordered,
    Unordered,
}

/// What the reply to an insert says of each document.
fn insert_outcomes(
    reply: Result<&Document, &CallError>,
    count: usize,
    batch: Batch,
) -> Vec<CommitOutcome> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(CallError::NotDone(_) | CallError::Refused(_)) => {
            return vec![CommitOutcome::NotTried; count];
        }
        Err(CallError::Lost(_) | CallError::TimedOut) => {
            return vec![CommitOutcome::Unknown; count];
        }
    };
    // What was inserted is not known to be with a majority then, and may be rolled back.
    let is_durable = !reply.contains_key("writeConcernError");
    let inserted = if is_durable {
        CommitOutcome::Stored
    } else {
        CommitOutcome::Unknown
    };
    let mut outcomes = vec![inserted; count];
    let errors = reply
        .get_array("writeErrors")
        .map_or(&[][..], Vec::as_slice);
    for error in errors.iter().filter_map(Bson::as_document) {
        let index = error.get("index").and_then(as_index);
        let Some(index) = index.filter(|index| *index < count) else {
            return vec![CommitOutcome::Unknown; count];
        };
        outcomes[index] = match error.get_i32("code") {
            Ok(DUPLICATE_KEY) => CommitOutcome::Refused,
            // Interrupted, out of space, …: its own write was taken back.
            _ => CommitOutcome::NotTried,
        };
        if batch == Batch::Ordered {
            outcomes[index + 1..].fill(CommitOutcome::NotTried);
        }
    }
    outcomes
}

fn as_index(number: &Bson) -> Option<usize> {
    let number = number.as_i32().map(i64::from).or_else(|| number.as_i64())?;
    usize::try_from(number).ok()
}

/// Writes what follows from stored records into their sessions: that they have begun, that they
/// are closed. A record counts as stored only when this is too.
async fn follow_up(
    link: &Link,
    records: &[Record],
    outcomes: &mut [CommitOutcome],
    deadline: Instant,
) {
    let mut follow_ups = FollowUps::default();
    let mut causes = HashSet::new();
    for (record, outcome) in records.iter().zip(&*outcomes) {
        if *outcome == CommitOutcome::Stored && follow_ups.add(record) {
            causes.insert(record.session_id());
        }
    }
    if let Err(error) = follow_ups.write(link, deadline).await {
        tracing::warn!(%error, "sessions were not updated after their records");
        // The cause, and with it what comes after it in its session.
        for (record, outcome) in records.iter().zip(outcomes) {
            if *outcome == CommitOutcome::Stored && causes.contains(record.session_id()) {
                *outcome = CommitOutcome::Unknown;
            }
        }
    }
}

/// What sessions have to be told of their logs. Each is idempotent.
#[derive(Default)]
pub(super) struct FollowUps {
    begun: Vec<SessionId>,
    closed: HashMap<SessionId, Terminal>,
}

impl FollowUps {
    /// Whether there is something to tell.
    fn add(&mut self, record: &Record) -> bool {
        match record {
            Record::Event(event) if event.seq == Seq::FIRST => {
                self.begun.push(event.session_id.clone());
                true
            }
            Record::Event(_) => false,
            Record::Terminal(id, terminal) => {
                self.closed.insert(id.clone(), terminal.clone());
                true
            }
        }
    }

    /// What those of these sessions have to be told whose documents are behind their logs.
    pub(super) fn of<'a>(found: impl IntoIterator<Item = (&'a SessionId, &'a Found)>) -> Self {
        let mut follow_ups = Self::default();
        for (id, found) in found {
            if let Some(terminal) = found.unseen_terminal() {
                follow_ups.closed.insert(id.clone(), terminal.clone());
            } else if found.is_unseen_beginning() {
                follow_ups.begun.push(id.clone());
            }
        }
        follow_ups
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.closed.is_empty()
    }

    /// Writes them, repeatedly if need be.
    pub(super) async fn write(&self, link: &Link, deadline: Instant) -> Result<(), CallError> {
        if self.is_empty() {
            return Ok(());
        }
        let mut updates = Vec::with_capacity(self.closed.len() + 1);
        if !self.begun.is_empty() {
            let ids: Vec<&str> = self.begun.iter().map(SessionId::as_str).collect();
            updates.push(doc! {
                "q": {"sessionId": {"$in": ids}, "status": "initiated"},
                "u": {"$set": {"status": "active"}},
                "multi": true,
            });
        }
        updates.extend(
            self.closed
                .iter()
                .map(|(id, terminal)| closing(id, terminal)),
        );
        update(link, "sessions", &updates, deadline).await
    }
}

fn closing(id: &SessionId, terminal: &Terminal) -> Document {
    let at = mongodb::bson::DateTime::from_millis(terminal.at.millis());
    let mut fields = doc! {
        "status": SessionStatus::from(terminal.status).as_str(),
        "endedAt": at,
        "eventCount": i64::try_from(terminal.event_count()).unwrap_or(i64::MAX),
        "updatedAt": at,
    };
    if let Some(reason) = &terminal.reason {
        fields.insert("endReason", &**reason);
    }
    doc! {
        "q": {"sessionId": id.as_str(), "status": {"$in": ["initiated", "active"]}},
        "u": {"$set": fields, "$inc": {"version": 1_i64}},
    }
}

/// Sends idempotent updates until a majority has them all.
pub(super) async fn update(
    link: &Link,
    collection: &str,
    updates: &[Document],
    deadline: Instant,
) -> Result<(), CallError> {
    let command = doc! {"update": collection, "ordered": false, "updates": updates};
    let command = RawDocumentBuf::try_from(&command)
        .map_err(|error| CallError::Refused(error.to_string()))?;
    loop {
        let reply = link.write("update", command.clone(), deadline).await;
        match reply.and_then(|reply| settled(&reply)) {
            Ok(()) => return Ok(()),
            Err(error) => pause_after(error, deadline).await?,
        }
    }
}

pub(super) async fn create(
    link: &Link,
    sessions: &[NewSession],
    deadline: Instant,
) -> Vec<CreateOutcome> {
    let mut documents = sessions.iter().map(codec::session).peekable();
    let mut outcomes = Vec::with_capacity(sessions.len());
    while documents.peek().is_some() {
        let chunk = take_chunk(&mut documents);
        let command = insert("sessions", false, &chunk);
        let reply = link.write("insert", command, deadline).await;
        outcomes.extend(insert_outcomes(
            reply.as_ref(),
            chunk.len(),
            Batch::Unordered,
        ));
    }
    let mut taken = Vec::new();
    for (session, outcome) in sessions.iter().zip(&outcomes) {
        if *outcome == CommitOutcome::Refused {
            taken.push(&session.session_id);
        }
    }
    let there = there_already(link, &taken, deadline).await;
    let outcome = |(new, outcome): (&NewSession, &CommitOutcome)| match outcome {
        CommitOutcome::Stored => CreateOutcome::Created(Session::created(new)),
        CommitOutcome::Refused => existing(new, there.get(&new.session_id)),
        CommitOutcome::NotTried | CommitOutcome::Unknown => CreateOutcome::Unknown,
    };
    sessions.iter().zip(&outcomes).map(outcome).collect()
}

/// The sessions that have these ids, repaired; those that could not be read are missing.
async fn there_already(
    link: &Link,
    ids: &[&SessionId],
    deadline: Instant,
) -> HashMap<SessionId, Found> {
    if ids.is_empty() {
        return HashMap::new();
    }
    let looking = async {
        let there = known::find(link, None, ids, Asked::Primary, deadline)
            .await?
            .sessions;
        FollowUps::of(&there).write(link, deadline).await?;
        Ok::<_, CallError>(there)
    };
    looking.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "sessions that exist were not read, will be repeated");
        HashMap::new()
    })
}

/// The outcome for a session whose id is taken by this one.
fn existing(new: &NewSession, found: Option<&Found>) -> CreateOutcome {
    // Not visible at a majority yet, and may be rolled back: wait and see.
    let Some(found) = found else {
        return CreateOutcome::Unknown;
    };
    match found.clone().into_session() {
        Ok((session, _)) if session.creation_id == new.creation_id => {
            CreateOutcome::Created(session)
        }
        Ok((session, _)) => CreateOutcome::Existing(session),
        Err(ReadError::Erased) => CreateOutcome::Erased,
        Err(ReadError::Absent | ReadError::Store(_)) => CreateOutcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::CommitOutcome::{NotTried, Refused, Stored, Unknown};
    use super::*;

    fn of(reply: &Document, batch: Batch) -> Vec<CommitOutcome> {
        insert_outcomes(Ok(reply), 4, batch)
    }

    fn duplicate(index: i32) -> Document {
        doc! {"index": index, "code": DUPLICATE_KEY, "errmsg": "E11000"}
    }

    #[test]
    fn an_insert_without_errors_is_stored() {
        assert_eq!(of(&doc! {"n": 4, "ok": 1.0}, Batch::Ordered), [Stored; 4]);
    }

    #[test]
    fn nothing_after_a_refused_document_of_an_ordered_batch_is_tried() {
        let reply = doc! {"n": 1, "writeErrors": [duplicate(1)]};
        assert_eq!(
            of(&reply, Batch::Ordered),
            [Stored, Refused, NotTried, NotTried]
        );
        assert_eq!(
            of(&reply, Batch::Unordered),
            [Stored, Refused, Stored, Stored]
        );
    }

    #[test]
    fn what_a_majority_has_not_confirmed_is_unknown() {
        let reply = doc! {
            "n": 2,
            "writeErrors": [duplicate(2)],
            "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
        };
        assert_eq!(
            of(&reply, Batch::Ordered),
            [Unknown, Unknown, Refused, NotTried]
        );
    }

    #[test]
    fn only_an_occupied_key_refuses() {
        let reply = doc! {"n": 1, "writeErrors": [{"index": 1, "code": 14031, "errmsg": "disk"}]};
        assert_eq!(
            of(&reply, Batch::Ordered),
            [Stored, NotTried, NotTried, NotTried]
        );
    }

    #[test]
    fn a_lost_answer_leaves_everything_open() {
        let lost = CallError::Lost(String::new());
        assert_eq!(insert_outcomes(Err(&lost), 2, Batch::Ordered), [Unknown; 2]);
        let not_done = CallError::NotDone(String::new());
        assert_eq!(
            insert_outcomes(Err(&not_done), 2, Batch::Ordered),
            [NotTried; 2]
        );
    }

    #[test]
    fn a_command_holds_what_fits_and_at_least_one_document() {
        let document = |bytes: usize| rawdoc! {"x": "x".repeat(bytes)};
        let half = COMMAND_BYTES / 2;
        let mut documents = [half, half - 100, 200, COMMAND_BYTES + 1, 1]
            .map(document)
            .into_iter()
            .peekable();
        let mut sizes = Vec::new();
        while documents.peek().is_some() {
            sizes.push(take_chunk(&mut documents).len());
        }
        assert_eq!(sizes, [2, 1, 1, 1]);
    }
}

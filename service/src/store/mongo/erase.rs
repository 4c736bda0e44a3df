//! Erasing a session: the tombstone, the end of the log, the stubs, the note that it is done.
//!
//! Each step is idempotent, and each may be the last before a crash: whoever comes next (a
//! repeated DELETE, a start, the sweep) begins from the first one again, which then costs nothing.
//! Nothing is deleted, so a writer with whatever old tail still loses, and no event id can be
//! stored again.

use mongodb::bson::{DateTime, doc, rawdoc};
use tokio::time::Instant;

use crate::domain::{ClosingStatus, Seq, SessionId, Terminal, Timestamp};
use crate::store::mongo::error::CallError;
use crate::store::mongo::known::{self, Asked, Found};
use crate::store::mongo::link::{Link, pause_after};
use crate::store::mongo::schema;
use crate::store::mongo::write::{commit, update};
use crate::store::{EraseError, Record};

/// Records that one update replaces: some tens of milliseconds of the primary's time, so that
/// other sessions' writes come between two of them.
const CHUNK: u64 = 500;

/// Tombstones that are finished in one go by the sweep.
const PENDING: i64 = 100;

pub(super) async fn erase(
    link: &Link,
    id: &SessionId,
    at: Timestamp,
    deadline: Instant,
) -> Result<(), EraseError> {
    let found = find(link, id, deadline).await.map_err(failed)?;
    match found.ok_or(EraseError::Absent)?.is_purged() {
        Some(true) => return Ok(()),
        Some(false) => {}
        None => put_tombstone(link, id, at, deadline)
            .await
            .map_err(failed)?,
    }
    finish(link, id, at, deadline).await.map_err(failed)
}

fn failed(error: CallError) -> EraseError {
    EraseError::Store(error.into())
}

async fn find(link: &Link, id: &SessionId, deadline: Instant) -> Result<Option<Found>, CallError> {
    let finding = known::find_as_stored(link, None, &[id], Asked::Primary, deadline).await?;
    Ok(finding.get(id)?.cloned())
}

/// Step 1. From here on every call finds the session erased.
pub(super) async fn put_tombstone(
    link: &Link,
    id: &SessionId,
    at: Timestamp,
    deadline: Instant,
) -> Result<(), CallError> {
    let erased = doc! {"at": DateTime::from_millis(at.millis()), "purge": "pending"};
    let tombstone = doc! {
        "q": {"sessionId": id.as_str(), "erased": {"$exists": false}},
        "u": {"sessionId": id.as_str(), "erased": erased},
    };
    update(link, "sessions", &[tombstone], deadline).await
}

/// Steps 2 to 4, of a session that has its tombstone.
pub(super) async fn finish(
    link: &Link,
    id: &SessionId,
    at: Timestamp,
    deadline: Instant,
) -> Result<(), CallError> {
    let events = end_log(link, id, at, deadline).await?;
    replace_events(link, id, events, deadline).await?;
    mark_purged(link, id, deadline).await
}

/// Step 2. Ends the log, so that nothing comes after what is replaced; returns its last event.
pub(super) async fn end_log(
    link: &Link,
    id: &SessionId,
    at: Timestamp,
    deadline: Instant,
) -> Result<u64, CallError> {
    loop {
        let found = find(link, id, deadline).await?;
        let log = found.as_ref().map(Found::log);
        let log = log.ok_or_else(|| CallError::Refused("the tombstone is gone".to_owned()))?;
        if log.terminal.is_some() {
            return Ok(log.events);
        }
        let terminal = Terminal {
            seq: Seq::after(log.events),
            status: ClosingStatus::Failed,
            at,
            reason: None,
        };
        commit(link, &[Record::Terminal(id.clone(), terminal)], deadline).await;
        // Whatever became of it, the next look tells.
        let unsure = CallError::NotDone("the end of the log is being written".to_owned());
        pause_after(unsure, deadline).await?;
    }
}

/// Step 3. Replaces every event by its stub, and takes the reason from the terminal record.
pub(super) async fn replace_events(
    link: &Link,
    id: &SessionId,
    events: u64,
    deadline: Instant,
) -> Result<(), CallError> {
    let key = |seq: u64| doc! {"sessionId": id.as_str(), "seq": as_int64(seq)};
    let stub = doc! {"_id": "$_id", "eventId": "$_id.seq", "erased": true};
    let mut first = 1;
    while first <= events {
        let end = first.saturating_add(CHUNK);
        let stubs = doc! {
            "q": {
                "_id": {"$gte": key(first), "$lt": key(end)},
                "erased": {"$exists": false},
                "closed": {"$exists": false},
            },
            "u": [{"$replaceWith": stub.clone()}],
            "multi": true,
        };
        update(link, "events", &[stubs], deadline).await?;
        first = end;
    }
    let silence = doc! {
        "q": {"_id": key(events + 1), "closed.reason": {"$exists": true}},
        "u": {"$unset": {"closed.reason": ""}},
    };
    update(link, "events", &[silence], deadline).await
}

/// Step 4. Nothing is left to do.
async fn mark_purged(link: &Link, id: &SessionId, deadline: Instant) -> Result<(), CallError> {
    let done = doc! {
        "q": {"sessionId": id.as_str(), "erased.purge": "pending"},
        "u": {"$set": {"erased.purge": "done"}},
    };
    update(link, "sessions", &[done], deadline).await
}

/// Finishes erasures that were broken off; returns how many.
pub(super) async fn finish_pending(link: &Link) -> Result<usize, CallError> {
    let deadline = link.deadline();
    let command = rawdoc! {
        "find": "sessions",
        "filter": {"erased.purge": "pending"},
        "projection": {"sessionId": 1, "erased.at": 1},
        "hint": schema::SESSIONS_TO_PURGE,
        "limit": PENDING,
        "batchSize": PENDING,
        "singleBatch": true,
    };
    let reply = link.read(&command, deadline).await?;
    let mut finished = 0;
    for document in reply.documents()? {
        let document = document?;
        let at = document
            .get_document("erased")
            .and_then(|erased| erased.get_datetime("at"));
        let (Ok(id), Ok(at)) = (document.get_str("sessionId"), at) else {
            continue;
        };
        let (id, at) = (
            SessionId::from_stored(id),
            Timestamp::from_millis(at.timestamp_millis()),
        );
        match finish(link, &id, at, link.deadline()).await {
            Ok(()) => finished += 1,
            // One that is damaged is nothing to the others.
            Err(error) => tracing::error!(session_id = %id, %error, "an erasure is not finished"),
        }
    }
    Ok(finished)
}

fn as_int64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! Erasing a session: first nothing of it can be read or added, then nothing of it is stored.
//!
//! Each step is one synced batch, and each may be the last before a crash: the tombstone comes
//! with a note of what is still to be purged, which the next start acts on. Every record is
//! replaced by a stub, so that the log keeps its length; event ids go with their events.
//!
//! The bytes themselves leave the disk later: old versions of rows when compaction merges their
//! tables, journals when everything in them is in tables.

use std::sync::Arc;

use crate::domain::{Seq, SessionId, SessionPosition, Timestamp};
use crate::store::embedded::codec::{self, Garbled, LogRow, SessionRow, Tombstone};
use crate::store::embedded::engine::Engine;
use crate::store::embedded::error::WriteError;
use crate::store::embedded::keys;
use crate::store::embedded::tables::Write;
use crate::store::{EraseError, StoreError};

/// Records in one batch of a purge: some milliseconds between two other writes.
const CHUNK: usize = 500;

pub(super) fn erase(engine: &Arc<Engine>, id: &SessionId, at: Timestamp) -> Result<(), EraseError> {
    let erasure = engine.write(|write| put_tombstone(write, id, at));
    match erasure.map_err(failed)? {
        Erasure::Absent => Err(EraseError::Absent),
        Erasure::Done => Ok(()),
        Erasure::Pending => purge(engine, id).map_err(failed),
    }
}

/// Removes the content of a session that has a tombstone. May run more than once, also at once.
pub(super) fn purge(engine: &Arc<Engine>, id: &SessionId) -> Result<(), WriteError> {
    let mut from = Some(Seq::FIRST);
    while let Some(seq) = from {
        from = engine.write(|write| purge_some(write, id, seq))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Erasure {
    /// There was never such a session.
    Absent,
    /// It has a tombstone; its content may still be there.
    Pending,
    /// Nothing is left.
    Done,
}

/// From here on every call finds the session erased.
pub(super) fn put_tombstone(
    write: Write<'_>,
    id: &SessionId,
    at: Timestamp,
) -> Result<Erasure, WriteError> {
    let header = match write.view().session_row(id)? {
        None => return Ok(Erasure::Absent),
        Some(SessionRow::Tombstone(tombstone)) if tombstone.purged => return Ok(Erasure::Done),
        Some(SessionRow::Tombstone(_)) => return Ok(Erasure::Pending),
        Some(SessionRow::Live(header)) => header,
    };
    let log = write.view().log_of(&header)?;
    let position = SessionPosition {
        started_at: header.started_at,
        creation_id: header.creation_id,
    };
    let tables = write.tables();
    let mut batch = write.batch(4);
    let row = codec::tombstone(Tombstone {
        number: header.number,
        at,
        purged: false,
    });
    batch.insert(&tables.sessions, id.as_bytes(), row);
    batch.insert(&tables.meta, keys::purge(id), []);
    batch.remove(&tables.listing, keys::listing(log.status(), position));
    if log.terminal.is_none() {
        let end = keys::record(header.number, Seq::after(log.events).get());
        batch.insert(&tables.log, end, codec::stub());
    }
    write.commit(batch)?;
    tables.tails.remove(id);
    Ok(Erasure::Pending)
}

/// Purges some records from `from` on; returns where to go on.
pub(super) fn purge_some(
    write: Write<'_>,
    id: &SessionId,
    from: Seq,
) -> Result<Option<Seq>, WriteError> {
    let Some(SessionRow::Tombstone(tombstone)) = write.view().session_row(id)? else {
        return Ok(None);
    };
    let session = tombstone.number;
    let tables = write.tables();
    let mut batch = write.batch(3 * CHUNK);
    let mut next = None;
    let records = write.view().records(session, from.get()..=u64::MAX);
    for (index, row) in records.enumerate() {
        let (key, row) = row.into_inner().map_err(StoreError::from)?;
        let seq = keys::seq_of(&key).ok_or(Garbled)?;
        if index == CHUNK {
            next = Some(seq);
            break;
        }
        match codec::log_row(&row)? {
            LogRow::Stub => continue,
            LogRow::Terminal(..) => {}
            LogRow::Event(event) => {
                let event_id = event.event_id()?;
                batch.remove(&tables.event_ids, keys::event_id(session, &event_id));
                batch.remove(
                    &tables.times,
                    keys::time(session, event.timestamp, seq.get()),
                );
            }
        }
        batch.insert(&tables.log, key, codec::stub());
    }
    if next.is_none() {
        let row = codec::tombstone(Tombstone {
            purged: true,
            ..tombstone
        });
        batch.insert(&tables.sessions, id.as_bytes(), row);
        batch.remove(&tables.meta, keys::purge(id));
    }
    write.commit(batch)?;
    Ok(next)
}

fn failed(error: WriteError) -> EraseError {
    EraseError::Store(error.into())
}

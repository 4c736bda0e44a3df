//! Appending records: which of a batch go in, and what follows from them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use fjall::OwnedWriteBatch;

use crate::domain::{EventId, SessionId, SessionPosition, SessionStatus, Terminal};
use crate::store::embedded::codec::{self, Closed, Garbled, Header, SessionRow};
use crate::store::embedded::engine::Engine;
use crate::store::embedded::error::WriteError;
use crate::store::embedded::keys::{self, SessionNumber};
use crate::store::embedded::tables::{Tables, Write};
use crate::store::embedded::tails::Tail;
use crate::store::{CommitOutcome, Record, StoreError};

pub(super) fn commit(engine: &Arc<Engine>, records: &[Record]) -> Vec<CommitOutcome> {
    let mut outcomes = Vec::with_capacity(records.len());
    let result = engine.write(|write| {
        let mut batch = Batch::new(records.len());
        for record in records {
            outcomes.push(batch.admit(record, &write)?);
        }
        batch.store(write)
    });
    let failed = match result {
        Ok(()) => return outcomes,
        Err(WriteError::NotWritten(_)) => CommitOutcome::NotTried,
        Err(WriteError::Unknown(_)) => CommitOutcome::Unknown,
    };
    outcomes.resize(records.len(), failed);
    for outcome in &mut outcomes {
        if *outcome == CommitOutcome::Stored {
            *outcome = failed;
        }
    }
    outcomes
}

/// What goes in.
struct Batch<'a> {
    /// Each with the tail of its session as far as this record.
    records: Vec<(&'a Record, Tail)>,
    event_ids: HashSet<(&'a SessionId, &'a EventId)>,
    sessions: HashMap<&'a SessionId, Lane>,
}

/// One session of a batch.
struct Lane {
    /// The header, if it was read.
    header: Option<Header>,
    /// Whether there was an open session before this batch.
    is_open: bool,
    /// The end of its log before this batch.
    before: Tail,
    /// And after what was admitted of it.
    after: Tail,
    /// The record of this batch that closes it.
    terminal: Option<Terminal>,
    /// A record was refused: none after it may go in.
    is_stuck: bool,
}

impl<'a> Batch<'a> {
    fn new(records: usize) -> Self {
        Self {
            records: Vec::with_capacity(records),
            event_ids: HashSet::with_capacity(records),
            sessions: HashMap::with_capacity(records),
        }
    }

    /// Takes a record in, if its session is open, its place is the next one and its event id is
    /// new. `Stored` means: if the batch is.
    fn admit(
        &mut self,
        record: &'a Record,
        write: &Write<'_>,
    ) -> Result<CommitOutcome, StoreError> {
        let id = record.session_id();
        let lane = match self.sessions.entry(id) {
            Entry::Occupied(lane) => lane.into_mut(),
            Entry::Vacant(place) => place.insert(Lane::load(id, write)?),
        };
        if lane.is_stuck {
            return Ok(CommitOutcome::NotTried);
        }
        let is_next =
            lane.is_open && lane.terminal.is_none() && record.seq().get() == lane.after.events + 1;
        let is_new = is_next
            && match record {
                Record::Event(event) => {
                    let event_id = &event.event_id;
                    self.event_ids.insert((id, event_id))
                        && !write.view().has_event(lane.after.session, event_id)?
                }
                Record::Terminal(..) => true,
            };
        if !is_new {
            lane.is_stuck = true;
            return Ok(CommitOutcome::Refused);
        }
        match record {
            Record::Event(event) => lane.after = lane.after.after(event.timestamp),
            Record::Terminal(_, terminal) => lane.terminal = Some(terminal.clone()),
        }
        self.records.push((record, lane.after));
        Ok(CommitOutcome::Stored)
    }

    fn store(self, write: Write<'_>) -> Result<(), WriteError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let tables = write.tables();
        let mut rows = write.batch(3 * (self.records.len() + self.sessions.len()));
        for (record, tail) in self.records {
            put_record(&mut rows, tables, record, tail);
        }
        for (id, lane) in &self.sessions {
            lane.put_consequences(&mut rows, id, &write)?;
        }
        write.commit(rows)?;
        for (id, lane) in self.sessions {
            if lane.terminal.is_some() {
                tables.tails.remove(id);
            } else if lane.after.events > lane.before.events {
                tables.tails.put(id.clone(), lane.after);
            }
        }
        Ok(())
    }
}

fn put_record(rows: &mut OwnedWriteBatch, tables: &Tables, record: &Record, tail: Tail) {
    let (session, seq) = (tail.session, record.seq());
    let place = keys::record(session, seq.get());
    match record {
        Record::Event(event) => {
            let in_order = tail.in_order_until.is_some();
            rows.insert(&tables.log, place, codec::event(event, in_order));
            let name = keys::event_id(session, &event.event_id);
            rows.insert(&tables.event_ids, name, codec::seq(seq));
            let time = keys::time(session, event.timestamp, seq.get());
            rows.insert(&tables.times, time, []);
        }
        Record::Terminal(_, terminal) => {
            rows.insert(&tables.log, place, codec::terminal(terminal));
        }
    }
}

impl Lane {
    fn load(id: &SessionId, write: &Write<'_>) -> Result<Self, StoreError> {
        if let Some(tail) = write.tables().tails.get(id) {
            return Ok(Self::new(None, true, tail));
        }
        match write.view().session_row(id)? {
            Some(SessionRow::Live(header)) if header.closed.is_none() => {
                let tail = write.view().tail(header.number)?;
                Ok(Self::new(Some(header), true, tail))
            }
            Some(_) | None => Ok(Self::new(None, false, Tail::empty(SessionNumber(0)))),
        }
    }

    fn new(header: Option<Header>, is_open: bool, tail: Tail) -> Self {
        Self {
            header,
            is_open,
            before: tail,
            after: tail,
            terminal: None,
            is_stuck: false,
        }
    }

    /// A session that becomes active or closed changes its place in the listing; closing it also
    /// changes its header.
    fn put_consequences(
        &self,
        rows: &mut OwnedWriteBatch,
        id: &SessionId,
        write: &Write<'_>,
    ) -> Result<(), StoreError> {
        let (before, after) = self.statuses();
        if before == after {
            return Ok(());
        }
        let mut header = match &self.header {
            Some(header) => header.clone(),
            None => match write.view().session_row(id)? {
                Some(SessionRow::Live(header)) => header,
                Some(SessionRow::Tombstone(_)) | None => return Err(Garbled.into()),
            },
        };
        let position = SessionPosition {
            started_at: header.started_at,
            creation_id: header.creation_id,
        };
        let tables = write.tables();
        let listed = codec::listed(id, &header.language.folded());
        rows.remove(&tables.listing, keys::listing(before, position));
        rows.insert(&tables.listing, keys::listing(after, position), listed);
        if let Some(terminal) = &self.terminal {
            header.version = header.version.next();
            header.updated_at = terminal.at;
            header.closed = Some(Closed {
                terminal: terminal.clone(),
                in_order: self.after.in_order_until.is_some(),
            });
            rows.insert(&tables.sessions, id.as_bytes(), codec::header(&header));
        }
        Ok(())
    }

    /// The status before and after this batch.
    fn statuses(&self) -> (SessionStatus, SessionStatus) {
        let open = |tail: Tail| match tail.events {
            0 => SessionStatus::Initiated,
            _ => SessionStatus::Active,
        };
        let after = match &self.terminal {
            Some(terminal) => terminal.status.into(),
            None => open(self.after),
        };
        (open(self.before), after)
    }
}

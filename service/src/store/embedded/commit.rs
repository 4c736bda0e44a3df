//! Appending records: which of a batch go in, and what follows from them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::domain::{EventId, SessionId, SessionPosition, SessionStatus, Terminal};
use crate::store::embedded::codec::{self, Header, SessionRow};
use crate::store::embedded::engine::Engine;
use crate::store::embedded::error::WriteError;
use crate::store::embedded::keys;
use crate::store::embedded::tables::Write;
use crate::store::embedded::tails::Tails;
use crate::store::embedded::view::View;
use crate::store::{CommitOutcome, Record, StoreError};

pub(super) fn commit(engine: &Arc<Engine>, records: &[Record]) -> Vec<CommitOutcome> {
    let mut outcomes = Vec::with_capacity(records.len());
    let result = engine.write(|write, tails| {
        let mut batch = Batch::new(records.len());
        for record in records {
            outcomes.push(batch.admit(record, write.view(), tails)?);
        }
        batch.store(write, tails)
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

/// The records that go in.
struct Batch<'a> {
    records: Vec<&'a Record>,
    event_ids: HashSet<(&'a SessionId, &'a EventId)>,
    sessions: HashMap<&'a SessionId, Lane>,
}

/// One session of a batch.
struct Lane {
    /// The header, if it was read.
    header: Option<Header>,
    /// Records in the log before this batch.
    before: u64,
    /// Records in the log after those that were admitted.
    records: u64,
    /// Whether the session was there, open, before this batch.
    is_open: bool,
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
        view: &View<'_>,
        tails: &mut Tails,
    ) -> Result<CommitOutcome, StoreError> {
        let id = record.session_id();
        let lane = match self.sessions.entry(id) {
            std::collections::hash_map::Entry::Occupied(lane) => lane.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Lane::load(id, view, tails)?)
            }
        };
        if lane.is_stuck {
            return Ok(CommitOutcome::NotTried);
        }
        let is_next =
            lane.is_open && lane.terminal.is_none() && record.seq().get() == lane.records + 1;
        let is_new = is_next
            && match record {
                Record::Event(event) => {
                    self.event_ids.insert((id, &event.event_id))
                        && !view.has_event(id, &event.event_id)?
                }
                Record::Terminal(..) => true,
            };
        if !is_new {
            lane.is_stuck = true;
            return Ok(CommitOutcome::Refused);
        }
        lane.records += 1;
        if let Record::Terminal(_, terminal) = record {
            lane.terminal = Some(terminal.clone());
        }
        self.records.push(record);
        Ok(CommitOutcome::Stored)
    }

    fn store(self, write: Write<'_>, tails: &mut Tails) -> Result<(), WriteError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let tables = write.tables();
        let mut batch = write.batch(3 * (self.records.len() + self.sessions.len()));
        for record in self.records {
            match record {
                Record::Event(event) => {
                    let (id, seq) = (&event.session_id, event.seq.get());
                    let place = keys::record(id, seq);
                    batch.insert(&tables.log, place, codec::event(event));
                    let name = keys::event_id(id, &event.event_id);
                    batch.insert(&tables.event_ids, name, codec::seq(event.seq));
                    let time = keys::time(id, event.timestamp, seq);
                    batch.insert(&tables.times, time, []);
                }
                Record::Terminal(id, terminal) => {
                    let place = keys::record(id, terminal.seq.get());
                    batch.insert(&tables.log, place, codec::terminal(terminal));
                }
            }
        }
        for (id, lane) in &self.sessions {
            let (before, after) = lane.statuses();
            if before == after {
                continue;
            }
            let mut header = match &lane.header {
                Some(header) => header.clone(),
                None => header(write.view(), id)?,
            };
            let position = SessionPosition {
                started_at: header.started_at,
                creation_id: header.creation_id,
            };
            let listed = codec::listed(id, &header.language.folded());
            batch.remove(&tables.listing, keys::listing(before, position));
            batch.insert(&tables.listing, keys::listing(after, position), listed);
            if let Some(terminal) = &lane.terminal {
                header.version = header.version.next();
                header.updated_at = terminal.at;
                header.closed = Some(terminal.clone());
                batch.insert(&tables.sessions, id.as_bytes(), codec::header(&header));
            }
        }
        write.commit(batch)?;
        for (id, lane) in self.sessions {
            if lane.terminal.is_some() {
                tails.remove(id);
            } else if lane.records > lane.before {
                tails.put(id.clone(), lane.records);
            }
        }
        Ok(())
    }
}

impl Lane {
    fn load(id: &SessionId, view: &View<'_>, tails: &mut Tails) -> Result<Self, StoreError> {
        let (header, records) = match tails.get(id) {
            Some(events) => (None, events),
            None => match view.session_row(id)? {
                Some(SessionRow::Live(header)) if header.closed.is_none() => {
                    (Some(header), view.records(id)?)
                }
                Some(_) | None => return Ok(Self::new(None, 0, false)),
            },
        };
        Ok(Self::new(header, records, true))
    }

    fn new(header: Option<Header>, records: u64, is_open: bool) -> Self {
        Self {
            header,
            before: records,
            records,
            is_open,
            terminal: None,
            is_stuck: false,
        }
    }

    /// The status before and after this batch.
    fn statuses(&self) -> (SessionStatus, SessionStatus) {
        let of = |records| match records {
            0 => SessionStatus::Initiated,
            _ => SessionStatus::Active,
        };
        let after = match &self.terminal {
            Some(terminal) => terminal.status.into(),
            None => of(self.records),
        };
        (of(self.before), after)
    }
}

/// The header of a session that is known to be there.
fn header(view: &View<'_>, id: &SessionId) -> Result<Header, StoreError> {
    match view.session_row(id)? {
        Some(SessionRow::Live(header)) => Ok(header),
        Some(SessionRow::Tombstone(_)) | None => Err(codec::Garbled.into()),
    }
}

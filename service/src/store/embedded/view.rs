//! One moment of the store, read row by row.

use std::ops::{Bound, RangeInclusive};

use fjall::{Iter, Readable, Snapshot, UserValue};

use crate::domain::{Event, EventId, Position, Seq, Session, SessionId, SessionStatus, Terminal};
use crate::store::embedded::codec::{
    self, Closed, EventRow, Garbled, Header, LogRow, SessionRow, Standing,
};
use crate::store::embedded::keys::{self, SessionNumber};
use crate::store::embedded::tables::Tables;
use crate::store::embedded::tails::Tail;
use crate::store::{ReadError, StoreError};

/// See the module.
pub(super) struct View<'a> {
    tables: &'a Tables,
    at: Snapshot,
}

/// The log of a session that was not erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) session: SessionNumber,
    /// Its number of events.
    pub(super) events: u64,
    /// No event is earlier than one before it.
    pub(super) in_order: bool,
    pub(super) terminal: Option<Terminal>,
}

/// From where to where rows are read.
pub(super) type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl<'a> View<'a> {
    pub(super) fn new(tables: &'a Tables, at: Snapshot) -> Self {
        Self { tables, at }
    }

    pub(super) fn session_row(&self, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        let row = self.at.get(&self.tables.sessions, id.as_bytes())?;
        Ok(row.map(|row| codec::session_row(&row)).transpose()?)
    }

    pub(super) fn standing(&self, id: &SessionId) -> Result<Option<Standing>, StoreError> {
        let row = self.at.get(&self.tables.sessions, id.as_bytes())?;
        Ok(row.map(|row| codec::standing(&row)).transpose()?)
    }

    /// The log of a session. `warm` is its tail if that is known: not older than the question,
    /// not younger than this view.
    pub(super) fn log(&self, id: &SessionId, warm: Option<Tail>) -> Result<Log, ReadError> {
        match self.standing(id)? {
            None => Err(ReadError::Absent),
            Some(Standing::Erased) => Err(ReadError::Erased),
            Some(Standing::Closed(session, closed)) => Ok(Log::closed(session, closed)),
            Some(Standing::Open(session)) => match warm {
                Some(tail) => Ok(Log::open(tail)),
                None => Ok(Log::open(self.tail(session)?)),
            },
        }
    }

    /// A session, and its log: see [`Self::log`].
    pub(super) fn session(
        &self,
        id: &SessionId,
        warm: Option<Tail>,
    ) -> Result<(Session, Log), ReadError> {
        match self.session_row(id)? {
            None => Err(ReadError::Absent),
            Some(SessionRow::Tombstone(_)) => Err(ReadError::Erased),
            Some(SessionRow::Live(header)) => {
                let log = match (&header.closed, warm) {
                    (None, Some(tail)) => Log::open(tail),
                    _ => self.log_of(&header)?,
                };
                Ok((session(id.clone(), header, &log), log))
            }
        }
    }

    /// The log of a session whose header is at hand.
    pub(super) fn log_of(&self, header: &Header) -> Result<Log, StoreError> {
        Ok(match &header.closed {
            Some(closed) => Log::closed(header.number, closed.clone()),
            None => Log::open(self.tail(header.number)?),
        })
    }

    /// The end of the log of an open session, from the log itself.
    pub(super) fn tail(&self, session: SessionNumber) -> Result<Tail, StoreError> {
        let Some(last) = self.records(session, 1..=u64::MAX).next_back() else {
            return Ok(Tail::empty(session));
        };
        let (key, row) = last.into_inner()?;
        let row = event_row(&row)?;
        Ok(Tail {
            session,
            events: keys::seq_of(&key).ok_or(Garbled)?.get(),
            in_order_until: row.in_order.then_some(row.timestamp),
        })
    }

    pub(super) fn has_event(
        &self,
        session: SessionNumber,
        id: &EventId,
    ) -> Result<bool, StoreError> {
        let key = keys::event_id(session, id);
        Ok(self.at.contains_key(&self.tables.event_ids, key)?)
    }

    pub(super) fn event(
        &self,
        session_id: &SessionId,
        session: SessionNumber,
        id: &EventId,
    ) -> Result<Option<Event>, StoreError> {
        let key = keys::event_id(session, id);
        let Some(row) = self.at.get(&self.tables.event_ids, key)? else {
            return Ok(None);
        };
        let seq = codec::seq_row(&row)?;
        let row = self.record(session, seq)?.ok_or(Garbled)?;
        Ok(Some(event_row(&row)?.to_event(session_id, seq)?))
    }

    pub(super) fn record(
        &self,
        session: SessionNumber,
        seq: Seq,
    ) -> Result<Option<UserValue>, StoreError> {
        let key = keys::record(session, seq.get());
        Ok(self.at.get(&self.tables.log, key)?)
    }

    /// The records at these places.
    pub(super) fn records(&self, session: SessionNumber, seqs: RangeInclusive<u64>) -> Iter {
        let bounds = keys::record(session, *seqs.start())..=keys::record(session, *seqs.end());
        self.at.range(&self.tables.log, bounds)
    }

    /// The positions whose keys in `times` are between two bounds.
    pub(super) fn positions(&self, bounds: Bounds) -> Positions {
        Positions(self.at.range(&self.tables.times, bounds))
    }

    pub(super) fn listing(&self, bounds: Bounds) -> Iter {
        self.at.range(&self.tables.listing, bounds)
    }

    /// Sessions whose erased content is not all gone yet.
    pub(super) fn pending_purges(&self) -> Result<Vec<SessionId>, StoreError> {
        self.at
            .prefix(&self.tables.meta, keys::PURGES)
            .map(|row| Ok(keys::purge_of(&row.key()?).ok_or(Garbled)?))
            .collect()
    }
}

/// Positions of events in the order of time.
pub(super) struct Positions(Iter);

impl Iterator for Positions {
    type Item = Result<Position, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(position)
    }
}

impl DoubleEndedIterator for Positions {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(position)
    }
}

fn position(row: fjall::Guard) -> Result<Position, StoreError> {
    Ok(keys::position_of(&row.key()?).ok_or(Garbled)?)
}

/// A row of the log where there can only be an event.
pub(super) fn event_row(row: &[u8]) -> Result<EventRow<'_>, Garbled> {
    match codec::log_row(row)? {
        LogRow::Event(event) => Ok(event),
        LogRow::Terminal(..) | LogRow::Stub => Err(Garbled),
    }
}

impl Log {
    pub(super) fn open(tail: Tail) -> Self {
        Self {
            session: tail.session,
            events: tail.events,
            in_order: tail.in_order_until.is_some(),
            terminal: None,
        }
    }

    fn closed(session: SessionNumber, closed: Closed) -> Self {
        Self {
            session,
            events: closed.terminal.event_count(),
            in_order: closed.in_order,
            terminal: Some(closed.terminal),
        }
    }

    pub(super) fn status(&self) -> SessionStatus {
        match &self.terminal {
            Some(terminal) => terminal.status.into(),
            None if self.events == 0 => SessionStatus::Initiated,
            None => SessionStatus::Active,
        }
    }
}

pub(super) fn session(id: SessionId, header: Header, log: &Log) -> Session {
    Session {
        event_count: Some(log.events),
        ..session_in_status(id, header, log.status())
    }
}

/// A session without a look at its log: how many events it has is known only if it is closed.
pub(super) fn session_in_status(id: SessionId, header: Header, status: SessionStatus) -> Session {
    let terminal = header.closed.as_ref().map(|closed| &closed.terminal);
    Session {
        session_id: id,
        creation_id: header.creation_id,
        status,
        language: header.language,
        started_at: header.started_at,
        created_at: header.created_at,
        updated_at: header.updated_at,
        ended_at: terminal.map(|terminal| terminal.at),
        end_reason: terminal.and_then(|terminal| terminal.reason.clone()),
        event_count: terminal.map(Terminal::event_count),
        metadata: header.metadata,
        version: header.version,
    }
}

//! One moment of the store, read row by row.

use std::ops::{Bound, RangeInclusive};

use fjall::{Iter, Readable, Snapshot, UserValue};

use crate::domain::{Event, EventId, Position, Seq, Session, SessionId, SessionStatus, Terminal};
use crate::store::embedded::codec::{self, Garbled, Header, LogRow, SessionRow, Standing};
use crate::store::embedded::keys;
use crate::store::embedded::tables::Tables;
use crate::store::{ReadError, StoreError};

/// See the module.
pub(super) struct View<'a> {
    tables: &'a Tables,
    at: Snapshot,
}

/// From where to where rows are read.
pub(super) type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Where the log of a session that was not erased stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Its number of events.
    pub(super) events: u64,
    pub(super) terminal: Option<Terminal>,
}

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

    pub(super) fn header(&self, id: &SessionId) -> Result<Header, ReadError> {
        match self.session_row(id)? {
            None => Err(ReadError::Absent),
            Some(SessionRow::Tombstone(_)) => Err(ReadError::Erased),
            Some(SessionRow::Live(header)) => Ok(header),
        }
    }

    pub(super) fn tail(&self, id: &SessionId) -> Result<Tail, ReadError> {
        match self.standing(id)? {
            None => Err(ReadError::Absent),
            Some(Standing::Erased) => Err(ReadError::Erased),
            Some(Standing::Closed(terminal)) => Ok(Tail::closed(terminal)),
            Some(Standing::Open) => Ok(Tail::open(self.records(id)?)),
        }
    }

    /// The number of records in the log of a session.
    pub(super) fn records(&self, id: &SessionId) -> Result<u64, StoreError> {
        let Some(last) = self.log(id, 1..=u64::MAX).next_back() else {
            return Ok(0);
        };
        let seq = keys::seq_of(&last.key()?).ok_or(Garbled)?;
        Ok(seq.get())
    }

    pub(super) fn session(&self, id: &SessionId) -> Result<Session, ReadError> {
        let header = self.header(id)?;
        let tail = self.tail_of(id, &header)?;
        Ok(session(id.clone(), header, &tail))
    }

    /// Saves a second look at the row of a session whose header is at hand.
    pub(super) fn tail_of(&self, id: &SessionId, header: &Header) -> Result<Tail, StoreError> {
        Ok(match &header.closed {
            Some(terminal) => Tail::closed(terminal.clone()),
            None => Tail::open(self.records(id)?),
        })
    }

    pub(super) fn seq(&self, id: &SessionId, event: &EventId) -> Result<Option<Seq>, StoreError> {
        let row = self
            .at
            .get(&self.tables.event_ids, keys::event_id(id, event))?;
        Ok(row.map(|row| codec::seq_row(&row)).transpose()?)
    }

    pub(super) fn has_event(&self, id: &SessionId, event: &EventId) -> Result<bool, StoreError> {
        let key = keys::event_id(id, event);
        Ok(self.at.contains_key(&self.tables.event_ids, key)?)
    }

    pub(super) fn event(
        &self,
        id: &SessionId,
        event: &EventId,
    ) -> Result<Option<Event>, StoreError> {
        let Some(seq) = self.seq(id, event)? else {
            return Ok(None);
        };
        let row = self.record(id, seq)?.ok_or(Garbled)?;
        match codec::log_row(&row)? {
            LogRow::Event(row) => Ok(Some(row.to_event(id, seq)?)),
            LogRow::Terminal(..) | LogRow::Stub => Err(Garbled.into()),
        }
    }

    pub(super) fn record(&self, id: &SessionId, seq: Seq) -> Result<Option<UserValue>, StoreError> {
        let key = keys::record(id, seq.get());
        Ok(self.at.get(&self.tables.log, key)?)
    }

    /// The records at these places.
    pub(super) fn log(&self, id: &SessionId, seqs: RangeInclusive<u64>) -> Iter {
        let bounds = keys::record(id, *seqs.start())..=keys::record(id, *seqs.end());
        self.at.range(&self.tables.log, bounds)
    }

    /// The keys of `times` between two bounds.
    pub(super) fn times(&self, bounds: Bounds) -> Positions {
        Positions(self.at.range(&self.tables.times, bounds))
    }

    pub(super) fn listing(&self, bounds: Bounds) -> Iter {
        self.at.range(&self.tables.listing, bounds)
    }

    pub(super) fn pending_purges(&self) -> Result<Vec<SessionId>, StoreError> {
        let mut sessions = Vec::new();
        for row in self.at.iter(&self.tables.purges) {
            let id = row.key()?;
            let id = std::str::from_utf8(&id).map_err(|_| Garbled)?;
            sessions.push(SessionId::from_stored(id));
        }
        Ok(sessions)
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

impl Tail {
    pub(super) const EMPTY: Self = Self {
        events: 0,
        terminal: None,
    };

    fn open(events: u64) -> Self {
        Self {
            events,
            terminal: None,
        }
    }

    fn closed(terminal: Terminal) -> Self {
        Self {
            events: terminal.event_count(),
            terminal: Some(terminal),
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

pub(super) fn session(id: SessionId, header: Header, tail: &Tail) -> Session {
    Session {
        event_count: Some(tail.events),
        ..session_in_status(id, header, tail.status())
    }
}

/// A session without a look at its log: how many events it has is known only if it is closed.
pub(super) fn session_in_status(id: SessionId, header: Header, status: SessionStatus) -> Session {
    let closed = header.closed.as_ref();
    Session {
        session_id: id,
        creation_id: header.creation_id,
        status,
        language: header.language,
        started_at: header.started_at,
        created_at: header.created_at,
        updated_at: header.updated_at,
        ended_at: closed.map(|terminal| terminal.at),
        end_reason: closed.and_then(|terminal| terminal.reason.clone()),
        event_count: closed.map(Terminal::event_count),
        metadata: header.metadata,
        version: header.version,
    }
}

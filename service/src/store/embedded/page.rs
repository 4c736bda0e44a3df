//! Pages of events: which rows are read, in which order, and where a page ends.

use std::ops::Bound;

use crate::domain::{
    Event, EventFilter, Order, PageQuery, PageStart, Position, Seq, SessionId, Timestamp,
};
use crate::store::embedded::codec::{EventRow, Garbled};
use crate::store::embedded::keys;
use crate::store::embedded::view::{Bounds, Log, View, event_row};
use crate::store::{EventPage, StoreError};

/// Rows that a page looks at before it ends, whatever it has found: some tens of milliseconds of
/// a thread at most. The walk goes on with the next page.
const SCAN: usize = 10_000;

/// Offsets up to here are skipped within some milliseconds.
const SHORT_OFFSET: u64 = 1_000;

/// Whether a page is read within so few rows that it does not block a worker for long.
pub(super) fn is_short(query: &PageQuery) -> bool {
    let offset = match query.start {
        PageStart::Offset(offset) => offset,
        PageStart::After(_) | PageStart::AfterSeq(_) => 0,
    };
    // In the order of time, times are where the rows begin and end.
    let looks_past_none = if query.order.is_by_time() {
        query.filter.kind.is_none()
    } else {
        query.filter.is_empty()
    };
    looks_past_none && offset <= SHORT_OFFSET
}

/// Reads a page of a session's log.
pub(super) fn read(
    view: &View<'_>,
    id: &SessionId,
    log: Log,
    query: &PageQuery,
) -> Result<EventPage, StoreError> {
    let mut page = Filling::new(id, query);
    let next = if goes_by_log(view, &log, query)? {
        walk_log(view, &log, query, &mut page)?
    } else {
        walk_times(view, &log, query, &mut page)?
    };
    Ok(EventPage {
        events: page.events,
        total: log.events,
        terminal: log.terminal,
        next,
    })
}

/// Whether the order of the page is that of the log: mostly it is, also by time.
fn goes_by_log(view: &View<'_>, log: &Log, query: &PageQuery) -> Result<bool, StoreError> {
    if !query.order.is_by_time() {
        return Ok(true);
    }
    let EventFilter { since, until, .. } = query.filter;
    if !log.in_order || since.is_some() || until.is_some() {
        return Ok(false);
    }
    match query.start {
        PageStart::Offset(_) | PageStart::AfterSeq(_) => Ok(true),
        // A position that no event has is a place in time only.
        PageStart::After(position) => match view.record(log.session, position.seq)? {
            Some(row) => Ok(event_row(&row).is_ok_and(|row| row.timestamp == position.timestamp)),
            None => Ok(false),
        },
    }
}

/// A page that is being filled, in its order.
struct Filling<'a> {
    id: &'a SessionId,
    query: &'a PageQuery,
    events: Vec<Event>,
    bytes: usize,
    /// Events that pass the filter and are still to be skipped.
    to_skip: u64,
    /// Rows looked at.
    scanned: usize,
    /// The last event considered.
    last: Option<Position>,
}

/// Whether a page takes more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Left,
    /// It ends here, and something more passes or may pass.
    Full,
}

impl<'a> Filling<'a> {
    fn new(id: &'a SessionId, query: &'a PageQuery) -> Self {
        Self {
            id,
            query,
            events: Vec::new(),
            bytes: 0,
            to_skip: match query.start {
                PageStart::Offset(offset) => offset,
                PageStart::After(_) | PageStart::AfterSeq(_) => 0,
            },
            scanned: 0,
            last: None,
        }
    }

    /// Considers the next event.
    fn offer(&mut self, seq: Seq, row: EventRow<'_>) -> Result<Room, StoreError> {
        let position = Position {
            timestamp: row.timestamp,
            seq,
        };
        self.scanned += 1;
        if self.query.filter.passes(row.kind, row.timestamp) {
            if self.to_skip > 0 {
                self.to_skip -= 1;
            } else if self.is_full(row.payload_len()) {
                return Ok(Room::Full);
            } else {
                self.bytes += row.payload_len();
                self.events.push(row.to_event(self.id, seq)?);
            }
        }
        self.last = Some(position);
        // An offset is skipped to its end: a position cannot tell how much of it is left.
        let is_tired = self.scanned >= SCAN && self.to_skip == 0;
        Ok(if is_tired { Room::Full } else { Room::Left })
    }

    fn is_full(&self, more_bytes: usize) -> bool {
        self.events.len() >= self.query.limit
            || (!self.events.is_empty() && self.bytes + more_bytes > self.query.max_bytes)
    }
}

/// Reads the log itself. Returns where the next page goes on.
fn walk_log(
    view: &View<'_>,
    log: &Log,
    query: &PageQuery,
    page: &mut Filling<'_>,
) -> Result<Option<Position>, StoreError> {
    let descending = query.order.is_descending();
    let (mut first, mut last) = (1, log.events);
    match query.start {
        PageStart::After(position) if descending => last = last.min(position.seq.get() - 1),
        PageStart::After(position) => first = position.seq.get() + 1,
        PageStart::AfterSeq(seq) => first = seq.saturating_add(1),
        // Places are contiguous: without a filter an offset is a place.
        PageStart::Offset(offset) if query.filter.is_empty() => {
            page.to_skip = 0;
            if descending {
                last = last.saturating_sub(offset);
            } else {
                first = first.saturating_add(offset);
            }
        }
        PageStart::Offset(_) => {}
    }
    if first > last {
        return Ok(None);
    }
    let rows = view.records(log.session, first..=last);
    let rows: &mut dyn Iterator<Item = fjall::Guard> = if descending {
        &mut rows.rev()
    } else {
        &mut { rows }
    };
    for row in rows {
        let (key, row) = row.into_inner()?;
        let seq = keys::seq_of(&key).ok_or(Garbled)?;
        if page.offer(seq, event_row(&row)?)? == Room::Full {
            return Ok(page.last);
        }
    }
    Ok(None)
}

/// Reads positions in the order of time, and the log in runs of neighbours. Returns where the next
/// page goes on.
fn walk_times(
    view: &View<'_>,
    log: &Log,
    query: &PageQuery,
    page: &mut Filling<'_>,
) -> Result<Option<Position>, StoreError> {
    let descending = query.order.is_descending();
    let Some(bounds) = time_bounds(log, query) else {
        return Ok(None);
    };
    // A view may be younger than the tail it was given: what came later is not in this log yet.
    let is_in_log = |position: &Result<Position, StoreError>| !matches!(position, Ok(position) if position.seq.get() > log.events);
    let positions = view.positions(bounds).filter(is_in_log);
    let positions: &mut dyn Iterator<Item = Result<Position, StoreError>> = if descending {
        &mut positions.rev()
    } else {
        &mut { positions }
    };
    if query.filter.kind.is_none() {
        // The bounds are the whole filter: everything passes, and an offset needs no events.
        for _ in 0..std::mem::take(&mut page.to_skip) {
            if positions.next().transpose()?.is_none() {
                return Ok(None);
            }
        }
    }
    // One more than the page takes tells whether something follows.
    let chunk = query.limit + 1;
    let mut run = Vec::with_capacity(chunk);
    let mut next = positions.next().transpose()?;
    while let Some(position) = next {
        run.clear();
        run.push(position);
        next = positions.next().transpose()?;
        while let Some(position) = next
            && run.len() < chunk
            && continues(&run, position.seq)
        {
            run.push(position);
            next = positions.next().transpose()?;
        }
        if read_run(view, log, &run, page)? == Room::Full {
            return Ok(page.last);
        }
    }
    Ok(None)
}

/// Whether `seq` is the neighbour of the last place of a run, in the run's direction.
fn continues(run: &[Position], seq: Seq) -> bool {
    let step = |from: Seq, to: Seq| to.get().wrapping_sub(from.get());
    let (up, down) = (1, u64::MAX);
    match run {
        [.., before, last] => step(last.seq, seq) == step(before.seq, last.seq),
        [last] => matches!(step(last.seq, seq), step if step == up || step == down),
        [] => true,
    }
}

/// Offers the events of neighbouring places.
fn read_run(
    view: &View<'_>,
    log: &Log,
    run: &[Position],
    page: &mut Filling<'_>,
) -> Result<Room, StoreError> {
    let ([first, ..], [.., last]) = (run, run) else {
        return Ok(Room::Left);
    };
    if run.len() == 1 {
        let row = view.record(log.session, first.seq)?.ok_or(Garbled)?;
        return page.offer(first.seq, event_row(&row)?);
    }
    let (first, last) = (first.seq.get(), last.seq.get());
    let rows: &mut dyn Iterator<Item = fjall::Guard> = if first < last {
        &mut view.records(log.session, first..=last)
    } else {
        &mut view.records(log.session, last..=first).rev()
    };
    for position in run {
        let (key, row) = rows.next().ok_or(Garbled)?.into_inner()?;
        if keys::seq_of(&key) != Some(position.seq) {
            return Err(Garbled.into());
        }
        if page.offer(position.seq, event_row(&row)?)? == Room::Full {
            return Ok(Room::Full);
        }
    }
    Ok(Room::Left)
}

/// The part of `times` that a query is about; `None` if it is empty.
fn time_bounds(log: &Log, query: &PageQuery) -> Option<Bounds> {
    let EventFilter { since, until, .. } = query.filter;
    let since = since.unwrap_or(Timestamp::from_millis(0));
    let mut first = keys::time(log.session, since, 0);
    // Times end at the year 9999, far below the largest number of milliseconds.
    let mut end = match until {
        Some(until) => keys::time(log.session, until, 0),
        None => keys::time(log.session, Timestamp::from_millis(i64::MAX), u64::MAX),
    };
    match query.start {
        PageStart::After(Position { timestamp, seq }) if query.order == Order::TimeDescending => {
            end = end.min(keys::time(log.session, timestamp, seq.get()));
        }
        PageStart::After(Position { timestamp, seq }) => {
            first = first.max(keys::time(log.session, timestamp, seq.get() + 1));
        }
        PageStart::Offset(_) | PageStart::AfterSeq(_) => {}
    }
    (first < end).then(|| {
        let (first, end) = (first.to_vec(), end.to_vec());
        (Bound::Included(first), Bound::Excluded(end))
    })
}

//! Pages of events: which command reads one, and what its reply gives. Pure.

use mongodb::bson::raw::{RawArrayBuf, cstr};
use mongodb::bson::{DateTime, RawDocument, RawDocumentBuf, rawdoc};

use crate::domain::{
    Event, EventFilter, Order, PageQuery, PageStart, Position, SessionId, Timestamp,
};
use crate::store::mongo::codec::{self, Garbled, LogDocument};
use crate::store::mongo::link::Reply;
use crate::store::mongo::schema;

/// Why a reply gives no page.
#[derive(Debug)]
pub(super) enum NoPage {
    /// Something is missing or erased that should be there: the member does not know enough, or
    /// the session was erased since its log was looked at.
    Stale,
    Garbled(Garbled),
}

impl From<Garbled> for NoPage {
    fn from(garbled: Garbled) -> Self {
        Self::Garbled(garbled)
    }
}

/// The command that reads a page of a log that has `total` events, and one event more, which
/// tells whether it is the last page; `None` if the page is empty whatever is stored.
pub(super) fn command(id: &SessionId, total: u64, query: &PageQuery) -> Option<RawDocumentBuf> {
    let bounds = if query.order.is_by_time() {
        time_bounds(id, query)?
    } else {
        seq_bounds(id, total, query)?
    };
    let (index, sort) = if query.order.is_by_time() {
        let direction = if query.order.is_descending() { -1 } else { 1 };
        (schema::EVENTS_BY_TIME, by_time(direction))
    } else {
        let direction = if query.order.is_descending() { -1 } else { 1 };
        ("_id_", rawdoc! {"_id": direction})
    };
    let mut filter = RawDocumentBuf::new();
    if query.order.is_by_time() {
        // What came after the log was looked at belongs to a later page.
        filter.append(cstr!("_id.seq"), rawdoc! {"$lte": as_int64(total)});
    } else {
        let EventFilter { since, until, .. } = query.filter;
        let mut times = RawDocumentBuf::new();
        if let Some(since) = since {
            times.append(cstr!("$gte"), date(since));
        }
        if let Some(until) = until {
            times.append(cstr!("$lt"), date(until));
        }
        if since.is_some() || until.is_some() {
            filter.append(cstr!("timestamp"), times);
        }
    }
    if let Some(kind) = query.filter.kind {
        filter.append(cstr!("type"), kind.as_str());
    }
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1;
    let mut command = rawdoc! {
        "find": "events",
        "filter": filter,
        "sort": sort,
        "hint": index,
        "min": bounds.0,
        "max": bounds.1,
        "limit": limit,
        "batchSize": limit,
    };
    if let PageStart::Offset(offset @ 1..) = query.start {
        command.append(cstr!("skip"), as_int64(offset));
    }
    Some(command)
}

/// From here on (inclusive) to there (exclusive), as keys of the index.
type Bounds = (RawDocumentBuf, RawDocumentBuf);

fn seq_bounds(id: &SessionId, total: u64, query: &PageQuery) -> Option<Bounds> {
    let (first, end) = seq_range(total, query)?;
    let key = |seq: u64| rawdoc! {"_id": {"sessionId": id.as_str(), "seq": as_int64(seq)}};
    Some((key(first), key(end)))
}

/// From this seq on (inclusive) to that one (exclusive).
fn seq_range(total: u64, query: &PageQuery) -> Option<(u64, u64)> {
    let is_descending = query.order.is_descending();
    let (first, end) = match query.start {
        PageStart::Offset(_) => (1, total + 1),
        PageStart::After(position) if is_descending => (1, position.seq.get().min(total + 1)),
        PageStart::After(position) => (position.seq.get() + 1, total + 1),
        PageStart::AfterSeq(seq) => (seq.saturating_add(1), total + 1),
    };
    (first < end).then_some((first, end))
}

fn time_bounds(id: &SessionId, query: &PageQuery) -> Option<Bounds> {
    let key = |time: Timestamp, seq: u64| {
        rawdoc! {"_id.sessionId": id.as_str(), "timestamp": date(time), "_id.seq": as_int64(seq)}
    };
    let since = query.filter.since.unwrap_or(Timestamp::from_millis(0));
    let mut first = (since, 0_u64);
    let mut end = match query.filter.until {
        Some(until) => (until, 0),
        None => (Timestamp::from_millis(i64::MAX), 0),
    };
    if let PageStart::After(Position { timestamp, seq }) = query.start {
        if query.order == Order::TimeDescending {
            end = end.min((timestamp, seq.get()));
        } else {
            first = first.max((timestamp, seq.get() + 1));
        }
    }
    (first < end).then(|| (key(first.0, first.1), key(end.0, end.1)))
}

/// The sort that the index of events by time gives.
fn by_time(direction: i32) -> RawDocumentBuf {
    rawdoc! {"_id.sessionId": direction, "timestamp": direction, "_id.seq": direction}
}

/// Largest page that is read together with those of other sessions, in events.
const SHARED_EVENTS: usize = 200;

/// Whether a page can be read together with those of other sessions: only where the index that it
/// needs is the one that any planner takes, since a part of a question cannot name one.
pub(super) fn is_shared(query: &PageQuery) -> bool {
    let is_plain = match query.start {
        PageStart::Offset(offset) => offset == 0,
        PageStart::After(_) | PageStart::AfterSeq(_) => !query.order.is_by_time(),
    };
    is_plain && query.filter.is_empty() && query.limit <= SHARED_EVENTS
}

/// The stages that read the same as [`command`], of a page that [`is_shared`].
pub(super) fn stages(id: &SessionId, total: u64, query: &PageQuery) -> Option<RawArrayBuf> {
    let direction = if query.order.is_descending() { -1 } else { 1 };
    let (matching, sort) = if query.order.is_by_time() {
        let matching = rawdoc! {
            "_id.sessionId": id.as_str(), "_id.seq": {"$lte": as_int64(total)},
        };
        (matching, by_time(direction))
    } else {
        let (first, end) = seq_range(total, query)?;
        let key = |seq: u64| rawdoc! {"sessionId": id.as_str(), "seq": as_int64(seq)};
        let matching = rawdoc! {"_id": {"$gte": key(first), "$lt": key(end)}};
        (matching, rawdoc! {"_id": direction})
    };
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1;
    let mut stages = RawArrayBuf::new();
    stages.push(rawdoc! {"$match": matching});
    stages.push(rawdoc! {"$sort": sort});
    stages.push(rawdoc! {"$limit": limit});
    (total > 0).then_some(stages)
}

/// The events of a reply, and where the next page starts.
pub(super) fn events(
    id: &SessionId,
    total: u64,
    query: &PageQuery,
    reply: &Reply,
) -> Result<Page, NoPage> {
    page(id, total, query, reply.documents()?, reply.is_cut())
}

/// Events, and the position of the last one if there are more.
pub(super) type Page = (Vec<Event>, Option<Position>);

pub(super) fn page<'a>(
    id: &SessionId,
    total: u64,
    query: &PageQuery,
    documents: impl Iterator<Item = Result<&'a RawDocument, Garbled>>,
    mut is_cut: bool,
) -> Result<Page, NoPage> {
    let mut page = Vec::with_capacity(query.limit.min(64));
    let mut bytes = 0;
    for document in documents {
        if page.len() == query.limit || bytes >= query.max_bytes {
            is_cut = true;
            break;
        }
        // Between the bounds there are events of this session, or what erasing left of them.
        let LogDocument::Event(event) = codec::log_document(id, document?)? else {
            return Err(NoPage::Stale);
        };
        bytes += event.payload.len();
        page.push(event);
    }
    let next = match page.last() {
        Some(last) if is_cut => Some(Position {
            timestamp: last.timestamp,
            seq: last.seq,
        }),
        _ => None,
    };
    // Where there is more, there is something: an empty page that goes on has lost its events.
    let is_broken_off = is_cut && page.is_empty();
    if !is_broken_off && is_whole(total, query, &page, is_cut) {
        Ok((page, next))
    } else {
        Err(NoPage::Stale)
    }
}

/// Whether nothing is missing, as far as the numbers can tell: the log has no gap.
fn is_whole(total: u64, query: &PageQuery, page: &[Event], is_cut: bool) -> bool {
    if !query.filter.is_empty() {
        return true;
    }
    let count = page.len() as u64;
    match (query.order, query.start) {
        (Order::SeqAscending, start) => {
            let first = match start {
                PageStart::Offset(offset) => offset + 1,
                PageStart::After(position) => position.seq.get() + 1,
                PageStart::AfterSeq(seq) => seq.saturating_add(1),
            };
            let seqs = page.iter().map(|event| event.seq.get());
            seqs.eq(first..first.saturating_add(count))
                && (is_cut || first.saturating_add(count) > total)
        }
        (_, PageStart::Offset(offset)) => is_cut || offset.saturating_add(count) >= total,
        _ => true,
    }
}

fn as_int64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn date(time: Timestamp) -> DateTime {
    DateTime::from_millis(time.millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Consistency, Seq};

    fn id() -> SessionId {
        SessionId::from_stored("call-7")
    }

    fn event(seq: i64) -> RawDocumentBuf {
        rawdoc! {
            "_id": {"sessionId": "call-7", "seq": seq},
            "eventId": seq.to_string(),
            "type": "system",
            "payload": {},
            "timestamp": DateTime::from_millis(seq),
            "recordedAt": DateTime::from_millis(seq),
        }
    }

    fn query(order: Order, start: PageStart) -> PageQuery {
        PageQuery {
            order,
            start,
            filter: EventFilter::default(),
            limit: 2,
            max_bytes: 1_000,
            consistency: Consistency::Strong,
        }
    }

    fn after(seq: u64) -> PageStart {
        PageStart::After(Position {
            timestamp: Timestamp::from_millis(seq.cast_signed()),
            seq: Seq::new(seq).unwrap(),
        })
    }

    /// What a log of three events gives.
    fn read(query: &PageQuery, seqs: &[i64], is_cut: bool) -> Option<Vec<u64>> {
        let documents: Vec<RawDocumentBuf> = seqs.iter().copied().map(event).collect();
        let documents = documents.iter().map(|document| Ok(document.as_ref()));
        match page(&id(), 3, query, documents, is_cut) {
            Ok((events, _)) => Some(events.iter().map(|event| event.seq.get()).collect()),
            Err(NoPage::Stale) => None,
            Err(NoPage::Garbled(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn an_empty_page_that_goes_on_is_not_taken_for_the_last() {
        let query = query(Order::TimeDescending, after(3));
        assert_eq!(read(&query, &[], true), None);
        assert_eq!(read(&query, &[], false), Some(vec![]));
    }

    #[test]
    fn a_page_with_a_gap_is_not_taken_for_the_log() {
        let start = query(Order::SeqAscending, PageStart::Offset(0));
        assert_eq!(read(&start, &[1, 3], false), None);
        assert_eq!(read(&start, &[1, 2, 3], false), Some(vec![1, 2]));
    }

    #[test]
    fn a_page_that_ends_before_the_tail_is_not_taken_for_the_last() {
        let from_the_second = query(Order::SeqAscending, after(1));
        assert_eq!(read(&from_the_second, &[2], false), None);
        assert_eq!(read(&from_the_second, &[2], true), Some(vec![2]));
        let by_time = query(Order::TimeAscending, PageStart::Offset(1));
        assert_eq!(read(&by_time, &[2], false), None);
        assert_eq!(read(&by_time, &[2, 3], false), Some(vec![2, 3]));
    }
}

//! Pages of events: what a request may ask for, and how a page is answered.

use crate::domain::{
    EventFilter, EventType, Limits, Order, PageQuery, PageStart, SessionId, Timestamp,
};
use crate::http::cursor::Walk;
use crate::http::parameters::{Parameter, Parameters, after_seq, integer, one_of};
use crate::http::wire;
use crate::store::EventPage;

/// The parameters of a page, as they were sent.
pub(super) struct PageParameters<'r> {
    pub(super) limit: Parameter<'r>,
    pub(super) cursor: Parameter<'r>,
    pub(super) offset: Parameter<'r>,
    pub(super) after_seq: Parameter<'r>,
    pub(super) order: Parameter<'r>,
    pub(super) kind: Parameter<'r>,
    pub(super) since: Parameter<'r>,
    pub(super) until: Parameter<'r>,
    pub(super) consistency: Parameter<'r>,
}

/// A page that is asked for.
#[derive(Clone, Debug)]
pub(super) struct PageRequest {
    pub(super) session_id: SessionId,
    pub(super) query: PageQuery,
    /// The offset, if the request named one.
    offset: Option<u64>,
}

/// The names of the orders, in the order of their documentation.
const ORDERS: [(&str, Order); 4] = [
    ("timestamp", Order::TimeAscending),
    ("-timestamp", Order::TimeDescending),
    ("seq", Order::SeqAscending),
    ("-seq", Order::SeqDescending),
];

/// Reads the limit of a page.
pub(super) fn limit(given: &mut Parameters<'_>, limit: &Parameter<'_>, limits: &Limits) -> usize {
    let most = limits.page_limit;
    let limit = given.optional(limit, integer(1..=most as u64));
    limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(limits.page_default.min(most))
}

impl PageRequest {
    /// Reads a page of this session's events; `None` without a session.
    pub(super) fn read(
        given: &mut Parameters<'_>,
        session_id: Option<SessionId>,
        page: &PageParameters<'_>,
        limits: &Limits,
    ) -> Option<Self> {
        given.excludes(&page.cursor, &[&page.offset, &page.after_seq]);
        given.excludes(&page.after_seq, &[&page.offset, &page.order]);
        let limit = limit(given, &page.limit, limits);
        let offset = given.optional(&page.offset, integer(0..=limits.offset));
        let after_seq = given.optional(&page.after_seq, after_seq);
        let order = given.optional(&page.order, one_of(&ORDERS));
        let filter = EventFilter {
            kind: given.optional(&page.kind, str::parse::<EventType>),
            since: given.optional(&page.since, Timestamp::parse),
            until: given.optional(&page.until, Timestamp::parse),
        };
        let consistency = given.consistency(&page.consistency);
        let session_id = session_id?;
        let order = if after_seq.is_some() {
            Order::SeqAscending
        } else {
            order.unwrap_or_default()
        };
        let walk = Walk::events(&session_id, order, &filter);
        let start = if let Some(seq) = after_seq {
            PageStart::AfterSeq(seq)
        } else {
            let after = given.optional(&page.cursor, |cursor| walk.event(cursor));
            after.map_or(PageStart::Offset(offset.unwrap_or(0)), PageStart::After)
        };
        let query = PageQuery {
            order,
            start,
            filter,
            limit,
            max_bytes: limits.page_bytes,
            consistency,
        };
        Some(Self {
            session_id,
            query,
            offset,
        })
    }

    /// About how many bytes [`Self::write`] appends.
    pub(super) fn bytes(page: &EventPage) -> usize {
        200 + page.events.iter().map(wire::event_bytes).sum::<usize>()
    }

    /// Appends `"events":[…],"pagination":{…}`.
    pub(super) fn write(&self, out: &mut String, page: &EventPage) {
        out.push_str("\"events\":");
        wire::list(out, &page.events, wire::event);
        out.push_str(",\"pagination\":{\"limit\":");
        wire::plain(out, self.query.limit);
        if self.query.filter.is_empty() {
            out.push_str(",\"total\":");
            wire::plain(out, page.total);
        }
        if let Some(offset) = self.offset {
            out.push_str(",\"offset\":");
            wire::plain(out, offset);
        }
        if let Some(position) = page.next
            && !matches!(self.query.start, PageStart::AfterSeq(_))
        {
            let walk = Walk::events(&self.session_id, self.query.order, &self.query.filter);
            out.push_str(",\"nextCursor\":\"");
            out.push_str(&walk.after_event(position));
            out.push('"');
        }
        out.push('}');
    }
}

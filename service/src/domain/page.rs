//! What a reader can ask for: pages of events, pages of sessions.

use crate::domain::{CreationId, EventType, Language, Limits, Seq, SessionStatus, Timestamp};

/// How fresh an answer has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every write that was acknowledged before the read began.
    #[default]
    Strong,
    /// The same, even for a process that is cut off together with a deposed primary.
    Linearizable,
    /// May be behind; never asks the primary.
    Eventual,
}

/// The order of a page of events. Ties of time go by seq; the descending orders are the exact
/// reverse of the ascending ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// `timestamp`
    #[default]
    TimeAscending,
    /// `-timestamp`
    TimeDescending,
    /// `seq`
    SeqAscending,
    /// `-seq`
    SeqDescending,
}

impl Order {
    /// Whether time, not seq, decides.
    pub fn is_by_time(self) -> bool {
        matches!(self, Self::TimeAscending | Self::TimeDescending)
    }

    /// Whether the last comes first.
    pub fn is_descending(self) -> bool {
        matches!(self, Self::TimeDescending | Self::SeqDescending)
    }
}

/// The place of an event in every order: what a cursor remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The event's time.
    pub timestamp: Timestamp,
    /// The event's seq.
    pub seq: Seq,
}

/// Where a page of events starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// At the first event of the order that passes the filter, `offset` of them skipped.
    Offset(u64),
    /// After this position, in the order of the page.
    After(Position),
    /// After this seq (0: from the start), in seq order. For polls and streams.
    AfterSeq(u64),
}

/// Which events a page is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only this type.
    pub kind: Option<EventType>,
    /// Only events at this time or later.
    pub since: Option<Timestamp>,
    /// Only events before this time.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    /// Whether every event passes, so that the exact total is known without counting.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event of this type and time passes.
    pub fn passes(&self, kind: EventType, timestamp: Timestamp) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.since.is_none_or(|since| timestamp >= since)
            && self.until.is_none_or(|until| timestamp < until)
    }
}

/// A page of events to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// In which order. [`PageStart::AfterSeq`] goes with [`Order::SeqAscending`] only.
    pub order: Order,
    /// From where on.
    pub start: PageStart,
    /// Which events.
    pub filter: EventFilter,
    /// Most events to return, 1 at least.
    pub limit: usize,
    /// The page ends when the payloads reach this size, in bytes; one event is always returned.
    pub max_bytes: usize,
    /// How fresh.
    pub consistency: Consistency,
}

impl PageQuery {
    /// What a stream reads next: everything after `seq`, in order, as one page of fresh events.
    pub fn following(seq: u64, limits: &Limits) -> Self {
        Self {
            order: Order::SeqAscending,
            start: PageStart::AfterSeq(seq),
            filter: EventFilter::default(),
            limit: limits.page_limit,
            max_bytes: limits.page_bytes,
            consistency: Consistency::Strong,
        }
    }
}

/// Which sessions a list is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only in this status.
    pub status: Option<SessionStatus>,
    /// Only in this language, whatever its case.
    pub language: Option<Language>,
    /// Only sessions that started at this time or later.
    pub started_after: Option<Timestamp>,
    /// Only sessions that started before this time.
    pub started_before: Option<Timestamp>,
}

/// The place of a session in a list: newest start first, then newest creation first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPosition {
    /// When the conversation began.
    pub started_at: Timestamp,
    /// The order of creation among equal starts.
    pub creation_id: CreationId,
}

/// A page of sessions to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionListQuery {
    /// Which sessions.
    pub filter: SessionFilter,
    /// After this position; from the newest on without.
    pub after: Option<SessionPosition>,
    /// Most sessions to return, 1 at least.
    pub limit: usize,
    /// How fresh.
    pub consistency: Consistency,
}

//! What a follower makes of what it hears. No IO.

use std::sync::Arc;

use crate::domain::{Event, Seq};
use crate::store::Record;

/// Most that is told from memory at once, in bytes. Beyond it, to read a page is no great cost;
/// and it bounds what waits for followers that are slow.
const TOLD_BYTES: usize = 64 * 1024;

/// What the followers of a session are told, in the order in which it became known.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    /// These were committed, one after the other.
    Committed(Arc<[Event]>),
    /// The log reaches at least this far.
    Grown(Seq),
    /// Anything may have happened to it.
    Changed,
}

impl Heard {
    /// What to say of records of one session, of which `last` is the last.
    pub(super) fn of(records: &[Record], last: Seq) -> Self {
        let event = |record: &Record| match record {
            Record::Event(event) => Some(event.clone()),
            // How a stream ends is for the store to say.
            Record::Terminal(..) => None,
        };
        let is_small = records.iter().map(bytes).sum::<usize>() <= TOLD_BYTES;
        let events = is_small.then(|| records.iter().map(event).collect::<Option<Arc<_>>>());
        match events.flatten() {
            Some(events) => Self::Committed(events),
            None => Self::Grown(last),
        }
    }
}

/// What a record occupies in memory.
fn bytes(record: &Record) -> usize {
    let contents = match record {
        Record::Event(event) => event.event_id.as_bytes().len() + event.payload.len(),
        Record::Terminal(..) => 0,
    };
    size_of::<Event>() + contents
}

/// What is new for a follower.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// These events were committed, and come right after what it has seen.
    Events(Vec<Event>),
    /// There may be something that the store has to be asked for.
    Look,
}

/// All that waited for a follower, as one piece of news.
pub(super) struct Gathering {
    /// Up to where the follower knows the log, with `events`.
    seen: u64,
    events: Vec<Event>,
    reach: u64,
    has_changed: bool,
}

impl Gathering {
    pub(super) fn after(seen: u64) -> Self {
        Self {
            seen,
            events: Vec::new(),
            reach: 0,
            has_changed: false,
        }
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Committed(events) => {
                for event in events.iter() {
                    let seq = event.seq;
                    self.reach = self.reach.max(seq.get());
                    if seq.get() == self.seen + 1 {
                        self.seen = seq.get();
                        self.events.push(event.clone());
                    }
                }
            }
            Heard::Grown(seq) => self.reach = self.reach.max(seq.get()),
            Heard::Changed => self.has_changed = true,
        }
    }

    /// `None` if the follower knows all of it.
    pub(super) fn news(self) -> Option<News> {
        // What changed may be what is in memory here.
        if self.has_changed || self.reach > self.seen {
            return Some(News::Look);
        }
        (!self.events.is_empty()).then_some(News::Events(self.events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ClosingStatus, Document, EventId, EventType, SessionId, Terminal, Timestamp,
    };

    fn event(seq: u64) -> Event {
        Event {
            session_id: SessionId::from_stored("s"),
            seq: Seq::after(seq - 1),
            event_id: EventId::from_stored("e"),
            kind: EventType::System,
            payload: Document::empty(),
            timestamp: Timestamp::from_millis(0),
            recorded_at: Timestamp::from_millis(0),
        }
    }

    /// The events from one seq to another.
    fn committed(seqs: std::ops::RangeInclusive<u64>) -> Heard {
        Heard::Committed(seqs.map(event).collect())
    }

    fn events(seqs: std::ops::RangeInclusive<u64>) -> News {
        News::Events(seqs.map(event).collect())
    }

    fn grown(seq: u64) -> Heard {
        Heard::Grown(Seq::after(seq - 1))
    }

    /// The news of a follower that has seen so much.
    fn news<const N: usize>(seen: u64, heard: [Heard; N]) -> Option<News> {
        let mut gathering = Gathering::after(seen);
        for heard in heard {
            gathering.hear(heard);
        }
        gathering.news()
    }

    #[test]
    fn what_was_seen_is_no_news() {
        assert_eq!(news(7, []), None);
        assert_eq!(news(7, [grown(6), grown(7)]), None);
        assert_eq!(news(7, [grown(8)]), Some(News::Look));
    }

    #[test]
    fn the_record_after_the_last_event_is_news_since_it_may_be_the_end() {
        assert_eq!(news(0, [grown(1)]), Some(News::Look));
    }

    #[test]
    fn a_change_is_news_whatever_was_seen() {
        assert_eq!(news(7, [Heard::Changed, grown(7)]), Some(News::Look));
    }

    #[test]
    fn events_that_come_next_are_told_from_memory() {
        assert_eq!(news(7, [committed(8..=9)]), Some(events(8..=9)));
        assert_eq!(
            news(7, [committed(8..=9), committed(10..=10)]),
            Some(events(8..=10))
        );
        assert_eq!(news(7, [committed(6..=8)]), Some(events(8..=8)));
        assert_eq!(news(9, [committed(8..=9)]), None);
    }

    #[test]
    fn an_echo_adds_nothing_whether_it_comes_before_or_after() {
        assert_eq!(news(7, [committed(8..=8), grown(8)]), Some(events(8..=8)));
        assert_eq!(news(7, [grown(8), committed(8..=8)]), Some(events(8..=8)));
    }

    #[test]
    fn nothing_is_told_from_memory_across_a_gap() {
        assert_eq!(news(7, [committed(9..=9)]), Some(News::Look));
        assert_eq!(
            news(7, [committed(8..=8), committed(10..=10)]),
            Some(News::Look)
        );
        assert_eq!(news(7, [committed(8..=8), grown(9)]), Some(News::Look));
    }

    #[test]
    fn nothing_is_told_from_memory_once_it_changed() {
        assert_eq!(
            news(7, [committed(8..=8), Heard::Changed]),
            Some(News::Look)
        );
        assert_eq!(
            news(7, [Heard::Changed, committed(8..=8)]),
            Some(News::Look)
        );
    }

    fn of(records: &[Record]) -> Heard {
        Heard::of(records, records.last().unwrap().seq())
    }

    #[test]
    fn what_ends_a_log_is_only_hinted_at() {
        let terminal = Terminal {
            seq: Seq::after(8),
            status: ClosingStatus::Completed,
            at: Timestamp::from_millis(0),
            reason: None,
        };
        let terminal = Record::Terminal(SessionId::from_stored("s"), terminal);
        let heard = of(&[Record::Event(event(8)), terminal]);
        assert!(matches!(heard, Heard::Grown(seq) if seq == Seq::after(8)));
    }

    #[test]
    fn what_is_large_is_only_hinted_at() {
        let with_payload = |bytes: usize| {
            let text = format!("{{\"t\":\"{}\"}}", "x".repeat(bytes));
            let payload = Document::from_stored(&text);
            Record::Event(Event {
                payload,
                ..event(8)
            })
        };
        let small = of(&[with_payload(TOLD_BYTES / 2)]);
        assert!(matches!(small, Heard::Committed(events) if events.len() == 1));
        let large = of(&[with_payload(TOLD_BYTES / 2), with_payload(TOLD_BYTES / 2)]);
        assert!(matches!(large, Heard::Grown(_)));
    }
}

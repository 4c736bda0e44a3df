//! One session's queue, and what a look-up makes of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::{Event, EventId, NewEvent, Seq, SessionId, Terminal};
use crate::log::committer::types::append_bytes;
use crate::log::committer::{Answer, Closing, Refusal, Ticket};

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) tail: Tail,
    pub(super) waiting: VecDeque<Item>,
    pub(super) stage: Stage,
    pub(super) pace: Pace,
    /// Delays without any progress in between; decides how long the next one is. A look-up that
    /// only succeeds is no progress: a store that can be read but not written is away too.
    pub(super) failures: u32,
}

/// What is known of the log. Never more than what is committed: it may lag, it cannot run ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Unknown,
    /// Open when last seen, with this many records.
    Open(u64),
}

/// How a lane shares its session with other processes. A batch that is sent at once after the one
/// before always wins its place, since the loser has to look up the tail first, and the winner
/// never hears of the loser. So a lane pauses from time to time, for as long as the other one
/// needs; and after each batch, once it has met another writer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// So many more batches are followed by a pause each.
    turns: u8,
    /// Batches since the last pause.
    batches: u8,
    /// No batch before this moment.
    pub(super) not_before: Duration,
}

impl Pace {
    /// So many batches after it last met another writer a lane goes on at full speed. Low enough
    /// that a chance meeting costs little, high enough that it lasts while both are busy.
    const TURNS: u8 = 8;
    /// So many batches may follow each other without a pause: at 4 ms each, another writer waits
    /// about 100 ms at first, and a pause of 5 ms costs a session that is busy all the time 4 %.
    const BATCHES: u8 = 32;

    pub(super) fn met_another(&mut self) {
        self.turns = Self::TURNS;
    }

    /// A batch was stored just now.
    pub(super) fn stored(&mut self, now: Duration, pause: Duration) {
        self.batches += 1;
        if self.turns > 0 || self.batches == Self::BATCHES {
            self.turns = self.turns.saturating_sub(1);
            self.batches = 0;
            self.not_before = now + pause;
        }
    }
}

/// Where a lane is. Only an idle lane may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Queued,
    InFlight,
    Delayed,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) ticket: Ticket,
    pub(super) arrived: Duration,
    pub(super) work: Work,
    /// It may be stored already: a look-up has to tell before it is sent (again).
    pub(super) suspect: bool,
    /// The place at which the store refused it just now: something is there, visible yet or not.
    /// One look-up takes this into account: if what was there is rolled back, no later one will
    /// ever see it.
    pub(super) refused_at: Option<Seq>,
}

#[derive(Debug)]
pub(super) enum Work {
    Append(NewEvent),
    Close(Closing),
}

impl Work {
    pub(super) fn session_id(&self) -> &SessionId {
        match self {
            Self::Append(event) => &event.session_id,
            Self::Close(closing) => &closing.session_id,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Append(event) => append_bytes(event),
            Self::Close(closing) => closing.bytes(),
        }
    }
}

impl Item {
    pub(super) fn new(ticket: Ticket, arrived: Duration, work: Work) -> Self {
        Self {
            ticket,
            arrived,
            work,
            suspect: false,
            refused_at: None,
        }
    }
}

/// What a look-up decided.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) answers: Vec<(Item, Answer)>,
    /// What refused an item is not visible yet: wait a moment and look again; if it still is not
    /// visible then, the item is sent again.
    pub(super) look_again: bool,
}

impl Lane {
    pub(super) fn new(tail: Tail, pace: Pace) -> Self {
        Self {
            tail,
            pace,
            waiting: VecDeque::new(),
            stage: Stage::Idle,
            failures: 0,
        }
    }

    pub(super) fn needs_look_up(&self) -> bool {
        self.tail == Tail::Unknown || self.waiting.iter().any(|item| item.suspect)
    }

    /// The first event ids a look-up has to ask for, in the order of the queue.
    pub(super) fn suspect_event_ids(&self, most: usize) -> Vec<EventId> {
        self.waiting
            .iter()
            .filter(|item| item.suspect)
            .filter_map(|item| match &item.work {
                Work::Append(event) => Some(event.event_id.clone()),
                Work::Close(_) => None,
            })
            .take(most)
            .collect()
    }

    /// Refuses the first `count` items; those behind them need another look.
    pub(super) fn refuse_first(&mut self, count: usize, refusal: &Refusal) -> Verdict {
        self.tail = Tail::Unknown;
        self.failures = 0;
        let count = count.min(self.waiting.len());
        let answers = self
            .waiting
            .drain(..count)
            .map(|item| (item, Answer::Refused(refusal.clone())))
            .collect();
        Verdict {
            answers,
            look_again: false,
        }
    }

    /// The log is closed: of the first `count` items, stored events are answered as stored,
    /// everything else is too late. What the look-up did not ask for is left to the next one:
    /// appends it did not look for, and whatever came after it (the session may be erased since).
    pub(super) fn settle_closed(
        &mut self,
        count: usize,
        terminal: &Terminal,
        found: Vec<Option<Event>>,
    ) -> Verdict {
        self.tail = Tail::Unknown;
        self.failures = 0;
        let mut found = found.into_iter();
        let mut verdict = Verdict::default();
        let waiting = std::mem::take(&mut self.waiting);
        for (index, mut item) in waiting.into_iter().enumerate() {
            let looked_for = match &item.work {
                Work::Append(_) if item.suspect => found.next(),
                Work::Append(_) | Work::Close(_) => None,
            };
            let answer = match (&item.work, looked_for) {
                (Work::Append(new), Some(Some(event))) => stored_before(new, event),
                (Work::Append(_), Some(None)) => Answer::Refused(Refusal::Closed(terminal.clone())),
                (Work::Close(closing), _) if index < count => {
                    if closing.status == terminal.status {
                        Answer::Closed(terminal.clone())
                    } else {
                        Answer::Refused(Refusal::ClosedOtherwise(terminal.clone()))
                    }
                }
                (Work::Append(_) | Work::Close(_), _) => {
                    item.suspect = true;
                    self.waiting.push_back(item);
                    continue;
                }
            };
            verdict.answers.push((item, answer));
        }
        verdict
    }

    /// The log is open with `tail` records: stored events are answered, what is absent may be
    /// sent (again). Events that the look-up had no room for stay suspect until the next one.
    pub(super) fn settle_open(&mut self, tail: u64, found: Vec<Option<Event>>) -> Verdict {
        if let Tail::Open(known) = self.tail {
            debug_assert!(known <= tail, "a committed tail went back");
            if known < tail {
                self.failures = 0;
                self.pace.met_another();
            }
        }
        self.tail = Tail::Open(tail);
        let next = Seq::after(tail);
        let mut found = found.into_iter();
        let mut verdict = Verdict::default();
        for mut item in std::mem::take(&mut self.waiting) {
            if item.suspect {
                if let Work::Append(new) = &item.work {
                    let Some(looked_for) = found.next() else {
                        self.waiting.push_back(item);
                        continue;
                    };
                    if let Some(event) = looked_for {
                        let answer = stored_before(new, event);
                        verdict.answers.push((item, answer));
                        continue;
                    }
                    // Only the first in line knows its place; the others wait for theirs.
                    let is_first = self.waiting.is_empty();
                    if is_first && new.expected_seq.is_some_and(|expected| expected != next) {
                        let refusal = Refusal::NotNext { next };
                        verdict.answers.push((item, Answer::Refused(refusal)));
                        continue;
                    }
                }
                let refused_at = item.refused_at.take();
                let occupant_is_hidden = refused_at.is_some_and(|seq| seq.get() > tail);
                item.suspect = occupant_is_hidden;
                verdict.look_again |= occupant_is_hidden;
            }
            self.waiting.push_back(item);
        }
        if !verdict.answers.is_empty() {
            self.failures = 0;
        }
        verdict
    }
}

fn stored_before(new: &NewEvent, event: Event) -> Answer {
    if event.has_content_of(new) {
        Answer::Appended {
            event,
            replayed: true,
        }
    } else {
        Answer::Refused(Refusal::EventIdTaken)
    }
}

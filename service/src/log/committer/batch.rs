//! Batches: which records go into the next one, and what their outcomes mean.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Event, Seq, SessionId, Terminal};
use crate::log::committer::lane::{Item, Stage, Tail, Work};
use crate::log::committer::{Answer, CallId, Committer, Effect};
use crate::store::{CommitOutcome, Record};

/// A batch in flight: for each lane, its items, whose records stand in the same order.
#[derive(Debug)]
pub(super) struct Batch {
    lanes: Vec<(SessionId, Vec<Item>)>,
    records: Arc<[Record]>,
}

/// A batch that is being filled.
struct Filling {
    lanes: Vec<(SessionId, Vec<Item>)>,
    records: Vec<Record>,
    waits: Vec<Duration>,
    bytes: usize,
}

impl Committer {
    pub(super) fn start_batch(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let mut filling = Filling {
            lanes: Vec::new(),
            records: Vec::new(),
            waits: Vec::new(),
            bytes: 0,
        };
        while !self.is_full(&filling) {
            let Some(session_id) = self.ready.pop_front() else {
                break;
            };
            self.fill_from(now, session_id, &mut filling);
        }
        if filling.records.is_empty() {
            return;
        }
        let call = self.call_id();
        let records: Arc<[Record]> = filling.records.into();
        self.batches.insert(
            call,
            Batch {
                lanes: filling.lanes,
                records: Arc::clone(&records),
            },
        );
        effects.push(Effect::Commit {
            call,
            records,
            waits: filling.waits,
        });
    }

    fn is_full(&self, filling: &Filling) -> bool {
        filling.records.len() >= self.settings.batch_items
            || filling.bytes >= self.settings.batch_bytes
    }

    /// Takes from a lane what can go: in order, from its next place on.
    fn fill_from(&mut self, now: Duration, session_id: SessionId, filling: &mut Filling) {
        let mut taken = Vec::new();
        loop {
            let full = self.is_full(filling);
            let Some(lane) = self.lanes.get_mut(&session_id) else {
                return;
            };
            let Tail::Open(tail) = lane.tail else {
                break;
            };
            let Some(mut item) = lane.waiting.pop_front() else {
                break;
            };
            if !self.unanswered.contains(&item.ticket) {
                // Past its deadline, and not in flight: nobody wants it any more.
                let bytes = item.work.bytes();
                self.leave(bytes);
                continue;
            }
            let seq = Seq::after(tail + taken.len() as u64);
            let is_out_of_place = match &item.work {
                Work::Append(new) => new.expected_seq.is_some_and(|expected| expected != seq),
                Work::Close(_) => false,
            };
            if full || is_out_of_place {
                // At the front of its lane an unexpected place means: stored before, or the tail
                // is not what the caller saw. A look-up tells.
                item.suspect = is_out_of_place && taken.is_empty();
                lane.waiting.push_front(item);
                break;
            }
            filling.bytes += item.work.bytes();
            filling.waits.push(now.saturating_sub(item.arrived));
            filling.records.push(record_at(seq, &item.work));
            let is_last = matches!(item.work, Work::Close(_));
            taken.push(item);
            if is_last {
                break;
            }
        }
        if taken.is_empty() {
            self.reschedule(now, &session_id);
            return;
        }
        if let Some(lane) = self.lanes.get_mut(&session_id) {
            lane.stage = Stage::InFlight;
        }
        filling.lanes.push((session_id, taken));
    }

    /// The answer to [`Effect::Commit`].
    pub fn committed(
        &mut self,
        now: Duration,
        call: CallId,
        outcomes: &[CommitOutcome],
        effects: &mut Vec<Effect>,
    ) {
        let Some(batch) = self.batches.remove(&call) else {
            return;
        };
        let any_refused = outcomes.contains(&CommitOutcome::Refused);
        let mut at = 0;
        for (session_id, items) in batch.lanes {
            let count = items.len();
            let outcome_of = |index: usize| {
                let outcome = outcomes.get(at + index).copied();
                outcome.unwrap_or(CommitOutcome::Unknown)
            };
            let records = &batch.records[at..at + count];
            let outcomes = without_gap((0..count).map(outcome_of).collect());
            self.lane_committed(
                now,
                &session_id,
                items,
                records,
                &outcomes,
                any_refused,
                effects,
            );
            let stored = in_order(&outcomes);
            if stored > 0 {
                let records = Arc::clone(&batch.records);
                effects.push(Effect::Announce(records, at..at + stored));
            }
            at += count;
        }
        self.pump(now, effects);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one lane's share of a batch, taken apart once"
    )]
    fn lane_committed(
        &mut self,
        now: Duration,
        session_id: &SessionId,
        items: Vec<Item>,
        records: &[Record],
        outcomes: &[CommitOutcome],
        any_refused: bool,
        effects: &mut Vec<Effect>,
    ) {
        let mut tail = None;
        let mut terminal = None;
        let mut left: VecDeque<Item> = VecDeque::new();
        let mut answers = Vec::new();
        for ((mut item, record), outcome) in items.into_iter().zip(records).zip(outcomes) {
            match outcome {
                CommitOutcome::Stored => {
                    tail = Some(record.seq().get());
                    answers.push((item, stored(record, &mut terminal)));
                    continue;
                }
                CommitOutcome::Refused => {
                    item.suspect = true;
                    item.refused_at = Some(record.seq());
                }
                CommitOutcome::Unknown => item.suspect = true,
                // After a refusal one look-up settles all that is left: a batch full of retries
                // must not cost a round trip each.
                CommitOutcome::NotTried => item.suspect |= any_refused,
            }
            left.push_back(item);
        }

        for (item, answer) in answers {
            self.leave(item.work.bytes());
            self.answer(item.ticket, answer, effects);
        }

        let Some(lane) = self.lanes.get_mut(session_id) else {
            return;
        };
        lane.stage = Stage::Idle;
        if let Some(tail) = tail {
            lane.tail = Tail::Open(tail);
            lane.failures = 0;
            if self.settings.is_shared {
                lane.pace.stored(now, self.settings.delay_min);
            }
        }
        if terminal.is_some() || outcomes.contains(&CommitOutcome::Unknown) {
            lane.tail = Tail::Unknown;
        }
        if terminal.is_some() {
            // Whoever comes after a closing can only be a retry of something stored.
            lane.waiting.iter_mut().for_each(|item| item.suspect = true);
        }
        // Those past their deadline are dropped on the way into the next batch, or by the delay.
        let has_failed = outcomes.contains(&CommitOutcome::Unknown)
            || (outcomes.contains(&CommitOutcome::NotTried) && !any_refused);
        for item in left.into_iter().rev() {
            lane.waiting.push_front(item);
        }
        if has_failed {
            self.delay(now, session_id);
        } else {
            self.reschedule(now, session_id);
        }
    }
}

/// What the outcomes of one session's records say together. One that is stored behind one that is
/// not contradicts it: only a look-up can tell what there is from that one on.
fn without_gap(mut outcomes: Vec<CommitOutcome>) -> Vec<CommitOutcome> {
    let stored = in_order(&outcomes);
    let behind = &mut outcomes[stored..];
    if behind.contains(&CommitOutcome::Stored) {
        behind.fill(CommitOutcome::Unknown);
    }
    outcomes
}

/// How many are stored before the first that is not.
fn in_order(outcomes: &[CommitOutcome]) -> usize {
    let stored = |outcome: &&CommitOutcome| **outcome == CommitOutcome::Stored;
    outcomes.iter().take_while(stored).count()
}

fn record_at(seq: Seq, work: &Work) -> Record {
    match work {
        Work::Append(new) => Record::Event(Event::at(seq, new)),
        Work::Close(closing) => Record::Terminal(
            closing.session_id.clone(),
            Terminal {
                seq,
                status: closing.status,
                at: closing.at,
                reason: closing.reason.clone(),
            },
        ),
    }
}

fn stored(record: &Record, closed_by: &mut Option<Terminal>) -> Answer {
    match record {
        Record::Event(event) => Answer::Appended {
            event: event.clone(),
            replayed: false,
        },
        Record::Terminal(_, terminal) => {
            *closed_by = Some(terminal.clone());
            Answer::Closed(terminal.clone())
        }
    }
}

//! The primary of the moment, those that were deposed, and what a majority has for good.

use std::collections::HashSet;

use rand::Rng;
use rand::rngs::StdRng;
use sessionstore::domain::{ClosingStatus, EventId, Seq, SessionId, Terminal, Timestamp};
use sessionstore::store::Record;

use super::{Branch, Op};
use crate::violation::{Violation, promise};

#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// Every primary there ever was, the present one last.
    branches: Vec<Branch>,
    /// What a majority has: the longest of what any primary ever knew to be so.
    canon: Branch,
    /// In which step of the simulation each operation of the canon got there.
    since: Vec<usize>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            branches: vec![Branch::default()],
            ..Self::default()
        }
    }

    pub(crate) fn current(&self) -> usize {
        self.branches.len() - 1
    }

    pub(crate) fn branch(&self, index: usize) -> &Branch {
        &self.branches[index]
    }

    pub(crate) fn branch_mut(&mut self, index: usize) -> &mut Branch {
        &mut self.branches[index]
    }

    pub(crate) fn canon(&self) -> &Branch {
        &self.canon
    }

    /// The majority now has the first `place` operations of the present primary.
    pub(crate) fn advance(&mut self, place: usize, step: usize) -> Result<(), Violation> {
        let current = self.current();
        let branch = &mut self.branches[current];
        let before = branch.committed();
        branch.commit_up_to(place);
        for place in before..branch.committed() {
            let op = branch.op(place);
            if place < self.canon.len() {
                let known = self.canon.op(place);
                promise("what is committed never changes", known == op, || {
                    format!("{known:?} became {op:?}")
                })?;
            } else {
                self.canon.push(op.clone())?;
                self.canon.commit_up_to(place + 1);
                self.since.push(step);
            }
        }
        Ok(())
    }

    /// Another member becomes primary: what the majority has stays, of the rest it has whatever
    /// had reached it. It does not know yet how far the majority got. Says how many operations
    /// were rolled back.
    pub(crate) fn fail_over(&mut self, rng: &mut StdRng) -> Result<usize, Violation> {
        let old = &self.branches[self.current()];
        let len = rng.random_range(self.canon.len()..=old.len());
        let forgotten = rng.random_range(0..=3.min(old.committed()));
        let rolled_back = old.len() - len;
        let new = old.fork(len, old.committed() - forgotten)?;
        self.branches.push(new);
        Ok(rolled_back)
    }

    /// How many records the majority had of a session, after a step.
    pub(crate) fn tail_after(&self, id: &SessionId, step: usize) -> u64 {
        let upto = self.since.partition_point(|since| *since <= step);
        self.canon
            .session(id)
            .map_or(0, |session| session.tail(upto))
    }

    /// Whether the majority had an event, after a step.
    pub(crate) fn had_event(&self, id: &SessionId, event_id: &EventId, step: usize) -> bool {
        let upto = self.since.partition_point(|since| *since <= step);
        self.canon
            .session(id)
            .is_some_and(|session| session.event(event_id, upto).is_some())
    }

    /// Looks at every log as a whole, whatever was checked on the way.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        for branch in [&self.canon, &self.branches[self.current()]] {
            for (id, session) in branch.sessions() {
                let places: Vec<u64> = session
                    .records
                    .iter()
                    .map(|(_, record)| record.seq().get())
                    .collect();
                let expected: Vec<u64> = (1..=places.len() as u64).collect();
                promise("a log has no gap", places == expected, || {
                    format!("{id}: {places:?}")
                })?;
                let ids: HashSet<_> = session
                    .events(usize::MAX)
                    .map(|event| &event.event_id)
                    .collect();
                let terminal = session.terminal(usize::MAX);
                let events = places.len() - usize::from(terminal.is_some());
                promise(
                    "an event id is stored at most once, and one terminal record",
                    ids.len() == events,
                    || format!("{id}: {} ids in {events} events", ids.len()),
                )?;
                let is_last =
                    terminal.is_none_or(|terminal| terminal.event_count() == ids.len() as u64);
                promise("the terminal record is the last", is_last, || {
                    format!("{id}: {terminal:?} of {places:?}")
                })?;
            }
        }
        let current = &self.branches[self.current()];
        let is_prefix =
            (0..self.canon.len()).all(|place| current.op(place) == self.canon.op(place));
        promise("what is committed never changes", is_prefix, || {
            "the primary has other operations than the majority".to_owned()
        })
    }

    /// Erases a session in one transaction, as the embedded store does.
    pub(crate) fn erase_at_once(&mut self, id: &SessionId) -> Result<(), Violation> {
        let current = self.current();
        let branch = &mut self.branches[current];
        let Some(session) = branch.session(id) else {
            return Ok(());
        };
        if session.created.is_none() || session.tombstone.is_some() {
            return Ok(());
        }
        let mut ops = vec![Op::Tombstone(id.clone())];
        if session.terminal(usize::MAX).is_none() {
            ops.push(closing(id, session.tail(usize::MAX)));
        }
        let events = session.events(usize::MAX);
        ops.extend(events.map(|event| Op::Stub(id.clone(), event.seq)));
        for op in ops {
            branch.push(op)?;
        }
        Ok(())
    }

    /// Erases a session step by step, each only on what is committed, and goes on from wherever
    /// it stands; `true` when there is nothing left to do.
    pub(crate) fn erase_step(&mut self, id: &SessionId) -> Result<bool, Violation> {
        let current = self.current();
        let branch = &mut self.branches[current];
        let committed = branch.committed();
        let Some(session) = branch.session(id) else {
            return Ok(true);
        };
        if session.created.is_none() {
            return Ok(true);
        }
        if session.tombstone.is_none() {
            branch.push(Op::Tombstone(id.clone()))?;
            return Ok(false);
        }
        if !session.is_within(committed) {
            return Ok(false);
        }
        if session.terminal(committed).is_none() {
            let closing = closing(id, session.tail(committed));
            branch.push(closing)?;
            return Ok(false);
        }
        let unstubbed: Vec<_> = session
            .events(committed)
            .map(|event| event.seq)
            .filter(|seq| !session.stubs.iter().any(|(_, stub)| stub == seq))
            .collect();
        let is_done = unstubbed.is_empty();
        for seq in unstubbed {
            branch.push(Op::Stub(id.clone(), seq))?;
        }
        Ok(is_done)
    }
}

/// The terminal record that an erasure gives an open log, so that every writer loses from then on.
fn closing(id: &SessionId, tail: u64) -> Op {
    let terminal = Terminal {
        seq: Seq::after(tail),
        status: ClosingStatus::Failed,
        at: Timestamp::from_millis(0),
        reason: Some("erased".into()),
    };
    Op::Stored(Record::Terminal(id.clone(), terminal))
}

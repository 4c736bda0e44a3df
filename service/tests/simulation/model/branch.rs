//! One primary's log of operations, and the sessions that follow from it.

use std::collections::BTreeMap;

use sessionstore::domain::{Event, EventId, NewSession, Seq, SessionId, Terminal};
use sessionstore::store::{LogState, Record};

use crate::violation::{Violation, promise};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Created(NewSession),
    Stored(Record),
    Tombstone(SessionId),
    /// The event at this place gives up its content and its id.
    Stub(SessionId, Seq),
}

impl Op {
    pub(crate) fn session_id(&self) -> &SessionId {
        match self {
            Self::Created(session) => &session.session_id,
            Self::Stored(record) => record.session_id(),
            Self::Tombstone(session_id) | Self::Stub(session_id, _) => session_id,
        }
    }
}

/// What one session's operations add up to, each with its place in the log of operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionOps {
    pub(crate) created: Option<(usize, NewSession)>,
    pub(crate) tombstone: Option<usize>,
    pub(crate) records: Vec<(usize, Record)>,
    pub(crate) stubs: Vec<(usize, Seq)>,
}

impl SessionOps {
    pub(crate) fn events(&self, upto: usize) -> impl Iterator<Item = &Event> {
        self.records_upto(upto).filter_map(|record| match record {
            Record::Event(event) => Some(event),
            Record::Terminal(..) => None,
        })
    }

    pub(crate) fn event(&self, event_id: &EventId, upto: usize) -> Option<&Event> {
        self.events(upto).find(|event| event.event_id == *event_id)
    }

    /// An event as a look-up by its id finds it: not once it has given up its content.
    pub(crate) fn find(&self, event_id: &EventId, upto: usize) -> Option<&Event> {
        let event = self.event(event_id, upto)?;
        let mut stubs = self.stubs.iter().filter(|(place, _)| *place < upto);
        stubs.all(|(_, seq)| *seq != event.seq).then_some(event)
    }

    pub(crate) fn terminal(&self, upto: usize) -> Option<&Terminal> {
        self.records_upto(upto).find_map(|record| match record {
            Record::Event(_) => None,
            Record::Terminal(_, terminal) => Some(terminal),
        })
    }

    /// The number of records, counted from the last one's place.
    pub(crate) fn tail(&self, upto: usize) -> u64 {
        self.records_upto(upto)
            .map(|record| record.seq().get())
            .max()
            .unwrap_or(0)
    }

    pub(crate) fn is_erased(&self, upto: usize) -> bool {
        self.tombstone.is_some_and(|place| place < upto)
    }

    pub(crate) fn creation(&self, upto: usize) -> Option<&NewSession> {
        let (place, session) = self.created.as_ref()?;
        (*place < upto).then_some(session)
    }

    pub(crate) fn log_state(&self, upto: usize) -> LogState {
        if self.is_erased(upto) {
            LogState::Erased
        } else if self.creation(upto).is_none() {
            LogState::Absent
        } else if let Some(terminal) = self.terminal(upto) {
            LogState::Closed(terminal.clone())
        } else {
            LogState::Open(self.tail(upto))
        }
    }

    /// Whether everything that was done to it lies below `upto`.
    pub(crate) fn is_within(&self, upto: usize) -> bool {
        let created = self.created.iter().map(|(place, _)| *place);
        let records = self.records.iter().map(|(place, _)| *place);
        let stubs = self.stubs.iter().map(|(place, _)| *place);
        let mut places = created.chain(self.tombstone).chain(records).chain(stubs);
        places.all(|place| place < upto)
    }

    fn records_upto(&self, upto: usize) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(move |(place, _)| *place < upto)
            .map(|(_, record)| record)
    }

    /// A key of `record` is taken.
    fn has_key_of(&self, record: &Record) -> bool {
        self.records.iter().any(|(_, other)| {
            let same_id = match (other, record) {
                (Record::Event(other), Record::Event(new)) => {
                    let is_stub = self.stubs.iter().any(|(_, seq)| *seq == other.seq);
                    !is_stub && other.event_id == new.event_id
                }
                (Record::Terminal(..), Record::Terminal(..)) => true,
                _ => false,
            };
            same_id || other.seq() == record.seq()
        })
    }

    /// The invariants of a log, for the record that would come next.
    fn check_next(&self, record: &Record) -> Result<(), Violation> {
        let tail = self.tail(usize::MAX);
        promise(
            "nothing is stored in a session that does not exist",
            self.created.is_some(),
            || format!("{record:?}"),
        )?;
        promise(
            "nothing is stored after the terminal record",
            self.terminal(usize::MAX).is_none(),
            || format!("after {:?}: {record:?}", self.terminal(usize::MAX)),
        )?;
        promise("a log has no gap", record.seq().get() == tail + 1, || {
            format!("after {tail} records: {record:?}")
        })?;
        let is_new = match record {
            Record::Event(event) => self.event(&event.event_id, usize::MAX).is_none(),
            Record::Terminal(..) => true,
        };
        promise("an event id is stored at most once", is_new, || {
            format!("again: {record:?}")
        })
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Branch {
    ops: Vec<Op>,
    /// So many operations are known to be with a majority.
    committed: usize,
    /// It has to know that so many are, before it knows what was acknowledged before its time.
    inherited: usize,
    sessions: BTreeMap<SessionId, SessionOps>,
}

impl Branch {
    /// A new primary that has the first `len` operations and knows of the first `committed` that
    /// a majority has them. All the invariants hold for what it starts with.
    pub(crate) fn fork(&self, len: usize, committed: usize) -> Result<Self, Violation> {
        let mut branch = Self::default();
        for op in &self.ops[..len] {
            branch.push(op.clone())?;
        }
        branch.committed = committed;
        branch.inherited = len;
        Ok(branch)
    }

    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    pub(crate) fn committed(&self) -> usize {
        self.committed
    }

    pub(crate) fn op(&self, place: usize) -> &Op {
        &self.ops[place]
    }

    /// Whether its majority reads show everything that was ever acknowledged.
    pub(crate) fn is_trusted(&self) -> bool {
        self.committed >= self.inherited
    }

    pub(crate) fn commit_up_to(&mut self, place: usize) {
        self.committed = self.committed.max(place.min(self.ops.len()));
    }

    pub(crate) fn session(&self, id: &SessionId) -> Option<&SessionOps> {
        self.sessions.get(id)
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (&SessionId, &SessionOps)> {
        self.sessions.iter()
    }

    /// Whether no key of `record` is taken.
    pub(crate) fn accepts(&self, record: &Record) -> bool {
        self.session(record.session_id())
            .is_none_or(|session| !session.has_key_of(record))
    }

    /// Appends an operation; it is an error if a log is no log any more.
    pub(crate) fn push(&mut self, op: Op) -> Result<usize, Violation> {
        let place = self.ops.len();
        let session = self.sessions.entry(op.session_id().clone()).or_default();
        match &op {
            Op::Created(new) => session.created = Some((place, new.clone())),
            Op::Stored(record) => {
                session.check_next(record)?;
                session.records.push((place, record.clone()));
            }
            Op::Tombstone(_) => session.tombstone = Some(place),
            Op::Stub(_, seq) => session.stubs.push((place, *seq)),
        }
        self.ops.push(op);
        Ok(place)
    }
}

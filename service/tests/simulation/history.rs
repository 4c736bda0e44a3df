//! Who asked for what, when, and what was answered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sessionstore::domain::{EventId, NewEvent, SessionId};
use sessionstore::log::{Answer, Request, Ticket};

/// One request to a committer.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) client: usize,
    pub(crate) process: usize,
    /// Requests that were handed in together have the same group.
    pub(crate) group: usize,
    /// The step in which it was handed in.
    pub(crate) began: usize,
    pub(crate) began_at: Duration,
    pub(crate) request: Request,
    pub(crate) outcome: Outcome,
    /// Its process may have talked to a deposed primary while it waited: what it was refused for
    /// may be out of date.
    pub(crate) may_be_stale: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Waiting,
    /// Its process died.
    Lost,
    Answered(Answer),
}

impl Entry {
    pub(crate) fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Answered(answer) => Some(answer),
            Outcome::Waiting | Outcome::Lost => None,
        }
    }

    pub(crate) fn append(&self) -> Option<&NewEvent> {
        match &self.request {
            Request::Append(event) => Some(event),
            Request::Close(_) | Request::Create(_) => None,
        }
    }

    pub(crate) fn session_id(&self) -> &SessionId {
        match &self.request {
            Request::Append(event) => &event.session_id,
            Request::Close(closing) => &closing.session_id,
            Request::Create(session) => &session.session_id,
        }
    }
}

/// Every request, by its ticket.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
    /// For each session, the highest place acknowledged so far, by the step in which it rose.
    acknowledged: HashMap<SessionId, Vec<(usize, u64)>>,
    /// For each session, when it was first acknowledged as created or as anything else.
    known_since: HashMap<SessionId, usize>,
    /// For each session, when its erasure was first acknowledged.
    pub(crate) erased_since: HashMap<SessionId, usize>,
}

impl History {
    pub(crate) fn begin(&mut self, entry: Entry) -> Ticket {
        self.entries.push(entry);
        Ticket(self.entries.len() as u64 - 1)
    }

    pub(crate) fn entry(&self, ticket: Ticket) -> &Entry {
        &self.entries[usize::try_from(ticket.0).expect("tickets are indices")]
    }

    pub(crate) fn entry_mut(&mut self, ticket: Ticket) -> &mut Entry {
        &mut self.entries[usize::try_from(ticket.0).expect("tickets are indices")]
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Those of a process that still wait.
    pub(crate) fn waiting_at(&mut self, process: usize) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter(move |entry| {
            entry.process == process && matches!(entry.outcome, Outcome::Waiting)
        })
    }

    pub(crate) fn answer(&mut self, step: usize, ticket: Ticket, answer: &Answer) {
        let id = self.entry(ticket).session_id().clone();
        self.entry_mut(ticket).outcome = Outcome::Answered(answer.clone());
        let place = match answer {
            Answer::Appended { event, .. } => event.seq.get(),
            Answer::Closed(terminal) => terminal.seq.get(),
            Answer::Created { .. } => 0,
            Answer::Refused(_) => return,
        };
        self.known_since.entry(id.clone()).or_insert(step);
        let places = self.acknowledged.entry(id).or_default();
        let highest = places.last().map_or(0, |(_, place)| *place);
        if place > highest {
            places.push((step, place));
        }
    }

    /// The highest place of a session that was acknowledged before `step`.
    pub(crate) fn acknowledged_before(&self, id: &SessionId, step: usize) -> u64 {
        let places = self.acknowledged.get(id).map_or(&[][..], Vec::as_slice);
        let count = places.partition_point(|(since, _)| *since < step);
        count.checked_sub(1).map_or(0, |last| places[last].1)
    }

    /// The step in which a place of a session, or one behind it, was first acknowledged.
    pub(crate) fn acknowledged_in(&self, id: &SessionId, place: u64) -> Option<usize> {
        let mut places = self.acknowledged.get(id)?.iter();
        places.find(|it| it.1 >= place).map(|it| it.0)
    }

    /// The step in which somebody was first told that the session exists.
    pub(crate) fn known_since(&self, id: &SessionId) -> Option<usize> {
        self.known_since.get(id).copied()
    }

    /// Whether anybody was told before `step` that the session exists.
    pub(crate) fn was_known_before(&self, id: &SessionId, step: usize) -> bool {
        self.known_since.get(id).is_some_and(|since| *since < step)
    }

    pub(crate) fn was_erased_before(&self, id: &SessionId, step: usize) -> bool {
        self.erased_since.get(id).is_some_and(|since| *since < step)
    }

    /// The requests to append each event, in the order in which they began.
    pub(crate) fn attempts(&self) -> BTreeMap<(&SessionId, &EventId), Vec<&Entry>> {
        let mut attempts: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in &self.entries {
            if let Some(event) = entry.append() {
                let key = (&event.session_id, &event.event_id);
                attempts.entry(key).or_default().push(entry);
            }
        }
        attempts
    }
}

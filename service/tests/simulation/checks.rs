//! What every answer promises, checked when it is given and again at the end.
//!
//! Only the history and what is stored go in: whether a simulated store answered or a real one
//! makes no difference.

use std::collections::HashSet;

use sessionstore::domain::{
    Event, EventId, NewEvent, NewSession, Seq, Session, SessionId, Terminal,
};
use sessionstore::log::{Answer, Closing, Refusal, Request, Ticket};
use sessionstore::store::Record;

use crate::history::{Entry, History, Outcome};
use crate::model::{Cluster, SessionOps};
use crate::violation::{Violation, promise};

/// Events and sessions that somebody was told are new.
pub(crate) type ToldNew = HashSet<(SessionId, Option<EventId>)>;

/// What answers are compared with.
pub(crate) struct Judge<'a> {
    pub(crate) history: &'a History,
    pub(crate) cluster: &'a Cluster,
    /// The step until which things have happened.
    pub(crate) step: usize,
}

impl Judge<'_> {
    /// An answer must be true, and what it acknowledges must be with a majority, now.
    pub(crate) fn check_answer(
        &self,
        ticket: Ticket,
        answer: &Answer,
        told_new: &mut ToldNew,
    ) -> Result<(), Violation> {
        let entry = self.history.entry(ticket);
        if let Answer::Refused(refusal) = answer {
            return self.check_refusal(entry, refusal);
        }
        let id = entry.session_id();
        promise(
            "an erased session acknowledges nothing",
            entry.may_be_stale || !self.history.was_erased_before(id, entry.began),
            || format!("{entry:?}"),
        )?;
        match (answer, &entry.request) {
            (Answer::Appended { event, replayed }, Request::Append(new)) => {
                self.check_appended(new, event, *replayed, told_new)
            }
            (Answer::Closed(terminal), Request::Close(closing)) => {
                self.check_closed(closing, terminal)
            }
            (Answer::Created { session, replayed }, Request::Create(new)) => {
                self.check_created(new, session, *replayed, told_new)
            }
            _ => promise("an answer fits its request", false, || format!("{entry:?}")),
        }
    }

    /// Followers are told of what is with a majority, in the order of the log.
    pub(crate) fn check_announced(&self, records: &[Record]) -> Result<(), Violation> {
        let is_committed = |record: &Record| match record {
            Record::Event(event) => {
                let session = self.committed(&event.session_id);
                session.and_then(|s| s.event(&event.event_id, usize::MAX)) == Some(event)
            }
            Record::Terminal(id, terminal) => self.committed_terminal(id) == Some(terminal),
        };
        promise(
            "followers are told of what is durable only",
            !records.is_empty() && records.iter().all(is_committed),
            || format!("{records:?}"),
        )?;
        promise(
            "followers are told of one session without a gap",
            records.windows(2).all(|pair| {
                pair[0].session_id() == pair[1].session_id()
                    && pair[0].seq().get() + 1 == pair[1].seq().get()
            }),
            || format!("{records:?}"),
        )
    }

    fn committed(&self, id: &SessionId) -> Option<&SessionOps> {
        self.cluster.canon().session(id)
    }

    fn committed_terminal(&self, id: &SessionId) -> Option<&Terminal> {
        self.committed(id)?.terminal(usize::MAX)
    }

    fn check_appended(
        &self,
        new: &NewEvent,
        event: &Event,
        replayed: bool,
        told_new: &mut ToldNew,
    ) -> Result<(), Violation> {
        let stored = self
            .committed(&new.session_id)
            .and_then(|session| session.event(&new.event_id, usize::MAX));
        promise("acknowledged means durable", stored == Some(event), || {
            format!("answered {event:?}, committed {stored:?}")
        })?;
        promise(
            "an append is answered with its own event",
            event.event_id == new.event_id && event.has_content_of(new),
            || format!("{new:?} got {event:?}"),
        )?;
        if replayed {
            return Ok(());
        }
        promise(
            "a new event is at the place that was expected",
            new.expected_seq.is_none_or(|seq| seq == event.seq),
            || format!("{new:?} got {event:?}"),
        )?;
        let key = (new.session_id.clone(), Some(new.event_id.clone()));
        promise(
            "an event is new to one caller only",
            told_new.insert(key),
            || format!("{event:?}"),
        )
    }

    fn check_closed(&self, closing: &Closing, terminal: &Terminal) -> Result<(), Violation> {
        let stored = self.committed_terminal(&closing.session_id);
        promise(
            "a closing is durable, and one for all",
            stored == Some(terminal),
            || format!("answered {terminal:?}, committed {stored:?}"),
        )?;
        promise(
            "a closing has the outcome that was asked for",
            terminal.status == closing.status,
            || format!("{closing:?} got {terminal:?}"),
        )
    }

    fn check_created(
        &self,
        new: &NewSession,
        session: &Session,
        replayed: bool,
        told_new: &mut ToldNew,
    ) -> Result<(), Violation> {
        let stored = self
            .committed(&new.session_id)
            .and_then(|session| session.creation(usize::MAX))
            .map(|stored| stored.creation_id);
        promise(
            "a created session is durable, and the first creation wins",
            stored == Some(session.creation_id),
            || format!("answered {session:?}, committed {stored:?}"),
        )?;
        let is_own = session.creation_id == new.creation_id;
        promise(
            "a session is new to the one who created it, once",
            replayed || (is_own && told_new.insert((new.session_id.clone(), None))),
            || format!("{new:?} got {session:?}"),
        )
    }

    fn check_refusal(&self, entry: &Entry, refusal: &Refusal) -> Result<(), Violation> {
        let id = entry.session_id();
        let is_true = match refusal {
            Refusal::Overloaded | Refusal::TimedOut => true,
            Refusal::Erased => self
                .committed(id)
                .is_some_and(|session| session.tombstone.is_some()),
            Refusal::SessionAbsent => {
                entry.may_be_stale || !self.history.was_known_before(id, entry.began)
            }
            Refusal::Closed(terminal) => {
                self.committed_terminal(id) == Some(terminal) && !self.is_stored(entry)
            }
            Refusal::ClosedOtherwise(terminal) => {
                let asked = match &entry.request {
                    Request::Close(closing) => Some(closing.status),
                    Request::Append(_) | Request::Create(_) => None,
                };
                self.committed_terminal(id) == Some(terminal)
                    && asked.is_some_and(|status| status != terminal.status)
            }
            Refusal::EventIdTaken => entry.append().is_some_and(|new| {
                let session = self.committed(id);
                let stored = session.and_then(|s| s.event(&new.event_id, usize::MAX));
                stored.is_some_and(|event| !event.has_content_of(new))
            }),
            Refusal::NotNext { next } => entry
                .append()
                .is_some_and(|new| self.was_not_next(entry, new, next.get())),
        };
        promise("a refusal is true", is_true, || {
            format!("{refusal:?} to {entry:?}")
        })
    }

    /// The event is in the committed log, and was not erased with it.
    fn is_stored(&self, entry: &Entry) -> bool {
        let session = self.committed(entry.session_id());
        session.zip(entry.append()).is_some_and(|(session, new)| {
            session.tombstone.is_none() && session.event(&new.event_id, usize::MAX).is_some()
        })
    }

    /// At some moment of the request `next` was the next place, at some moment the expected one
    /// was not, and the event was not there from the beginning (unless it is being erased).
    fn was_not_next(&self, entry: &Entry, new: &NewEvent, next: u64) -> bool {
        let id = entry.session_id();
        let first = self.cluster.tail_after(id, entry.began) + 1;
        let last = self.cluster.tail_after(id, self.step) + 1;
        let was_next = entry.may_be_stale || (first <= next && next <= last);
        let expected = new.expected_seq.map(Seq::get);
        let was_another = expected.is_some_and(|seq| seq != first || seq != last);
        let was_stored =
            self.is_stored(entry) && self.cluster.had_event(id, &new.event_id, entry.began);
        was_next
            && (was_another || entry.may_be_stale)
            && (!was_stored || entry.may_be_stale)
            && expected != Some(next)
    }

    /// Everything that can only be said when all is over.
    pub(crate) fn check_all(&self) -> Result<(), Violation> {
        self.cluster.check()?;
        for entry in self.history.entries() {
            self.check_lasting(entry)?;
        }
        self.check_order()?;
        self.check_single_attempts()
    }

    /// What was acknowledged is still there, the same.
    fn check_lasting(&self, entry: &Entry) -> Result<(), Violation> {
        let session = self.committed(entry.session_id());
        let is_there = match entry.answer() {
            None | Some(Answer::Refused(_)) => true,
            Some(Answer::Appended { event, .. }) => {
                let stored = session.and_then(|s| s.event(&event.event_id, usize::MAX));
                stored == Some(event)
            }
            Some(Answer::Closed(terminal)) => {
                session.and_then(|s| s.terminal(usize::MAX)) == Some(terminal)
            }
            Some(Answer::Created { session: told, .. }) => session
                .and_then(|s| s.creation(usize::MAX))
                .is_some_and(|stored| stored.creation_id == told.creation_id),
        };
        promise("acknowledged means durable", is_there, || {
            format!("{entry:?}")
        })
    }

    /// An append that was acknowledged before another event was first tried comes before it.
    fn check_order(&self) -> Result<(), Violation> {
        for ((id, event_id), attempts) in self.history.attempts() {
            let session = self.committed(id);
            let Some(event) = session.and_then(|s| s.event(event_id, usize::MAX)) else {
                continue;
            };
            let before = self.history.acknowledged_before(id, attempts[0].began);
            promise(
                "what was acknowledged before another began comes before it",
                before < event.seq.get(),
                || format!("{event:?} after place {before} was acknowledged"),
            )?;
        }
        Ok(())
    }

    /// What is known of events that were tried once only: refused means not stored, and those of
    /// one batch keep its order.
    fn check_single_attempts(&self) -> Result<(), Violation> {
        let mut last: Option<(&Entry, &Event)> = None;
        let attempts = self.history.attempts();
        for entry in self.history.entries() {
            let Some(new) = entry.append() else { continue };
            if attempts[&(&new.session_id, &new.event_id)].len() > 1 {
                continue;
            }
            let session = self.committed(&new.session_id);
            let stored = session.and_then(|s| s.event(&new.event_id, usize::MAX));
            let is_refused = matches!(
                &entry.outcome,
                Outcome::Answered(Answer::Refused(refusal)) if *refusal != Refusal::TimedOut
            );
            // An event may be stored first and refused later, when its session is being erased.
            let is_erased = session.is_some_and(|session| session.tombstone.is_some());
            promise(
                "what was refused is not stored",
                !is_refused || stored.is_none() || is_erased,
                || format!("{entry:?}"),
            )?;
            let Some(event) = stored else { continue };
            if matches!(entry.answer(), Some(Answer::Appended { .. })) {
                if let Some((before, earlier)) = last
                    && before.group == entry.group
                    && earlier.session_id == event.session_id
                {
                    promise(
                        "events of one batch keep its order",
                        earlier.seq < event.seq,
                        || format!("{earlier:?} before {event:?}"),
                    )?;
                }
                last = Some((entry, event));
            }
        }
        Ok(())
    }
}

//! What the primary does with calls that reached it.

use rand::Rng;
use sessionstore::domain::{Event as LogEvent, NewSession, Session, SessionId};
use sessionstore::domain::{SessionStatus, Version};
use sessionstore::store::{CommitOutcome, CreateOutcome, Known, LogState, LookUp};

use crate::agenda::{Event, Half, Reply};
use crate::calls::{AnswerFate, Kind};
use crate::model::Op;
use crate::plan::Bug;
use crate::reads::Seen;
use crate::violation::Violation;
use crate::world::World;

impl World {
    /// Stores a few more records of a commit; other commits may come in between.
    pub(crate) fn insert_next(&mut self, insert: usize) -> Result<(), Violation> {
        let (call, branch) = (self.inserts[insert].call, self.inserts[insert].branch);
        if !self.is_reachable(call, branch) {
            return Ok(());
        }
        let Kind::Commit(_, records) = &self.calls[call].kind else {
            return Ok(());
        };
        let records = records.clone();
        let count = self.rng.random_range(1..=3);
        let from = self.inserts[insert].outcomes.len();
        for record in records.iter().skip(from).take(count) {
            let outcome = self.insert_one(insert, record)?;
            self.inserts[insert].outcomes.push(outcome);
        }
        self.advance_later();
        let state = &self.inserts[insert];
        if state.outcomes.len() < records.len() {
            let next = self.soon(5, 200);
            self.agenda.enter(next, Event::Insert(insert));
        } else if self.is_acknowledged(insert) {
            self.answer_insert(insert);
        } else {
            self.unacknowledged_inserts.push(insert);
        }
        Ok(())
    }

    fn insert_one(
        &mut self,
        insert: usize,
        record: &sessionstore::store::Record,
    ) -> Result<CommitOutcome, Violation> {
        let state = &mut self.inserts[insert];
        let id = record.session_id();
        let is_stopped = if self.plan.per_session {
            state.refused.contains(id)
        } else {
            !state.refused.is_empty()
        };
        if is_stopped && !self.plan.has(Bug::UnorderedInsert) {
            return Ok(CommitOutcome::NotTried);
        }
        let branch = self.cluster.branch_mut(state.branch);
        let is_spent = self.plan.per_session
            && branch
                .session(id)
                .is_some_and(|session| session.tombstone.is_some());
        if is_spent || !branch.accepts(record) {
            state.refused.insert(id.clone());
            self.trace(format_args!("primary refuses {record:?}"));
            return Ok(CommitOutcome::Refused);
        }
        state.last = Some(branch.push(Op::Stored(record.clone()))?);
        self.trace(format_args!("primary stores {record:?}"));
        Ok(CommitOutcome::Stored)
    }

    fn is_acknowledged(&self, insert: usize) -> bool {
        let insert = &self.inserts[insert];
        let committed = self.cluster.branch(insert.branch).committed();
        self.plan.has(Bug::AcknowledgedByOne) || insert.last.is_none_or(|last| last < committed)
    }

    fn answer_insert(&mut self, insert: usize) {
        let arrival = self.over_network();
        let insert = &self.inserts[insert];
        let outcomes = match insert.answer {
            AnswerFate::Comes => insert.outcomes.clone(),
            AnswerFate::Empty => Vec::new(),
            AnswerFate::Lost => return,
        };
        let reply = Event::Reply(insert.call, Reply::Committed(outcomes));
        self.agenda.enter(arrival, reply);
    }

    /// Creates what does not exist yet; the answer waits for the majority.
    pub(crate) fn create(&mut self, call: usize) -> Result<(), Violation> {
        let branch = self.calls[call].branch;
        if !self.is_reachable(call, branch) {
            return Ok(());
        }
        let Kind::Create(_, sessions) = &self.calls[call].kind else {
            return Ok(());
        };
        let primary = self.cluster.branch_mut(branch);
        for session in sessions {
            let known = primary.session(&session.session_id);
            if known.is_none_or(|known| known.created.is_none()) {
                primary.push(Op::Created(session.clone()))?;
            }
        }
        self.unacknowledged_creations.push(call);
        self.acknowledge();
        self.advance_later();
        Ok(())
    }

    /// Answers everything that waited for the majority and need not any more.
    fn acknowledge(&mut self) {
        for insert in std::mem::take(&mut self.unacknowledged_inserts) {
            if self.is_acknowledged(insert) {
                self.answer_insert(insert);
            } else {
                self.unacknowledged_inserts.push(insert);
            }
        }
        for call in std::mem::take(&mut self.unacknowledged_creations) {
            let Kind::Create(_, sessions) = &self.calls[call].kind else {
                continue;
            };
            let primary = self.cluster.branch(self.calls[call].branch);
            if !primary.is_trusted() && !self.plan.has(Bug::NewPrimaryTrusted) {
                self.unacknowledged_creations.push(call);
                continue;
            }
            let outcomes: Option<Vec<_>> = sessions
                .iter()
                .map(|session| {
                    let state = primary.session(&session.session_id)?;
                    let committed = primary.committed();
                    let created = state.creation(committed)?;
                    if state.is_erased(committed) {
                        return Some(CreateOutcome::Erased);
                    }
                    let stored = as_stored(created);
                    Some(if created.creation_id == session.creation_id {
                        CreateOutcome::Created(stored)
                    } else {
                        CreateOutcome::Existing(stored)
                    })
                })
                .collect();
            if let Some(outcomes) = outcomes {
                let arrival = self.over_network();
                let reply = Event::Reply(call, Reply::Created(outcomes));
                self.agenda.enter(arrival, reply);
            } else {
                self.unacknowledged_creations.push(call);
            }
        }
    }

    /// Lets the majority catch up a little later, if it is behind.
    pub(crate) fn advance_later(&mut self) {
        let current = self.cluster.current();
        let primary = self.cluster.branch(current);
        if !self.advance_is_due && primary.committed() < primary.len() {
            self.advance_is_due = true;
            let later = self.now + self.plan.lag.pick(&mut self.rng);
            self.agenda.enter(later, Event::Advance(current));
        }
    }

    pub(crate) fn advance(&mut self, branch: usize) -> Result<(), Violation> {
        if branch != self.cluster.current() {
            return Ok(());
        }
        if self.now < self.stalled_until {
            self.agenda
                .enter(self.stalled_until, Event::Advance(branch));
            return Ok(());
        }
        let primary = self.cluster.branch(branch);
        let (committed, len) = (primary.committed(), primary.len());
        let upto = if self.is_calm {
            len
        } else {
            self.rng.random_range(committed + 1..=len)
        };
        self.cluster.advance(upto, self.step)?;
        self.advance_is_due = false;
        self.acknowledge();
        self.advance_later();
        Ok(())
    }

    /// Reads what is asked for; an untrusted primary first has to learn what the majority has.
    pub(crate) fn ask(&mut self, call: usize) {
        if !self.can_answer(call, Event::Ask(call)) {
            return;
        }
        let Kind::LookUp(_, questions) = &self.calls[call].kind else {
            return;
        };
        let half = if self.plan.has(Bug::EventsBeforeLog) {
            Half::Events(self.events_of(call, questions))
        } else {
            Half::Logs(self.logs_of(call, questions))
        };
        let is_torn = self.plan.torn_look_ups || self.plan.has(Bug::EventsBeforeLog);
        if is_torn {
            let later = self.now + self.plan.patience.mul_f64(0.7 * self.rng.random::<f64>());
            self.agenda.enter(later, Event::AskOn(call, half));
        } else {
            self.ask_on(call, half);
        }
    }

    pub(crate) fn ask_on(&mut self, call: usize, half: Half) {
        if !self.is_reachable(call, self.calls[call].branch) {
            return;
        }
        let Kind::LookUp(_, questions) = &self.calls[call].kind else {
            return;
        };
        let (logs, events) = match half {
            Half::Logs(logs) => (logs, self.events_of(call, questions)),
            Half::Events(events) => (self.logs_of(call, questions), events),
        };
        let known = logs.into_iter().zip(events).map(|(log, events)| {
            let has_events = matches!(log, LogState::Open(_) | LogState::Closed(_));
            Known {
                log,
                events: if has_events { events } else { Vec::new() },
            }
        });
        let reply = Reply::LookedUp(Ok(known.collect()));
        let arrival = self.over_network();
        self.agenda.enter(arrival, Event::Reply(call, reply));
    }

    pub(crate) fn read(&mut self, call: usize) {
        if !self.can_answer(call, Event::Read(call)) {
            return;
        }
        let Kind::Read(read) = &self.calls[call].kind else {
            return;
        };
        let primary = self.cluster.branch(self.calls[call].branch);
        let upto = primary.committed();
        let seen = match primary.session(&read.session_id) {
            None => Seen {
                log: LogState::Absent,
                events: Vec::new(),
            },
            Some(session) if session.is_erased(upto) => Seen {
                log: LogState::Erased,
                events: Vec::new(),
            },
            Some(session) => Seen {
                log: session.log_state(upto),
                events: session.events(upto).cloned().collect(),
            },
        };
        let arrival = self.over_network();
        self.agenda
            .enter(arrival, Event::Reply(call, Reply::Read(Some(seen))));
    }

    /// Whether a question can be answered now; if it can a moment later, it comes again then.
    fn can_answer(&mut self, call: usize, again: Event) -> bool {
        let branch = self.calls[call].branch;
        if self.calls[call].is_settled || !self.is_reachable(call, branch) {
            return false;
        }
        let is_trusted =
            self.plan.has(Bug::NewPrimaryTrusted) || self.cluster.branch(branch).is_trusted();
        if !is_trusted {
            let later = self.soon(300, 2_000);
            self.agenda.enter(later, again);
        }
        is_trusted
    }

    /// Up to which operation a question sees, unless this mistake is planted.
    fn readable(&self, call: usize, unless: Bug) -> usize {
        let primary = self.cluster.branch(self.calls[call].branch);
        if self.plan.has(unless) {
            primary.len()
        } else {
            primary.committed()
        }
    }

    fn logs_of(&self, call: usize, questions: &[LookUp]) -> Vec<LogState> {
        let upto = self.readable(call, Bug::LocalTails);
        let log_of = |id: &SessionId| {
            let primary = self.cluster.branch(self.calls[call].branch);
            let log = primary.session(id).map(|session| session.log_state(upto));
            match log.unwrap_or(LogState::Absent) {
                LogState::Closed(terminal) if self.plan.has(Bug::TerminalUnchecked) => {
                    LogState::Open(terminal.seq.get())
                }
                log => log,
            }
        };
        questions.iter().map(|q| log_of(&q.session_id)).collect()
    }

    fn events_of(&self, call: usize, questions: &[LookUp]) -> Vec<Vec<Option<LogEvent>>> {
        let upto = self.readable(call, Bug::LocalEvents);
        let primary = self.cluster.branch(self.calls[call].branch);
        let events_of = |question: &LookUp| {
            let session = primary.session(&question.session_id);
            let event = |id| session.and_then(|session| session.find(id, upto).cloned());
            question.event_ids.iter().map(event).collect()
        };
        questions.iter().map(events_of).collect()
    }
}

fn as_stored(new: &NewSession) -> Session {
    Session {
        session_id: new.session_id.clone(),
        creation_id: new.creation_id,
        status: SessionStatus::Initiated,
        language: new.language.clone(),
        started_at: new.started_at,
        created_at: new.created_at,
        updated_at: new.created_at,
        ended_at: None,
        end_reason: None,
        event_count: Some(0),
        metadata: new.metadata.clone(),
        version: Version::FIRST,
    }
}

//! Calls to the model store: on their way, arriving or not, answered or not.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use sessionstore::domain::{NewSession, SessionId};
use sessionstore::log::CallId;
use sessionstore::store::{CommitOutcome, LookUp, Record, StoreError};

use crate::agenda::{Event, Reply};
use crate::figures::Fault;
use crate::plan::Bug;
use crate::reads::Read;
use crate::violation::Violation;
use crate::world::World;

/// A call, as its caller knows it.
pub(crate) struct Call {
    pub(crate) process: usize,
    pub(crate) generation: u64,
    /// The primary it was sent to.
    pub(crate) branch: usize,
    pub(crate) kind: Kind,
    /// Its caller has an answer or does not wait any more.
    pub(crate) is_settled: bool,
}

pub(crate) enum Kind {
    Commit(CallId, Arc<[Record]>),
    Create(CallId, Vec<NewSession>),
    LookUp(CallId, Vec<LookUp>),
    Read(Read),
}

/// A commit, as a primary carries it out.
pub(crate) struct Insert {
    pub(crate) call: usize,
    pub(crate) branch: usize,
    pub(crate) outcomes: Vec<CommitOutcome>,
    /// Sessions of which a record was refused.
    pub(crate) refused: HashSet<SessionId>,
    /// The last operation that came from it.
    pub(crate) last: Option<usize>,
    pub(crate) answer: AnswerFate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerFate {
    Comes,
    Lost,
    /// The caller gets an answer without outcomes.
    Empty,
}

impl World {
    pub(crate) fn start_commit(&mut self, process: usize, id: CallId, records: Arc<[Record]>) {
        let count = records.len();
        let call = self.start(process, Kind::Commit(id, records));
        let on_time = self.over_network();
        let after_patience = on_time + self.plan.patience;
        let fault = self.fault([
            Fault::CallLost,
            Fault::NotTried,
            Fault::AnswerLost,
            Fault::AnswerLost,
            Fault::Late,
            Fault::Duplicated,
            Fault::NoOutcomes,
        ]);
        match fault {
            Some(Fault::CallLost) => {}
            Some(Fault::NotTried) => {
                let reply = Reply::Committed(vec![CommitOutcome::NotTried; count]);
                self.agenda.enter(on_time, Event::Reply(call, reply));
            }
            Some(Fault::AnswerLost) => self.send_insert(call, on_time, AnswerFate::Lost),
            Some(Fault::Late) => {
                let late = after_patience + self.plan.patience.mul_f64(self.rng.random());
                self.send_insert(call, late, AnswerFate::Comes);
            }
            Some(Fault::Duplicated) => {
                let first = if self.chance(0.5) {
                    AnswerFate::Lost
                } else {
                    AnswerFate::Comes
                };
                self.send_insert(call, on_time, first);
                let again = on_time + self.plan.patience.mul_f64(self.rng.random());
                self.send_insert(call, again, AnswerFate::Comes);
            }
            Some(Fault::NoOutcomes) => self.send_insert(call, on_time, AnswerFate::Empty),
            _ => self.send_insert(call, on_time, AnswerFate::Comes),
        }
    }

    pub(crate) fn start_create(&mut self, process: usize, id: CallId, sessions: Vec<NewSession>) {
        let call = self.start(process, Kind::Create(id, sessions));
        let arrival = self.over_network();
        match self.fault([Fault::CallLost, Fault::AnswerLost, Fault::NoOutcomes]) {
            Some(Fault::CallLost) => {}
            Some(Fault::AnswerLost) => {
                // It arrives as the other end of a call that nobody waits for any more.
                self.agenda.enter(arrival, Event::Create(call));
                self.agenda.enter(arrival, Event::GiveUp(call));
            }
            Some(Fault::NoOutcomes) => {
                let reply = Reply::Created(Vec::new());
                self.agenda.enter(arrival, Event::Create(call));
                self.agenda.enter(arrival, Event::Reply(call, reply));
            }
            _ => self.agenda.enter(arrival, Event::Create(call)),
        }
    }

    pub(crate) fn start_look_up(&mut self, process: usize, id: CallId, questions: Vec<LookUp>) {
        let call = self.start(process, Kind::LookUp(id, questions));
        let arrival = self.over_network();
        let fault = self.fault([
            Fault::CallLost,
            Fault::LookUpFailed,
            Fault::LookUpSlow,
            Fault::NoOutcomes,
        ]);
        match fault {
            Some(Fault::CallLost) => {}
            Some(Fault::LookUpFailed) => {
                let error = StoreError::Unavailable("no primary".to_owned());
                let reply = Event::Reply(call, Reply::LookedUp(Err(error)));
                self.agenda.enter(arrival, reply);
            }
            Some(Fault::LookUpSlow) => {
                let late = arrival + self.plan.patience.mul_f64(0.5 + self.rng.random::<f64>());
                self.agenda.enter(late, Event::Ask(call));
            }
            Some(Fault::NoOutcomes) => {
                let reply = Event::Reply(call, Reply::LookedUp(Ok(Vec::new())));
                self.agenda.enter(arrival, reply);
            }
            _ => self.agenda.enter(arrival, Event::Ask(call)),
        }
    }

    pub(crate) fn start_read(&mut self, process: usize, read: Read) {
        let call = self.start(process, Kind::Read(read));
        let arrival = self.over_network();
        self.agenda.enter(arrival, Event::Read(call));
    }

    /// Sends a commit (again) to the primary that its process talks to.
    pub(crate) fn send_insert(&mut self, call: usize, arrival: Duration, answer: AnswerFate) {
        let branch = self.processes[self.calls[call].process].branch;
        self.inserts.push(Insert {
            call,
            branch,
            outcomes: Vec::new(),
            refused: HashSet::new(),
            last: None,
            answer,
        });
        self.agenda
            .enter(arrival, Event::Insert(self.inserts.len() - 1));
    }

    fn start(&mut self, process: usize, kind: Kind) -> usize {
        let state = &self.processes[process];
        self.calls.push(Call {
            process,
            generation: state.generation,
            branch: state.branch,
            kind,
            is_settled: false,
        });
        let call = self.calls.len() - 1;
        self.agenda
            .enter(self.now + self.plan.patience, Event::GiveUp(call));
        call
    }

    /// Whether a call still reaches the primary it was sent to: the present one, or a deposed one
    /// that its process has not left yet.
    pub(crate) fn is_reachable(&self, call: usize, branch: usize) -> bool {
        let process = &self.processes[self.calls[call].process];
        branch == self.cluster.current()
            || (process.branch == branch && process.generation == self.calls[call].generation)
    }

    pub(crate) fn give_up(&mut self, call: usize) -> Result<(), Violation> {
        if self.calls[call].is_settled {
            return Ok(());
        }
        let reply = match &self.calls[call].kind {
            Kind::Commit(_, records) if self.plan.has(Bug::SilenceIsSuccess) => {
                Reply::Committed(vec![CommitOutcome::Stored; records.len()])
            }
            Kind::Commit(_, records) => {
                Reply::Committed(vec![CommitOutcome::Unknown; records.len()])
            }
            Kind::Create(..) => Reply::Created(Vec::new()),
            Kind::LookUp(..) => Reply::LookedUp(Err(StoreError::TimedOut)),
            Kind::Read(_) => Reply::Read(None),
        };
        self.reply(call, reply)
    }

    pub(crate) fn reply(&mut self, call: usize, reply: Reply) -> Result<(), Violation> {
        if self.calls[call].is_settled {
            return Ok(());
        }
        self.calls[call].is_settled = true;
        let state = &self.calls[call];
        let process = state.process;
        if let (Kind::Read(read), Reply::Read(seen)) = (&state.kind, &reply) {
            let client = read.client;
            self.trace(format_args!("c{client} reads {seen:?}"));
            if let Some(seen) = seen {
                read.check(seen, &self.history, &self.cluster)?;
                self.figures.reads += 1;
            }
            self.client_has_read(client);
            return Ok(());
        }
        if self.processes[process].generation != state.generation {
            return Ok(());
        }
        self.trace(format_args!("p{process} hears {reply:?}"));
        let id = match &self.calls[call].kind {
            Kind::Commit(id, _) | Kind::Create(id, _) | Kind::LookUp(id, _) => *id,
            Kind::Read(_) => return Ok(()),
        };
        self.drive(process, |committer, now, effects| match reply {
            Reply::Committed(outcomes) => committer.committed(now, id, &outcomes, effects),
            Reply::Created(outcomes) => committer.created(now, id, outcomes, effects),
            Reply::LookedUp(result) => committer.looked_up(now, id, result, effects),
            Reply::Read(_) => {}
        })
    }

    /// What goes wrong with a call, if anything does.
    fn fault<const N: usize>(&mut self, kinds: [Fault; N]) -> Option<Fault> {
        if self.is_calm || !self.chance(self.plan.fault_rate) {
            return None;
        }
        let fault = kinds[self.rng.random_range(0..N)];
        self.figures.count(fault);
        Some(fault)
    }
}

//! Clients: what they do next, and how they take an answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::Rng;
use sessionstore::domain::{
    ClosingStatus, CreationId, Document, EventId, EventType, Language, NewEvent, NewSession, Seq,
    SessionId, Timestamp,
};
use sessionstore::log::{Answer, Closing, Refusal, Request, Ticket};

use crate::agenda::Event;
use crate::figures::Fault;
use crate::reads::Read;
use crate::violation::Violation;
use crate::world::World;

pub(crate) struct Client {
    home: usize,
    /// Operations it still wants to do.
    left: usize,
    /// The number of the operation it is doing.
    operation: usize,
    pub(crate) waiting: BTreeSet<Ticket>,
    is_reading: bool,
    /// What it will send again, since it does not know what became of it.
    again: Vec<Request>,
}

impl Client {
    pub(crate) fn new(home: usize, operations: usize) -> Self {
        Self {
            home,
            left: operations,
            operation: 0,
            waiting: BTreeSet::new(),
            is_reading: false,
            again: Vec::new(),
        }
    }
}

/// What a client can do.
#[derive(Clone, Copy)]
enum Deed {
    Append,
    Retry,
    Conflict,
    Batch,
    Close,
    Create,
    Read,
    Erase,
}

impl World {
    pub(crate) fn think(&mut self, client: usize) -> Result<(), Violation> {
        let Some(process) = self.process_for(client) else {
            let later = self.soon(1_000, 20_000);
            self.agenda.enter(later, Event::Think(client));
            return Ok(());
        };
        let again = std::mem::take(&mut self.clients[client].again);
        if !again.is_empty() {
            let again = again.into_iter().map(|request| self.renewed(request));
            let again = again.collect();
            return self.ask_for(client, process, again);
        }
        let state = &mut self.clients[client];
        if state.left == 0 {
            let mut others = self.clients.iter();
            if others.all(|client| client.left == 0 && client.waiting.is_empty()) {
                self.calm_down();
            }
            return Ok(());
        }
        state.left -= 1;
        let is_first = state.left + 1 == self.plan.operations;
        let session_id = self.any_session();
        let deed = if is_first && self.chance(0.8) {
            Deed::Create
        } else {
            self.any_deed()
        };
        match deed {
            Deed::Append => {
                let event = self.fresh_event(session_id);
                self.ask_for(client, process, vec![Request::Append(event)])
            }
            Deed::Retry => {
                let event = self.retried_event(session_id);
                self.ask_for(client, process, vec![Request::Append(event)])
            }
            Deed::Conflict => {
                let event = self.conflicting_event(session_id);
                self.ask_for(client, process, vec![Request::Append(event)])
            }
            Deed::Batch => {
                let batch = self.batch(&session_id);
                self.ask_for(client, process, batch)
            }
            Deed::Close => {
                let closing = self.closing(session_id);
                self.ask_for(client, process, vec![Request::Close(closing)])
            }
            Deed::Create => {
                let session = self.new_session(session_id);
                self.ask_for(client, process, vec![Request::Create(session)])
            }
            Deed::Read => {
                self.clients[client].is_reading = true;
                let read = Read {
                    client,
                    session_id,
                    began: self.step,
                    may_be_stale: self.processes[process].branch != self.cluster.current(),
                };
                self.start_read(process, read);
                Ok(())
            }
            Deed::Erase => {
                self.figures.count(Fault::Erasure);
                self.trace(format_args!("c{client} erases {session_id}"));
                let arrival = self.over_network();
                self.agenda.enter(arrival, Event::Erase(session_id));
                self.think_later(client);
                Ok(())
            }
        }
    }

    fn ask_for(
        &mut self,
        client: usize,
        process: usize,
        requests: Vec<Request>,
    ) -> Result<(), Violation> {
        self.clients[client].operation += 1;
        if !self.is_calm && self.chance(0.05) {
            let patience = self.plan.settings.deadline.mul_f64(self.rng.random());
            let operation = self.clients[client].operation;
            self.agenda
                .enter(self.now + patience, Event::HangUp(client, operation));
        }
        self.submit(client, process, requests)?;
        Ok(())
    }

    /// A client stops waiting for its operation; most repeat it.
    pub(crate) fn hang_up(&mut self, client: usize, operation: usize) {
        let state = &mut self.clients[client];
        if state.operation != operation || state.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        self.figures.count(Fault::HungUp);
        self.trace(format_args!("c{client} hangs up"));
        if self.chance(0.7) {
            let requests = waiting
                .into_iter()
                .map(|ticket| self.history.entry(ticket).request.clone());
            self.clients[client].again = requests.collect();
        }
        self.think_later(client);
    }

    pub(crate) fn client_answered(&mut self, ticket: Ticket, answer: &Answer) {
        let entry = self.history.entry(ticket);
        let (client, request) = (entry.client, entry.request.clone());
        if !self.clients[client].waiting.remove(&ticket) {
            return;
        }
        let is_undecided = matches!(
            answer,
            Answer::Refused(Refusal::TimedOut | Refusal::Overloaded)
        );
        if is_undecided && self.chance(0.5) {
            self.clients[client].again.push(request);
        }
        if self.clients[client].waiting.is_empty() {
            self.think_later(client);
        }
    }

    /// The process that some clients waited for has died.
    pub(crate) fn clients_lost(&mut self, process: usize) {
        for client in 0..self.clients.len() {
            let lost: Vec<Ticket> = self.clients[client]
                .waiting
                .iter()
                .copied()
                .filter(|ticket| self.history.entry(*ticket).process == process)
                .collect();
            if lost.is_empty() {
                continue;
            }
            let is_persistent = self.chance(0.7);
            for ticket in lost {
                self.clients[client].waiting.remove(&ticket);
                if is_persistent {
                    let request = self.history.entry(ticket).request.clone();
                    self.clients[client].again.push(request);
                }
            }
            if self.clients[client].waiting.is_empty() {
                self.think_later(client);
            }
        }
    }

    pub(crate) fn client_has_read(&mut self, client: usize) {
        if std::mem::take(&mut self.clients[client].is_reading) {
            self.think_later(client);
        }
    }

    fn think_later(&mut self, client: usize) {
        let later = self.now + self.plan.think.pick(&mut self.rng);
        self.agenda.enter(later, Event::Think(client));
    }

    /// A living process: the client's own, if it is pinned to one.
    fn process_for(&mut self, client: usize) -> Option<usize> {
        let home = self.clients[client].home;
        let living: Vec<usize> = (0..self.processes.len())
            .filter(|process| self.processes[*process].committer.is_some())
            .filter(|process| !self.plan.pinned || *process == home)
            .collect();
        (!living.is_empty()).then(|| living[self.rng.random_range(0..living.len())])
    }

    fn any_deed(&mut self) -> Deed {
        let mix = self.plan.mix;
        let deeds = [
            (Deed::Append, mix.append),
            (Deed::Retry, mix.retry),
            (Deed::Conflict, mix.conflict),
            (Deed::Batch, mix.batch),
            (Deed::Close, mix.close),
            (Deed::Create, mix.create),
            (Deed::Read, mix.read),
            (Deed::Erase, mix.erase),
        ];
        let total = deeds.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.random_range(0..total);
        for (deed, weight) in deeds {
            if left < weight {
                return deed;
            }
            left -= weight;
        }
        Deed::Append
    }

    fn any_session(&mut self) -> SessionId {
        let number = self.rng.random_range(0..self.plan.sessions);
        SessionId::from_stored(&format!("s{number}"))
    }

    fn new_name(&mut self) -> u64 {
        self.names_given += 1;
        self.names_given
    }

    fn here_and_now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX))
    }

    fn fresh_event(&mut self, session_id: SessionId) -> NewEvent {
        let number = self.new_name();
        let event = NewEvent {
            event_id: EventId::from_stored(&format!("e{number}")),
            kind: EventType::UserSpeech,
            payload: Document::from_stored(&format!(r#"{{"n":{number},"by":"client"}}"#)),
            timestamp: self.chance(0.3).then(|| Timestamp::from_millis(77)),
            expected_seq: self.expected_seq(&session_id),
            received_at: self.here_and_now(),
            session_id,
        };
        self.attempted.push(event.clone());
        event
    }

    /// Mostly none; else the next place as far as anybody knows, or one beside it.
    fn expected_seq(&mut self, session_id: &SessionId) -> Option<Seq> {
        if !self.chance(self.plan.expecting) {
            return None;
        }
        let tail = self.cluster.tail_after(session_id, self.step);
        let off = self.rng.random_range(0..=6_u64);
        Seq::new(if off > 2 { tail + 1 } else { tail + off })
    }

    /// An event that somebody tried before, with the keys of its payload in another order.
    fn retried_event(&mut self, session_id: SessionId) -> NewEvent {
        let Some(event) = self.attempted_event() else {
            return self.fresh_event(session_id);
        };
        let payload = event.payload.to_value();
        let reordered = format!(r#"{{"by":"client","n":{}}}"#, payload["n"]);
        NewEvent {
            payload: Document::from_stored(&reordered),
            expected_seq: self.expected_seq(&event.session_id),
            received_at: self.here_and_now(),
            ..event
        }
    }

    fn conflicting_event(&mut self, session_id: SessionId) -> NewEvent {
        let Some(event) = self.attempted_event() else {
            return self.fresh_event(session_id);
        };
        let kind = if self.chance(0.5) {
            EventType::BotSpeech
        } else {
            event.kind
        };
        NewEvent {
            kind,
            payload: Document::from_stored(r#"{"n":0,"by":"someone else"}"#),
            received_at: self.here_and_now(),
            ..event
        }
    }

    fn attempted_event(&mut self) -> Option<NewEvent> {
        if self.attempted.is_empty() {
            return None;
        }
        let index = self.rng.random_range(0..self.attempted.len());
        Some(self.attempted[index].clone())
    }

    fn batch(&mut self, session_id: &SessionId) -> Vec<Request> {
        let is_mixed = self.chance(0.3);
        (0..self.rng.random_range(2..=6))
            .map(|_| {
                let id = if is_mixed {
                    self.any_session()
                } else {
                    session_id.clone()
                };
                let event = match self.rng.random_range(0..10) {
                    0 => self.conflicting_event(id),
                    1..=3 => self.retried_event(id),
                    _ => self.fresh_event(id),
                };
                Request::Append(event)
            })
            .collect()
    }

    fn closing(&mut self, session_id: SessionId) -> Closing {
        let number = self.new_name();
        Closing {
            session_id,
            status: if self.chance(0.5) {
                ClosingStatus::Completed
            } else {
                ClosingStatus::Failed
            },
            reason: Some(Arc::from(format!("r{number}"))),
            at: self.here_and_now(),
        }
    }

    fn new_session(&mut self, session_id: SessionId) -> NewSession {
        let mut creation_id = [0; 12];
        creation_id[4..].copy_from_slice(&self.new_name().to_be_bytes());
        NewSession {
            session_id,
            creation_id: CreationId(creation_id),
            language: Language::from_stored("en"),
            metadata: Document::empty(),
            started_at: self.here_and_now(),
            created_at: self.here_and_now(),
        }
    }

    /// The same wish once more, as the server takes it in: at another time, under another identity.
    fn renewed(&mut self, request: Request) -> Request {
        match request {
            Request::Append(event) => Request::Append(NewEvent {
                received_at: self.here_and_now(),
                ..event
            }),
            Request::Close(closing) => Request::Close(Closing {
                at: self.here_and_now(),
                ..closing
            }),
            Request::Create(session) => Request::Create(self.new_session(session.session_id)),
        }
    }

    /// What is asked of a process once all is well: something of every kind, for every session
    /// and for a new one.
    pub(crate) fn parting_requests(&mut self, process: usize) -> Vec<Request> {
        let new = SessionId::from_stored(&format!("new{process}"));
        let mut requests = vec![Request::Create(self.new_session(new.clone()))];
        let mut sessions: Vec<_> = (0..self.plan.sessions)
            .map(|number| SessionId::from_stored(&format!("s{number}")))
            .collect();
        sessions.push(new.clone());
        for session_id in sessions {
            requests.push(Request::Append(self.fresh_event(session_id.clone())));
            requests.push(Request::Append(self.retried_event(session_id.clone())));
            requests.push(Request::Append(self.fresh_event(session_id)));
        }
        requests.push(Request::Close(self.closing(new)));
        requests
    }
}

//! What the committer promises, one scripted conversation a test: what arrives goes in, what
//! comes out is taken and answered by hand.

mod appends;
mod bounds;
mod closings;
mod creations;
mod questions;
mod settling;
mod sharing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    ClosingStatus, CreationId, Document, Event, EventId, EventType, Language, NewEvent, NewSession,
    Seq, Session, SessionId, SessionStatus, Terminal, Timestamp, Version,
};
use crate::log::committer::{
    Answer, CallId, Closing, Committer, Effect, Refusal, Request, Settings, Ticket,
};
use crate::store::{CommitOutcome, CreateOutcome, Known, LogState, LookUp, Record, StoreError};

use CommitOutcome::{NotTried, Refused, Stored, Unknown};

/// Longer than any delay after a failure.
const LONG: Duration = Duration::from_secs(2);

/// A committer and what it has asked for.
struct Script {
    committer: Committer,
    now: Duration,
    calls: VecDeque<Effect>,
    answers: Vec<(Ticket, Answer)>,
    announced: Vec<Vec<Record>>,
    next_ticket: u64,
}

impl Script {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        Self {
            committer: Committer::new(settings),
            now: Duration::ZERO,
            calls: VecDeque::new(),
            answers: Vec::new(),
            announced: Vec::new(),
            next_ticket: 0,
        }
    }

    /// A committer that knows the tail of session `s`, and nothing else.
    fn warm(tail: u64) -> Self {
        let mut script = Self::new();
        script.append(event("warming"));
        let (call, _) = script.take_look_up();
        script.looked_up(call, [open(tail - 1)]);
        let (call, _) = script.take_commit();
        script.committed(call, &[Stored]);
        script.take_answers();
        script
    }

    fn submit(&mut self, requests: impl IntoIterator<Item = Request>) -> Vec<Ticket> {
        let first = self.next_ticket;
        let requests: Vec<_> = (first..).map(Ticket).zip(requests).collect();
        let tickets: Vec<_> = requests.iter().map(|(ticket, _)| *ticket).collect();
        self.next_ticket += tickets.len() as u64;
        let now = self.now;
        self.step(|committer, effects| committer.submit(now, requests, effects));
        tickets
    }

    fn append(&mut self, event: NewEvent) -> Ticket {
        self.submit([Request::Append(event)])[0]
    }

    fn append_all(&mut self, events: impl IntoIterator<Item = NewEvent>) -> Vec<Ticket> {
        self.submit(events.into_iter().map(Request::Append))
    }

    fn close(&mut self, status: ClosingStatus) -> Ticket {
        self.submit([Request::Close(closing(status))])[0]
    }

    fn looked_up(&mut self, call: CallId, known: impl IntoIterator<Item = Known>) {
        let (now, known) = (self.now, known.into_iter().collect());
        self.step(|committer, effects| committer.looked_up(now, call, Ok(known), effects));
    }

    fn look_up_failed(&mut self, call: CallId) {
        let now = self.now;
        self.step(|committer, effects| {
            committer.looked_up(now, call, Err(StoreError::TimedOut), effects);
        });
    }

    fn committed(&mut self, call: CallId, outcomes: &[CommitOutcome]) {
        let now = self.now;
        self.step(|committer, effects| committer.committed(now, call, outcomes, effects));
    }

    fn created(&mut self, call: CallId, outcomes: impl IntoIterator<Item = CreateOutcome>) {
        let (now, outcomes) = (self.now, outcomes.into_iter().collect());
        self.step(|committer, effects| committer.created(now, call, outcomes, effects));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.step(|committer, effects| committer.tick(now, effects));
    }

    /// Lets time pass until the committer wants to be woken, and wakes it.
    fn pass_until_due(&mut self) -> Duration {
        let due = self.committer.next_tick().expect("nothing is due");
        let waited = due.saturating_sub(self.now);
        self.pass(waited);
        waited
    }

    fn step(&mut self, step: impl FnOnce(&mut Committer, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        step(&mut self.committer, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answer(ticket, answer) => self.answers.push((ticket, answer)),
                Effect::Announce(records, stored) => {
                    self.announced.push(records[stored].to_vec());
                }
                call => self.calls.push_back(call),
            }
        }
    }

    fn take_look_up(&mut self) -> (CallId, Vec<LookUp>) {
        match self.calls.pop_front() {
            Some(Effect::LookUp(call, questions)) => (call, questions),
            other => panic!("expected a look-up, got {other:?}"),
        }
    }

    fn take_commit(&mut self) -> (CallId, Vec<Record>) {
        match self.calls.pop_front() {
            Some(Effect::Commit {
                call,
                records,
                waits,
            }) => {
                assert_eq!(records.len(), waits.len());
                (call, records.to_vec())
            }
            other => panic!("expected a commit, got {other:?}"),
        }
    }

    fn take_create(&mut self) -> (CallId, Vec<NewSession>) {
        match self.calls.pop_front() {
            Some(Effect::Create(call, sessions)) => (call, sessions),
            other => panic!("expected a creation, got {other:?}"),
        }
    }

    fn take_answers(&mut self) -> Vec<(Ticket, Answer)> {
        std::mem::take(&mut self.answers)
    }

    fn assert_no_call(&self) {
        assert!(self.calls.is_empty(), "unexpected {:?}", self.calls);
    }

    /// Nothing is asked, nothing is queued, nothing is left to wait for.
    fn assert_idle(&self) {
        self.assert_no_call();
        assert_eq!(self.committer.queue_depth(), 0);
        assert!(self.committer.is_idle());
    }
}

fn session(name: &str) -> SessionId {
    SessionId::from_stored(name)
}

fn event_in(session_id: &str, event_id: &str) -> NewEvent {
    NewEvent {
        session_id: session(session_id),
        event_id: EventId::from_stored(event_id),
        kind: EventType::UserSpeech,
        payload: Document::from_stored(r#"{"text":"hello"}"#),
        timestamp: None,
        expected_seq: None,
        received_at: Timestamp::from_millis(1_000),
    }
}

fn event(event_id: &str) -> NewEvent {
    event_in("s", event_id)
}

fn expecting(event_id: &str, seq: u64) -> NewEvent {
    NewEvent {
        expected_seq: Seq::new(seq),
        ..event(event_id)
    }
}

fn with_other_content(event_id: &str) -> NewEvent {
    NewEvent {
        payload: Document::from_stored(r#"{"text":"something else"}"#),
        ..event(event_id)
    }
}

fn stored_at(seq: u64, new: &NewEvent) -> Event {
    Event::at(Seq::after(seq - 1), new)
}

fn record(seq: u64, new: &NewEvent) -> Record {
    Record::Event(stored_at(seq, new))
}

fn closing(status: ClosingStatus) -> Closing {
    Closing {
        session_id: session("s"),
        status,
        reason: Some(Arc::from("because")),
        at: Timestamp::from_millis(2_000),
    }
}

fn terminal(seq: u64, status: ClosingStatus) -> Terminal {
    Terminal {
        seq: Seq::after(seq - 1),
        status,
        at: Timestamp::from_millis(2_000),
        reason: Some(Arc::from("because")),
    }
}

fn open(tail: u64) -> Known {
    open_with(tail, [])
}

fn open_with(tail: u64, events: impl IntoIterator<Item = Option<Event>>) -> Known {
    Known {
        log: LogState::Open(tail),
        events: events.into_iter().collect(),
    }
}

fn closed_with(terminal: &Terminal, events: impl IntoIterator<Item = Option<Event>>) -> Known {
    Known {
        log: LogState::Closed(terminal.clone()),
        events: events.into_iter().collect(),
    }
}

fn no_log(log: LogState) -> Known {
    Known {
        log,
        events: Vec::new(),
    }
}

fn fresh(event: Event) -> Answer {
    Answer::Appended {
        event,
        replayed: false,
    }
}

fn replayed(event: Event) -> Answer {
    Answer::Appended {
        event,
        replayed: true,
    }
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Refused(refusal)
}

fn event_ids(question: &LookUp) -> Vec<&str> {
    question.event_ids.iter().map(EventId::as_str).collect()
}

fn new_session(name: &str) -> NewSession {
    NewSession {
        session_id: session(name),
        creation_id: CreationId([7; 12]),
        language: Language::from_stored("en"),
        metadata: Document::empty(),
        started_at: Timestamp::from_millis(500),
        created_at: Timestamp::from_millis(500),
    }
}

fn stored_session(new: &NewSession) -> Session {
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

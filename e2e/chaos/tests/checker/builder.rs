//! A builder of small histories. Time goes by one millisecond from call to call; what is recorded is
//! what a service that keeps its promises would answer, until a test says otherwise.

use sessionstore_chaos::{
    checker::{
        self,
        verdict::{Promise, Verdict},
    },
    history::{
        Fault, History, Left, Operation, Outcome, Run, Stream,
        answer::{Answer, Failure, FailureKind, ItemResult},
        request::{Consistency, Item, Order, Request},
        values::{Digest, Event, FaultKind, Moment, SessionView, Status, StreamEnd},
    },
    stored::{Answered, Raw, Record, Session, Stored, What},
};

/// The session of all tests.
pub(crate) const SESSION: &str = "s";

/// When it is closed.
pub(crate) const ENDED: &str = "2026-01-01T10:00:00.000Z";

pub(crate) struct Case {
    pub(crate) history: History,
    pub(crate) stored: Stored,
    clock: u64,
}

pub(crate) fn event(seq: u64, id: &str) -> Event {
    Event {
        seq,
        event: id.to_owned(),
        content: content(id),
        stamp: Digest::of(&["times of", id]),
    }
}

fn content(id: &str) -> Digest {
    Digest::of(&["content of", id])
}

fn item(id: &str) -> Item {
    Item {
        session: SESSION.to_owned(),
        event: id.to_owned(),
        variant: 0,
        content: content(id),
    }
}

pub(crate) fn open(count: u64) -> SessionView {
    SessionView {
        status: if count > 0 {
            Status::Active
        } else {
            Status::Initiated
        },
        created_at: "2026-01-01T09:00:00.000Z".to_owned(),
        ended_at: None,
        end_reason: None,
        event_count: Some(count),
    }
}

pub(crate) fn closed(count: u64) -> SessionView {
    SessionView {
        status: Status::Completed,
        ended_at: Some(ENDED.to_owned()),
        ..open(count)
    }
}

pub(crate) fn status(status: u16) -> Answer {
    Answer {
        status,
        ..Answer::default()
    }
}

pub(crate) fn problem(code: u16, name: &str) -> Answer {
    Answer {
        problem: Some(name.to_owned()),
        retry_after: (code == 503).then_some(1),
        ..status(code)
    }
}

pub(crate) fn acknowledged(code: u16, event: Event) -> Answer {
    Answer {
        replayed: code == 200,
        events: vec![event],
        ..status(code)
    }
}

pub(crate) fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure {
        kind,
        detail: "as the test says".to_owned(),
    })
}

pub(crate) fn append(id: &str) -> Request {
    Request::Append { item: item(id) }
}

pub(crate) fn create() -> Request {
    Request::Create {
        session: SESSION.to_owned(),
    }
}

pub(crate) fn close() -> Request {
    Request::Close {
        session: SESSION.to_owned(),
        failed: false,
    }
}

pub(crate) fn erase() -> Request {
    Request::Erase {
        session: SESSION.to_owned(),
    }
}

pub(crate) fn get() -> Request {
    Request::Get {
        session: SESSION.to_owned(),
        consistency: Consistency::Strong,
        limit: 10,
    }
}

pub(crate) fn page(order: Order, walk: Option<u64>) -> Request {
    Request::Page {
        session: SESSION.to_owned(),
        consistency: Consistency::Strong,
        order,
        limit: 10,
        after: None,
        walk,
    }
}

pub(crate) fn poll(after: u64) -> Request {
    Request::Page {
        session: SESSION.to_owned(),
        consistency: Consistency::Strong,
        order: Order::Seq,
        limit: 10,
        after: Some(after),
        walk: None,
    }
}

pub(crate) fn read_event(id: &str) -> Request {
    Request::Event {
        session: SESSION.to_owned(),
        event: id.to_owned(),
        consistency: Consistency::Strong,
    }
}

/// A page of these events of a log that has so many.
pub(crate) fn paged(events: &[Event], total: u64) -> Answer {
    Answer {
        events: events.to_vec(),
        total: Some(total),
        ..status(200)
    }
}

/// What a session and its first events are answered.
pub(crate) fn seen(view: SessionView, events: &[Event]) -> Answer {
    Answer {
        session: Some(view),
        ..paged(events, events.len() as u64)
    }
}

impl Case {
    /// A session that was created, and is stored.
    pub(crate) fn created() -> Self {
        let mut case = Self {
            history: History {
                run: Run {
                    format: String::new(),
                    seed: 0,
                    processes: 3,
                    deadline: Moment(10_000_000),
                    slack: Moment(1_000_000),
                },
                operations: Vec::new(),
                streams: Vec::new(),
                faults: Vec::new(),
            },
            stored: Stored::default(),
            clock: 0,
        };
        let answer = Answer {
            session: Some(open(0)),
            ..status(201)
        };
        case.answered(create(), answer);
        case.store(open(0), &[]);
        case
    }

    /// A session with these events, each acknowledged in its turn, and stored.
    pub(crate) fn with_events(ids: &[&str]) -> Self {
        let mut case = Self::created();
        let events: Vec<Event> = (1..).zip(ids).map(|(seq, id)| event(seq, id)).collect();
        for event in &events {
            case.answered(append(&event.event), acknowledged(201, event.clone()));
        }
        case.store(open(events.len() as u64), &events);
        case
    }

    /// The same, closed.
    pub(crate) fn closed_with_events(ids: &[&str]) -> Self {
        let mut case = Self::with_events(ids);
        let count = ids.len() as u64;
        let answer = Answer {
            session: Some(closed(count)),
            ..status(200)
        };
        case.answered(close(), answer);
        let events = case.stored.sessions[SESSION].events().to_vec();
        case.store(closed(count), &events);
        case
    }

    /// A session with an event that was erased.
    pub(crate) fn erased() -> Self {
        let mut case = Self::with_events(&["a"]);
        case.answered(erase(), status(204));
        case.store_as(Answered::Erased);
        case
    }

    /// The time, which goes by.
    pub(crate) fn tick(&mut self) -> Moment {
        self.clock += 1_000;
        Moment(self.clock)
    }

    /// Time goes by.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.clock += seconds * 1_000_000;
    }

    /// A request that began before and is answered now.
    pub(crate) fn answered_since(&mut self, began: Moment, request: Request, outcome: Outcome) {
        let id = self.history.operations.len() as u64 + 1;
        let ended = self.tick();
        self.history.operations.push(Operation {
            id,
            client: 0,
            process: 0,
            began,
            ended,
            request,
            outcome,
        });
    }

    /// A request, and its answer a millisecond later.
    pub(crate) fn answered(&mut self, request: Request, answer: Answer) -> u64 {
        let began = self.tick();
        self.answered_since(began, request, Outcome::Answer(answer));
        self.history.operations.len() as u64
    }

    /// A request that has no answer.
    pub(crate) fn failed(&mut self, request: Request, kind: FailureKind) {
        let began = self.tick();
        self.answered_since(began, request, failed(kind));
    }

    /// A request that is answered 503 while there is no primary.
    pub(crate) fn unavailable(&mut self, request: Request) {
        let began = self.tick();
        self.answered(request, problem(503, "unavailable"));
        self.history.faults.push(Fault {
            kind: FaultKind::KillPrimary,
            target: "member 0, the primary".to_owned(),
            process: None,
            began,
            mended: began,
            recovered: began,
        });
    }

    /// A batch whose items get these results.
    pub(crate) fn batch(&mut self, items: &[(&str, u16, Option<u64>)]) {
        let results = items.iter().map(|(id, status, seq)| ItemResult {
            status: *status,
            event: seq.map(|seq| event(seq, id)),
            problem: match status {
                200 | 201 => None,
                409 => Some("session-closed".to_owned()),
                _ => Some("internal".to_owned()),
            },
        });
        let answer = Answer {
            results: results.collect(),
            ..status(200)
        };
        let items = items.iter().map(|(id, _, _)| item(id)).collect();
        let across = false;
        self.answered(Request::Batch { across, items }, answer);
    }

    /// A stream of this session from its beginning, which delivered these.
    pub(crate) fn stream(&mut self, events: &[Event], end: Option<u64>) -> &mut Stream {
        let began = self.tick();
        let delivered = events
            .iter()
            .map(|event| (self.tick(), event.clone()))
            .collect();
        let ended = self.tick();
        let id = 1_000 + self.history.streams.len() as u64;
        self.history.streams.push(Stream {
            id,
            follower: id,
            client: 1,
            process: 0,
            session: SESSION.to_owned(),
            after: 0,
            began,
            ended,
            opened: Outcome::Answer(status(200)),
            delivered,
            end: end.map(|id| StreamEnd {
                id,
                status: "completed".to_owned(),
                ended_at: Some(ENDED.to_owned()),
            }),
            left: if end.is_some() {
                Left::Closed
            } else {
                Left::ByClient
            },
            wanted: None,
        });
        let last = self.history.streams.len() - 1;
        &mut self.history.streams[last]
    }

    /// Something was done to process 0, from then until now.
    pub(crate) fn fault(&mut self, kind: FaultKind, began: Moment) {
        let now = self.tick();
        self.history.faults.push(Fault {
            kind,
            target: "service process 0".to_owned(),
            process: Some(0),
            began,
            mended: now,
            recovered: now,
        });
    }

    /// What is stored at the end.
    pub(crate) fn store(&mut self, session: SessionView, events: &[Event]) {
        self.store_as(Answered::Present {
            session,
            events: events.to_vec(),
        });
    }

    /// What is answered at the end.
    pub(crate) fn store_as(&mut self, answered: Answered) {
        let session = Session {
            answered,
            raw: None,
        };
        self.stored.sessions.insert(SESSION.to_owned(), session);
    }

    /// The documents at the end, in this order, from seq 1.
    pub(crate) fn documents(&mut self, documents: &[What]) {
        let records = (1..).zip(documents).map(|(seq, what)| Record {
            seq,
            what: what.clone(),
        });
        let raw = Raw {
            sessions: 1,
            tombstone: false,
            records: records.collect(),
        };
        self.raw(raw);
    }

    /// The documents at the end.
    pub(crate) fn raw(&mut self, raw: Raw) {
        let session = self.stored.sessions.get_mut(SESSION).unwrap();
        session.raw = Some(raw);
    }

    pub(crate) fn verdict(&self) -> Verdict {
        checker::check(&self.history, &self.stored)
    }

    /// Asserts that exactly these promises are found broken.
    #[track_caller]
    pub(crate) fn breaks(&self, promises: &[Promise]) {
        let verdict = self.verdict();
        assert_eq!(verdict.broken(), promises, "{verdict}");
    }

    /// Asserts that nothing is found broken.
    #[track_caller]
    pub(crate) fn is_right(&self) {
        self.breaks(&[]);
    }
}

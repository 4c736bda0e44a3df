//! Any sequence of calls gives the answers of the model, and leaves what the model holds.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sessionstore::domain::{
    ClosingStatus, Consistency, Document, EventFilter, EventId, EventType, Language, MetadataPatch,
    NewEvent, NewSession, Order, PageQuery, PageStart, Position, Seq, SessionFilter, SessionId,
    SessionListQuery, SessionPatch, SessionStatus, Version,
};
use sessionstore::log::{CloseError, PatchError, Refusal};
use sessionstore::store::{EraseError, ReadError};
use tokio::runtime;

use crate::backend::{Backend, Subject};
use crate::model::{Model, PatchRefusal, closing};
use crate::sample::{at, id, new_event, new_session, stored_log};

/// Few names, so that calls meet each other.
const SESSIONS: [&str; 3] = ["a", "b", "a/ü"];

#[derive(Clone, Debug)]
enum Call {
    Create {
        session: usize,
        started: i64,
    },
    Append(Append),
    Batch(Vec<Append>),
    AtOnce {
        session: usize,
        count: usize,
    },
    Close {
        session: usize,
        status: ClosingStatus,
    },
    Patch {
        session: usize,
        key: u8,
        if_match: Option<u64>,
    },
    Erase {
        session: usize,
    },
    Walk {
        session: usize,
        order: Order,
        filter: EventFilter,
        limit: usize,
    },
    Offset {
        session: usize,
        order: Order,
        offset: u64,
    },
    List {
        status: Option<SessionStatus>,
        language: bool,
        limit: usize,
    },
}

#[derive(Clone, Debug)]
struct Append {
    session: usize,
    event: u8,
    content: u8,
    time: Option<i64>,
    expected: Option<u64>,
}

fn session() -> impl Strategy<Value = usize> {
    0..SESSIONS.len()
}

fn append() -> impl Strategy<Value = Append> {
    let time = prop::option::weighted(0.6, 0..4_i64);
    let expected = prop::option::weighted(0.2, 1..6_u64);
    (session(), 0..12_u8, 0..2_u8, time, expected).prop_map(
        |(session, event, content, time, expected)| Append {
            session,
            event,
            content,
            time,
            expected,
        },
    )
}

fn order() -> impl Strategy<Value = Order> {
    prop::sample::select(vec![
        Order::TimeAscending,
        Order::TimeDescending,
        Order::SeqAscending,
        Order::SeqDescending,
    ])
}

fn filter() -> impl Strategy<Value = EventFilter> {
    let kind = prop::option::weighted(0.3, prop::sample::select(EventType::ALL.to_vec()));
    let time = || prop::option::weighted(0.3, 0..4_i64);
    (kind, time(), time()).prop_map(|(kind, since, until)| EventFilter {
        kind,
        since: since.map(at),
        until: until.map(at),
    })
}

fn call() -> impl Strategy<Value = Call> {
    let status = || prop::sample::select(vec![ClosingStatus::Completed, ClosingStatus::Failed]);
    let statuses = prop::option::of(prop::sample::select(SessionStatus::ALL.to_vec()));
    let if_match = prop::option::weighted(0.4, 1..4_u64);
    prop_oneof![
        4 => (session(), 0..3_i64).prop_map(|(session, started)| Call::Create { session, started }),
        8 => append().prop_map(Call::Append),
        4 => prop::collection::vec(append(), 1..8).prop_map(Call::Batch),
        2 => (session(), 1..6_usize).prop_map(|(session, count)| Call::AtOnce { session, count }),
        1 => (session(), status()).prop_map(|(session, status)| Call::Close { session, status }),
        2 => (session(), 0..3_u8, if_match)
            .prop_map(|(session, key, if_match)| Call::Patch { session, key, if_match }),
        1 => session().prop_map(|session| Call::Erase { session }),
        3 => (session(), order(), filter(), 1..4_usize)
            .prop_map(|(session, order, filter, limit)| Call::Walk { session, order, filter, limit }),
        1 => (session(), order(), 0..5_u64)
            .prop_map(|(session, order, offset)| Call::Offset { session, order, offset }),
        2 => (statuses, any::<bool>(), 1..3_usize)
            .prop_map(|(status, language, limit)| Call::List { status, language, limit }),
    ]
}

/// The system under test beside the model, and a clock that goes with the calls.
struct Pair<B> {
    subject: Subject<B>,
    model: Model,
    calls: u32,
}

impl<B: Backend> Pair<B> {
    fn name(session: usize) -> SessionId {
        id(SESSIONS[session])
    }

    fn new_event(&self, append: &Append) -> NewEvent {
        let kinds = EventType::ALL;
        NewEvent {
            kind: kinds[usize::from(append.event) % kinds.len()],
            payload: Document::from_stored(&format!("{{\"content\":{}}}", append.content)),
            timestamp: append.time.map(at),
            expected_seq: append.expected.and_then(Seq::new),
            received_at: at(i64::from(self.calls)),
            ..new_event(SESSIONS[append.session], &format!("e{}", append.event))
        }
    }

    async fn apply(&mut self, call: Call) {
        self.calls += 1;
        let now = at(i64::from(self.calls));
        match call {
            Call::Create { session, started } => {
                let new = NewSession {
                    started_at: at(started),
                    ..new_session(SESSIONS[session], u64::from(self.calls))
                };
                let answer = self.subject.log.create(new.clone()).await;
                assert_eq!(answer, self.model.create(&new));
            }
            Call::Append(append) => {
                let new = self.new_event(&append);
                let answer = self.subject.log.append(new.clone()).await;
                assert_eq!(answer, self.model.append(&new));
            }
            Call::Batch(appends) => {
                let events: Vec<_> = appends.iter().map(|it| self.new_event(it)).collect();
                let answers = self.subject.log.append_all(events.clone()).await;
                let expected: Vec<_> = events.iter().map(|it| self.model.append(it)).collect();
                assert_eq!(answers, expected);
            }
            Call::AtOnce { session, count } => self.append_at_once(session, count).await,
            Call::Close { session, status } => {
                let closing = closing(&Self::name(session), status, now);
                let expected = self.model.close(&closing).map_err(CloseError::Refused);
                let log = &self.subject.log;
                let answer = log
                    .close(closing.session_id, status, closing.reason, now)
                    .await;
                assert_eq!(answer, expected);
            }
            Call::Patch {
                session,
                key,
                if_match,
            } => self.patch(session, key, if_match).await,
            Call::Erase { session } => {
                let name = Self::name(session);
                let answer = self.subject.log.erase(&name, now).await;
                let expected = self.model.erase(&name);
                assert_eq!(answer, expected.then_some(()).ok_or(EraseError::Absent));
            }
            Call::Walk {
                session,
                order,
                filter,
                limit,
            } => self.walk(session, order, filter, limit).await,
            Call::Offset {
                session,
                order,
                offset,
            } => {
                let start = PageStart::Offset(offset);
                let query = page(order, start, EventFilter::default(), 3);
                let name = Self::name(session);
                let answer = self.subject.store.events(&name, &query).await;
                match self.model.row(&name) {
                    Ok(row) => {
                        let expected: Vec<_> = row.page(&query).into_iter().take(3).collect();
                        assert_eq!(answer.map(|page| page.events), Ok(expected));
                    }
                    Err(refusal) => assert_eq!(answer, Err(missing(&refusal))),
                }
            }
            Call::List {
                status,
                language,
                limit,
            } => self.list(status, language, limit).await,
        }
    }

    /// Fresh events at the same time: whatever the order, all or none are stored, in one row.
    async fn append_at_once(&mut self, session: usize, count: usize) {
        let events: Vec<_> = (0..count)
            .map(|number| NewEvent {
                event_id: EventId::from_stored(&format!("at-once-{}-{number}", self.calls)),
                received_at: at(i64::from(self.calls)),
                ..new_event(SESSIONS[session], "unused")
            })
            .collect();
        let calls = events
            .iter()
            .map(|new| self.subject.log.append(new.clone()));
        let mut answers = futures::future::join_all(calls).await;
        answers.sort_by_key(|answer| answer.as_ref().map_or(0, |stored| stored.event.seq.get()));
        for answer in answers {
            let event_id = answer.as_ref().map(|stored| &stored.event.event_id);
            let new = events
                .iter()
                .find(|new| event_id.as_ref().is_ok_and(|id| **id == new.event_id))
                .unwrap_or(&events[0]);
            assert_eq!(answer, self.model.append(new));
        }
    }

    async fn patch(&mut self, session: usize, key: u8, if_match: Option<u64>) {
        let name = Self::name(session);
        let now = at(i64::from(self.calls));
        let change = Document::from_stored(&format!("{{\"k{key}\":{}}}", self.calls % 2));
        let patch = SessionPatch {
            language: (key == 0).then(|| Language::from_stored("de")),
            metadata: Some(MetadataPatch::Merge(change)),
        };
        let wanted = if_match.map(Version);
        let condition = |version| wanted.is_none_or(|wanted| wanted == version);
        let answer = self
            .subject
            .log
            .patch(&name, &patch, condition, 16_384, now)
            .await;
        let expected = self.model.patch(&name, &patch, wanted, now);
        let expected = expected.map_err(|refusal| match refusal {
            PatchRefusal::Gone(refusal) => PatchError::Read(missing(&refusal)),
            PatchRefusal::OtherVersion => PatchError::PreconditionFailed,
        });
        assert_eq!(answer, expected);
    }

    /// From page to page, to the end.
    async fn walk(&mut self, session: usize, order: Order, filter: EventFilter, limit: usize) {
        let name = Self::name(session);
        let mut start = PageStart::Offset(0);
        let mut walked = Vec::new();
        loop {
            let query = page(order, start, filter, limit);
            let answer = self.subject.store.session_with_events(&name, &query).await;
            let row = match self.model.row(&name) {
                Ok(row) => row,
                Err(refusal) => {
                    assert_eq!(answer, Err(missing(&refusal)));
                    return;
                }
            };
            let (session, page) = answer.expect("a session that the model has");
            assert_eq!(session, row.session);
            assert_eq!(page.total, row.events.len() as u64);
            assert_eq!(page.terminal, row.terminal);
            assert!(page.events.len() <= limit);
            walked.extend(page.events);
            match page.next {
                Some(Position { timestamp, seq }) => {
                    start = PageStart::After(Position { timestamp, seq });
                }
                None => break,
            }
        }
        let all = page(order, PageStart::Offset(0), filter, usize::MAX);
        let expected = self.model.row(&name).map(|row| row.page(&all));
        assert_eq!(Ok(walked), expected);
    }

    async fn list(&mut self, status: Option<SessionStatus>, language: bool, limit: usize) {
        let mut query = SessionListQuery {
            filter: SessionFilter {
                status,
                language: language.then(|| Language::from_stored("DE")),
                ..SessionFilter::default()
            },
            after: None,
            limit,
            consistency: Consistency::Strong,
        };
        let expected = self.model.list(&query);
        let mut listed = Vec::new();
        loop {
            let page = self.subject.store.list(&query).await.expect("a list");
            assert!(page.sessions.len() <= limit);
            listed.extend(page.sessions);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected);
    }

    /// What is stored is what the model holds.
    async fn compare(&self) {
        for name in SESSIONS {
            if let Ok(row) = self.model.row(&id(name)) {
                assert_eq!(stored_log(&*self.subject.store, name).await, row.events);
            }
        }
    }
}

fn page(order: Order, start: PageStart, filter: EventFilter, limit: usize) -> PageQuery {
    PageQuery {
        filter,
        ..crate::sample::page(order, start, limit)
    }
}

fn missing(refusal: &Refusal) -> ReadError {
    if *refusal == Refusal::Erased {
        ReadError::Erased
    } else {
        ReadError::Absent
    }
}

pub(crate) fn any_sequence_of_calls_gives_the_answers_of_the_model<B: Backend>() {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    let calls = prop::collection::vec(call(), 1..50);
    let result = TestRunner::new(config).run(&calls, |calls| {
        runtime.block_on(async {
            let mut pair = Pair::<B> {
                subject: Subject::fresh().await,
                model: Model::default(),
                calls: 10,
            };
            for call in calls {
                pair.apply(call).await;
            }
            pair.compare().await;
        });
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

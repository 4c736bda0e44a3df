//! Asking again what was asked, and writing down what comes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use prometheus::Registry;
use sessionstore::domain::{
    ClosingStatus, Consistency, EventFilter, NewEvent, Order, PageQuery, PageStart, Seq, Session,
    SessionId, SessionStatus, Terminal,
};
use sessionstore::log::{
    Answer, Appended, CloseError, Closing, Log, LogMetrics, Refusal, Request, Settings, Ticket,
};
use sessionstore::store::{
    Health, LogState, MongoMetrics, MongoSettings, MongoStore, Patience, ReadError, Store,
};

use crate::history::{Entry, History, Outcome};
use crate::reads::{Read, Seen};

pub(crate) const PROCESSES: usize = 3;

/// So long that a busy machine does not make an answer of it.
const DEADLINE: Duration = Duration::from_secs(60);

/// What came of it.
pub(crate) struct Played {
    pub(crate) history: History,
    pub(crate) reads: Vec<(Read, Seen)>,
    /// One that served, to look at what is stored.
    pub(crate) store: Arc<MongoStore>,
}

/// What has happened so far. Something that ended before another began has the smaller step.
#[derive(Default)]
struct Record {
    step: usize,
    history: History,
    reads: Vec<(Read, Seen)>,
}

/// One service process.
struct Process {
    store: Arc<MongoStore>,
    log: Log,
}

/// Plays requests on a fresh database, to which nobody else writes.
pub(crate) async fn play(url: &str, requests: &[Entry]) -> Played {
    let processes = join_all((0..PROCESSES).map(|_| Process::serving(url))).await;
    let record = Mutex::new(Record::default());
    let mut clients: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for entry in requests {
        clients.entry(entry.client).or_default().push(entry);
    }
    let clients = clients
        .values()
        .map(|entries| be_client(&processes, &record, entries));
    join_all(clients).await;
    let record = record.into_inner().unwrap_or_else(PoisonError::into_inner);
    Played {
        history: record.history,
        reads: record.reads,
        store: Arc::clone(&processes[0].store),
    }
}

async fn be_client(processes: &[Process], record: &Mutex<Record>, entries: &[&Entry]) {
    for together in entries.chunk_by(|one, next| one.group == next.group) {
        let first = together[0];
        let process = first.process;
        let tickets = lock(record).begin(together);
        let requests = together.iter().map(|it| it.request.clone()).collect();
        let answers = ask(&processes[process].log, requests).await;
        lock(record).end(tickets, &answers);
        let read = lock(record).begin_read(first);
        let other = &processes[(process + 1) % PROCESSES];
        let seen = look(&other.store, &read.session_id).await;
        lock(record).reads.push((read, seen));
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Record {
    fn begin(&mut self, together: &[&Entry]) -> Vec<Ticket> {
        self.step += 1;
        let group = self.history.entries().len();
        let entries = together.iter().map(|entry| Entry {
            group,
            began: self.step,
            outcome: Outcome::Waiting,
            may_be_stale: false,
            ..(*entry).clone()
        });
        entries.map(|entry| self.history.begin(entry)).collect()
    }

    fn end(&mut self, tickets: Vec<Ticket>, answers: &[Answer]) {
        self.step += 1;
        for (ticket, answer) in tickets.into_iter().zip(answers) {
            self.history.answer(self.step, ticket, answer);
        }
    }

    fn begin_read(&mut self, after: &Entry) -> Read {
        self.step += 1;
        Read {
            client: after.client,
            session_id: after.session_id().clone(),
            began: self.step,
            may_be_stale: false,
        }
    }
}

impl Process {
    async fn serving(url: &str) -> Self {
        let registry = Registry::new();
        let settings = MongoSettings {
            patience: Patience {
                deadline: DEADLINE,
                ..Patience::default()
            },
        };
        let metrics = MongoMetrics::register(&registry).expect("a fresh registry");
        let store = MongoStore::connect(url, settings, metrics).await;
        let store = Arc::new(store.expect("a URL"));
        let settings = Settings {
            deadline: DEADLINE,
            ..Settings::default()
        };
        let metrics = LogMetrics::register(&registry).expect("a fresh registry");
        let log = Log::new(Arc::clone(&store) as Arc<dyn Store>, settings, metrics);
        let served = tokio::time::timeout(DEADLINE, async {
            while store.health() != Health::Serving {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        served.await.expect("a store that serves");
        Self { store, log }
    }
}

/// Hands requests to a log, those to append all at once.
async fn ask(log: &Log, requests: Vec<Request>) -> Vec<Answer> {
    let events: Option<Vec<NewEvent>> = requests
        .iter()
        .map(|request| match request {
            Request::Append(event) => Some(event.clone()),
            Request::Close(_) | Request::Create(_) => None,
        })
        .collect();
    match events {
        Some(events) => {
            let outcomes = log.append_all(events).await;
            outcomes.into_iter().map(appended).collect()
        }
        None => join_all(requests.into_iter().map(|it| ask_one(log, it))).await,
    }
}

async fn ask_one(log: &Log, request: Request) -> Answer {
    match request {
        Request::Append(event) => appended(log.append(event).await),
        Request::Create(session) => match log.create(session).await {
            Ok(created) => Answer::Created {
                session: created.session,
                replayed: created.replayed,
            },
            Err(refusal) => Answer::Refused(refusal),
        },
        Request::Close(closing) => close(log, closing).await,
    }
}

fn appended(outcome: Result<Appended, Refusal>) -> Answer {
    match outcome {
        Ok(Appended { event, replayed }) => Answer::Appended { event, replayed },
        Err(refusal) => Answer::Refused(refusal),
    }
}

async fn close(log: &Log, closing: Closing) -> Answer {
    let Closing {
        session_id,
        status,
        reason,
        at,
    } = closing;
    match log.close(session_id, status, reason, at).await {
        Ok(session) => Answer::Closed(terminal(&session).expect("it says how it ended")),
        Err(CloseError::Refused(refusal)) => Answer::Refused(refusal),
        Err(CloseError::Read(error)) => panic!("closed and not read back: {error}"),
    }
}

/// The record that closed a session, by what the session says of it.
fn terminal(session: &Session) -> Option<Terminal> {
    Some(Terminal {
        seq: Seq::after(session.event_count?),
        status: match session.status {
            SessionStatus::Completed => ClosingStatus::Completed,
            SessionStatus::Failed => ClosingStatus::Failed,
            SessionStatus::Initiated | SessionStatus::Active => return None,
        },
        at: session.ended_at?,
        reason: session.end_reason.clone(),
    })
}

/// A strong read of a whole session.
pub(crate) async fn look(store: &MongoStore, id: &SessionId) -> Seen {
    let query = PageQuery {
        order: Order::SeqAscending,
        start: PageStart::AfterSeq(0),
        filter: EventFilter::default(),
        limit: 500,
        max_bytes: 1024 * 1024,
        consistency: Consistency::Strong,
    };
    match store.session_with_events(id, &query).await {
        Ok((session, page)) => {
            assert_eq!(page.next, None, "a session fits into a page");
            assert_eq!(terminal(&session), page.terminal, "both say the same");
            Seen {
                log: match page.terminal {
                    Some(terminal) => LogState::Closed(terminal),
                    None => LogState::Open(page.total),
                },
                events: page.events,
            }
        }
        Err(ReadError::Absent) => Seen {
            log: LogState::Absent,
            events: Vec::new(),
        },
        Err(error) => panic!("a read of {id} failed: {error}"),
    }
}

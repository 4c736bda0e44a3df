//! The embedded store against small models of what it promises. The suite for every backend is
//! `service/tests/invariants`; full disks and torn journals are in `service/tests/embedded_*.rs`.

mod codec;
mod commits;
mod erasures;
mod lists;
mod pages;

use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::domain::{
    ClosingStatus, Consistency, CreationId, Document, Event, EventFilter, EventId, EventType,
    Language, NewSession, Order, PageQuery, PageStart, Seq, SessionId, Terminal, Timestamp,
};
use crate::store::embedded::{EmbeddedStore, Settings};
use crate::store::{CommitOutcome, CreateOutcome, EventPage, ReadError, Record, Store};

/// A store in a folder of its own, and a runtime to call it from.
struct Fixture {
    runtime: Runtime,
    store: Option<EmbeddedStore>,
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            store: Some(EmbeddedStore::open(folder.path(), Settings::default()).unwrap()),
            folder,
        }
    }

    fn store(&self) -> &EmbeddedStore {
        self.store.as_ref().unwrap()
    }

    /// Closes the store and opens it again.
    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(EmbeddedStore::open(self.folder.path(), Settings::default()).unwrap());
    }

    fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    fn create(&self, id: &str) -> SessionId {
        let new = new_session(id, 0);
        let outcome = self.run(self.store().create(vec![new.clone()])).remove(0);
        assert!(matches!(outcome, CreateOutcome::Created(_)), "{outcome:?}");
        new.session_id
    }

    fn commit(&self, records: Vec<Record>) -> Vec<CommitOutcome> {
        self.run(self.store().commit(records.into()))
    }

    fn append(&self, events: &[Event]) {
        let records = events.iter().cloned().map(Record::Event).collect();
        let outcomes = self.commit(records);
        assert!(outcomes.iter().all(|it| *it == CommitOutcome::Stored));
    }

    fn page(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        self.run(self.store().events(id, query))
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new_session(id: &str, number: u8) -> NewSession {
    NewSession {
        session_id: SessionId::from_stored(id),
        creation_id: CreationId([number; 12]),
        language: Language::from_stored("en-GB"),
        metadata: Document::from_stored(r#"{"n":1.0}"#),
        started_at: at(1_000),
        created_at: at(2_000),
    }
}

fn event(id: &SessionId, seq: u64) -> Event {
    Event {
        session_id: id.clone(),
        seq: Seq::new(seq).unwrap(),
        event_id: EventId::from_stored(&format!("event {seq}")),
        kind: EventType::UserSpeech,
        payload: Document::from_stored(&format!(r#"{{"text":"secret {seq}"}}"#)),
        timestamp: at(10_000),
        recorded_at: at(20_000),
    }
}

fn terminal(id: &SessionId, seq: u64) -> Record {
    let terminal = Terminal {
        seq: Seq::new(seq).unwrap(),
        status: ClosingStatus::Completed,
        at: at(30_000),
        reason: Some(Arc::from("done")),
    };
    Record::Terminal(id.clone(), terminal)
}

fn first_page(order: Order) -> PageQuery {
    PageQuery {
        order,
        start: PageStart::Offset(0),
        filter: EventFilter::default(),
        limit: 500,
        max_bytes: usize::MAX,
        consistency: Consistency::Strong,
    }
}

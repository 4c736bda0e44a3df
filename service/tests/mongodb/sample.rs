//! Values to test with, and questions that are asked all the time.

use std::sync::atomic::{AtomicU64, Ordering};

use sessionstore::domain::{
    ClosingStatus, Consistency, CreationId, Document, Event, EventFilter, EventId, EventType,
    Language, NewEvent, NewSession, Order, PageQuery, PageStart, Seq, SessionFilter, SessionId,
    SessionListQuery, Terminal, Timestamp, Version,
};
use sessionstore::store::{CommitOutcome, CreateOutcome, Record, SessionChange, Store};

pub(crate) fn id(name: &str) -> SessionId {
    SessionId::from_stored(name)
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A session to create, under a creation id that no other attempt has.
pub(crate) fn new_session(name: &str) -> NewSession {
    static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let mut creation_id = [0; 12];
    creation_id[4..].copy_from_slice(&attempt.to_be_bytes());
    NewSession {
        session_id: id(name),
        creation_id: CreationId(creation_id),
        language: Language::from_stored("en"),
        metadata: Document::from_stored(r#"{"kept":true}"#),
        started_at: at(1_000),
        created_at: at(2_000),
    }
}

pub(crate) fn new_event(session: &str, event_id: &str) -> NewEvent {
    NewEvent {
        session_id: id(session),
        event_id: EventId::from_stored(event_id),
        kind: EventType::UserSpeech,
        payload: Document::from_stored(r#"{"text":"hello"}"#),
        timestamp: None,
        expected_seq: None,
        received_at: at(3_000),
    }
}

pub(crate) fn event(seq: u64, new: &NewEvent) -> Record {
    Record::Event(Event::at(Seq::after(seq - 1), new))
}

pub(crate) fn terminal(session: &str, seq: u64, status: ClosingStatus) -> Record {
    let terminal = Terminal {
        seq: Seq::after(seq - 1),
        status,
        at: at(5_000),
        reason: None,
    };
    Record::Terminal(id(session), terminal)
}

/// A change made from version `base`.
pub(crate) fn change(base: u64) -> SessionChange {
    SessionChange {
        base: Version(base),
        language: Language::from_stored("de"),
        metadata: Document::from_stored(r#"{"kept":true}"#),
        at: at(7_000),
    }
}

/// Creates a session that was not there.
pub(crate) async fn create(store: &dyn Store, name: &str) {
    let outcome = store.create(vec![new_session(name)]).await.remove(0);
    assert!(matches!(outcome, CreateOutcome::Created(_)), "{outcome:?}");
}

pub(crate) async fn commit(store: &dyn Store, record: Record) -> CommitOutcome {
    store.commit([record].into()).await[0]
}

pub(crate) fn after_seq(seq: u64, consistency: Consistency) -> PageQuery {
    PageQuery {
        order: Order::SeqAscending,
        start: PageStart::AfterSeq(seq),
        filter: EventFilter::default(),
        limit: 500,
        max_bytes: 1024 * 1024,
        consistency,
    }
}

pub(crate) fn all_sessions(filter: SessionFilter) -> SessionListQuery {
    SessionListQuery {
        filter,
        after: None,
        limit: 500,
        consistency: Consistency::Strong,
    }
}

/// The ids of a session's events, in the order of its log, which has no gap.
pub(crate) async fn event_ids(store: &dyn Store, name: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let query = after_seq(ids.len() as u64, Consistency::Strong);
        let page = store.events(&id(name), &query).await.unwrap();
        if page.events.is_empty() {
            assert_eq!(page.total, ids.len() as u64);
            return ids;
        }
        for event in page.events {
            assert_eq!(event.seq.get(), ids.len() as u64 + 1, "a log has no gap");
            ids.push(event.event_id.as_str().to_owned());
        }
    }
}

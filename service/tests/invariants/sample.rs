//! Values to test with, and questions that are asked all the time.

use sessionstore::domain::{
    Consistency, CreationId, Document, Event, EventFilter, EventId, EventType, Language, NewEvent,
    NewSession, Order, PageQuery, PageStart, Seq, SessionId, Timestamp,
};
use sessionstore::store::{Known, LogState, LookUp, Record, Store};

pub(crate) fn id(name: &str) -> SessionId {
    SessionId::from_stored(name)
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A session to create; `number` tells one attempt from another.
pub(crate) fn new_session(name: &str, number: u64) -> NewSession {
    let mut creation_id = [0; 12];
    creation_id[4..].copy_from_slice(&number.to_be_bytes());
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
        payload: Document::from_stored(r#"{"text":"hello","n":1.0}"#),
        timestamp: None,
        expected_seq: None,
        received_at: at(3_000),
    }
}

pub(crate) fn record(seq: u64, new: &NewEvent) -> Record {
    Record::Event(Event::at(Seq::after(seq - 1), new))
}

pub(crate) fn page(order: Order, start: PageStart, limit: usize) -> PageQuery {
    PageQuery {
        order,
        start,
        filter: EventFilter::default(),
        limit,
        max_bytes: 1024 * 1024,
        consistency: Consistency::Strong,
    }
}

pub(crate) async fn look_up(store: &dyn Store, name: &str, event_ids: &[&str]) -> Known {
    let question = LookUp {
        session_id: id(name),
        event_ids: event_ids
            .iter()
            .map(|it| EventId::from_stored(it))
            .collect(),
    };
    let mut known = store.look_up(vec![question]).await.expect("a look-up");
    assert_eq!(known.len(), 1);
    known.remove(0)
}

/// A whole log as it is stored, checked in itself: contiguous, each id once, as many records as a
/// look-up says.
pub(crate) async fn stored_log(store: &dyn Store, name: &str) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let start = PageStart::AfterSeq(events.len() as u64);
        let query = page(Order::SeqAscending, start, 37);
        let read = store.events(&id(name), &query).await.expect("a page");
        if read.events.is_empty() {
            let known = look_up(store, name, &[]).await;
            let expected = match &read.terminal {
                Some(terminal) => LogState::Closed(terminal.clone()),
                None => LogState::Open(events.len() as u64),
            };
            assert_eq!(known.log, expected);
            assert_eq!(read.total, events.len() as u64);
            let terminal = read.terminal.map(|terminal| terminal.event_count());
            assert!(terminal.is_none_or(|count| count == read.total));
            break;
        }
        events.extend(read.events);
    }
    for (place, event) in (1..).zip(&events) {
        assert_eq!(event.seq.get(), place, "a log has no gap");
        let same_id = events.iter().filter(|it| it.event_id == event.event_id);
        assert_eq!(same_id.count(), 1, "an event id is stored once");
    }
    events
}

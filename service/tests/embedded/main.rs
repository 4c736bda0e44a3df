//! The embedded store when the machine lets it down: torn journals and full disks.

// A test may say what it expects; the lint only sees `#[test]` functions as tests.
#![expect(clippy::unwrap_used, clippy::expect_used)]

mod full_disk;
mod torn_journal;

use sessionstore::domain::{
    Consistency, CreationId, Document, Event, EventFilter, EventId, EventType, Language,
    NewSession, Order, PageQuery, PageStart, Position, Seq, SessionId, Timestamp,
};
use sessionstore::store::{CreateOutcome, EmbeddedStore, Store};

fn new_session(name: &str) -> NewSession {
    let mut creation_id = [0; 12];
    creation_id[..name.len()].copy_from_slice(name.as_bytes());
    NewSession {
        session_id: SessionId::from_stored(name),
        creation_id: CreationId(creation_id),
        language: Language::from_stored("en"),
        metadata: Document::empty(),
        started_at: Timestamp::from_millis(0),
        created_at: Timestamp::from_millis(0),
    }
}

async fn create(store: &EmbeddedStore, name: &str) -> SessionId {
    let new = new_session(name);
    let id = new.session_id.clone();
    let outcome = store.create(vec![new]).await.remove(0);
    assert!(matches!(outcome, CreateOutcome::Created(_)), "{outcome:?}");
    id
}

fn event(id: &SessionId, seq: u64, text: &str) -> Event {
    Event {
        session_id: id.clone(),
        seq: Seq::new(seq).unwrap(),
        event_id: EventId::from_stored(&format!("event {seq}")),
        kind: EventType::System,
        payload: Document::from_stored(&format!(r#"{{"text":"{text}"}}"#)),
        timestamp: Timestamp::from_millis(1_000 + seq.cast_signed()),
        recorded_at: Timestamp::from_millis(2_000),
    }
}

/// Text that does not compress to much less.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed | 1;
    let mut letter = || {
        // Xorshift (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state % 64) as u8)
    };
    let text: String = (0..length).map(|_| letter()).collect();
    text.replace('\\', "z")
}

/// Every event of a session, in the order of its log.
async fn events(store: &EmbeddedStore, id: &SessionId) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = PageStart::AfterSeq(0);
    loop {
        let query = PageQuery {
            order: Order::SeqAscending,
            start,
            filter: EventFilter::default(),
            limit: 500,
            max_bytes: 1 << 20,
            consistency: Consistency::Strong,
        };
        let page = store.events(id, &query).await.unwrap();
        events.extend(page.events);
        match page.next {
            Some(Position { seq, .. }) => start = PageStart::AfterSeq(seq.get()),
            None => return events,
        }
    }
}

//! Every document reads back as it was written, and is laid out as the contract of the collections
//! says.

mod damaged;

use bson::{Bson, RawDocumentBuf, doc, oid::ObjectId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{ClosingStatus, Document, NewSession};
use crate::store::Record;

prop_compose! {
    fn times()(millis in 0..=253_402_300_799_999_i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
}

fn seqs() -> impl Strategy<Value = Seq> {
    (1..=i64::MAX.unsigned_abs()).prop_filter_map("a seq", Seq::new)
}

fn documents() -> impl Strategy<Value = Document> {
    (".*", any::<i64>(), any::<bool>()).prop_map(|(text, number, flag)| {
        let text = json!({ "text": text, "list": [number, { "": flag }, null] }).to_string();
        Document::from_stored(&text)
    })
}

fn session_ids() -> impl Strategy<Value = SessionId> {
    "\\PC{1,40}".prop_map(|id| SessionId::from_stored(&id))
}

fn terminals() -> impl Strategy<Value = Terminal> {
    let statuses = prop_oneof![Just(ClosingStatus::Completed), Just(ClosingStatus::Failed)];
    (seqs(), statuses, times(), proptest::option::of(".*")).prop_map(|(seq, status, at, reason)| {
        Terminal {
            seq,
            status,
            at,
            reason: reason.map(Into::into),
        }
    })
}

prop_compose! {
    fn events()(
        session_id in session_ids(),
        seq in seqs(),
        event_id in "\\PC{1,80}",
        kind in 0..3_usize,
        payload in documents(),
        timestamp in times(),
        recorded_at in times(),
    ) -> Event {
        Event {
            session_id,
            seq,
            event_id: EventId::from_stored(&event_id),
            kind: EventType::ALL[kind],
            payload,
            timestamp,
            recorded_at,
        }
    }
}

prop_compose! {
    fn new_sessions()(
        session_id in session_ids(),
        creation_id in any::<[u8; 12]>(),
        language in "[a-zA-Z-]{1,35}",
        metadata in documents(),
        started_at in times(),
        created_at in times(),
    ) -> NewSession {
        NewSession {
            session_id,
            creation_id: CreationId(creation_id),
            language: Language::from_stored(&language),
            metadata,
            started_at,
            created_at,
        }
    }
}

fn id(text: &str) -> SessionId {
    SessionId::from_stored(text)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn raw(document: &bson::Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn parsed(document: &RawDocument) -> bson::Document {
    bson::Document::try_from(document).unwrap()
}

fn an_event() -> Event {
    Event {
        session_id: id("call 7"),
        seq: Seq::after(2),
        event_id: EventId::from_stored("e-3"),
        kind: EventType::UserSpeech,
        payload: Document::from_stored(
            r#"{"text":"Grüße","confidence":0.5,"$n":[1,3000000000],"none":null}"#,
        ),
        timestamp: at(1_764_063_000_000),
        recorded_at: at(1_764_063_000_042),
    }
}

fn a_terminal(reason: Option<&str>) -> Terminal {
    Terminal {
        seq: Seq::after(3),
        status: ClosingStatus::Failed,
        at: at(1_764_063_009_999),
        reason: reason.map(Into::into),
    }
}

fn a_session() -> NewSession {
    NewSession {
        session_id: id("call 7"),
        creation_id: CreationId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        language: Language::from_stored("de-AT"),
        metadata: Document::from_stored(r#"{"caller":"+43","score":1.0}"#),
        started_at: at(1_764_063_000_000),
        created_at: at(1_764_063_000_001),
    }
}

/// Canonical extended JSON, which tells the types: <https://github.com/mongodb/specifications>.
fn extended(value: &Bson) -> Value {
    match value {
        Bson::Document(document) => document
            .iter()
            .map(|(key, value)| (key.clone(), extended(value)))
            .collect(),
        Bson::Array(values) => values.iter().map(extended).collect(),
        Bson::Int32(number) => json!({ "$numberInt": number.to_string() }),
        Bson::Int64(number) => json!({ "$numberLong": number.to_string() }),
        Bson::Double(number) => json!({ "$numberDouble": format!("{number:?}") }),
        Bson::DateTime(time) => {
            json!({ "$date": { "$numberLong": time.timestamp_millis().to_string() } })
        }
        Bson::ObjectId(id) => json!({ "$oid": id.to_hex() }),
        Bson::String(text) => text.clone().into(),
        Bson::Boolean(flag) => (*flag).into(),
        Bson::Null => Value::Null,
        other => panic!("no document of ours holds {other:?}"),
    }
}

fn extended_json(document: &RawDocument) -> String {
    serde_json::to_string_pretty(&extended(&Bson::Document(parsed(document)))).unwrap()
}

#[test]
fn an_event_is_laid_out_as_the_indexes_need_it() {
    insta::assert_snapshot!(extended_json(&record(&Record::Event(an_event()))));
}

#[test]
fn a_terminal_record_has_no_event_id() {
    let record = record(&Record::Terminal(id("call 7"), a_terminal(Some("hung up"))));
    insta::assert_snapshot!(extended_json(&record));
}

#[test]
fn a_new_session_is_open_and_at_its_first_version() {
    insta::assert_snapshot!(extended_json(&session(&a_session())));
}

proptest! {
    #[test]
    fn an_event_reads_back_as_it_was(written in events()) {
        let document = record(&Record::Event(written.clone()));
        let id = (written.session_id.clone(), written.seq);
        prop_assert_eq!(id_of(&document), Ok(id));
        prop_assert_eq!(
            log_document(&written.session_id, &document),
            Ok(LogDocument::Event(written))
        );
    }

    #[test]
    fn a_terminal_record_reads_back_as_it_was(id in session_ids(), written in terminals()) {
        let document = record(&Record::Terminal(id.clone(), written.clone()));
        prop_assert_eq!(id_of(&document), Ok((id.clone(), written.seq)));
        prop_assert_eq!(log_document(&id, &document), Ok(LogDocument::Terminal(written)));
    }

    #[test]
    fn a_new_session_reads_back_as_it_was(new in new_sessions()) {
        let read = session_document(&session(&new));
        prop_assert_eq!(read, Ok(SessionDocument::Live(Session {
            session_id: new.session_id,
            creation_id: new.creation_id,
            status: SessionStatus::Initiated,
            language: new.language,
            started_at: new.started_at,
            created_at: new.created_at,
            updated_at: new.created_at,
            ended_at: None,
            end_reason: None,
            event_count: None,
            metadata: new.metadata,
            version: Version::FIRST,
        })));
    }

    #[test]
    fn the_bytes_are_those_that_the_driver_writes(event in events(), terminal in terminals(), new in new_sessions()) {
        let terminal = Record::Terminal(event.session_id.clone(), terminal);
        for written in [record(&Record::Event(event)), record(&terminal), session(&new)] {
            prop_assert_eq!(raw(&parsed(&written)), written);
        }
    }
}

#[test]
fn the_stub_of_an_erased_event_keeps_its_place() {
    let stub = doc! { "_id": { "sessionId": "s", "seq": 3_i64 }, "eventId": 3_i64, "erased": true };
    let read = log_document(&id("s"), &raw(&stub));
    assert_eq!(read, Ok(LogDocument::Stub(Seq::after(2))));
}

#[test]
fn the_terminal_record_of_an_erased_session_still_closes_it() {
    let mut document = parsed(&record(&Record::Terminal(id("s"), a_terminal(None))));
    document.insert("erased", true);
    let read = log_document(&id("s"), &raw(&document));
    assert_eq!(read, Ok(LogDocument::Terminal(a_terminal(None))));
}

#[test]
fn a_tombstone_tells_whether_it_is_purged() {
    for (purge, is_purged) in [("pending", false), ("done", true)] {
        let tombstone = doc! {
            "_id": ObjectId::from_bytes([7; 12]),
            "sessionId": "s",
            "erased": { "at": bson::DateTime::from_millis(1), "purge": purge },
        };
        assert_eq!(
            session_document(&raw(&tombstone)),
            Ok(SessionDocument::Tombstone {
                at: Timestamp::from_millis(1),
                is_purged,
            })
        );
    }
}

fn closed_session() -> bson::Document {
    let mut document = parsed(&session(&a_session()));
    document.extend(doc! {
        "status": "completed",
        "endedAt": bson::DateTime::from_millis(1_764_063_009_999),
        "endReason": "done",
        "eventCount": 3_i64,
        "version": 2_i64,
    });
    document
}

#[test]
fn a_closed_session_has_its_end() {
    let Ok(SessionDocument::Live(session)) = session_document(&raw(&closed_session())) else {
        panic!("no session");
    };
    assert_eq!(session.status, SessionStatus::Completed);
    assert_eq!(session.ended_at, Some(at(1_764_063_009_999)));
    assert_eq!(session.end_reason.as_deref(), Some("done"));
    assert_eq!(session.event_count, Some(3));
    assert_eq!(session.version, Version(2));
}

#[test]
fn fields_of_a_newer_version_are_passed_over() {
    let mut event = parsed(&record(&Record::Event(an_event())));
    event.insert("turn", 7);
    let read = log_document(&id("call 7"), &raw(&event));
    assert_eq!(read, Ok(LogDocument::Event(an_event())));

    let mut session = closed_session();
    session.insert("owner", "x");
    assert_eq!(
        session_document(&raw(&session)),
        session_document(&raw(&closed_session()))
    );
}

#[test]
fn integers_may_have_either_width() {
    let mut event = parsed(&record(&Record::Event(an_event())));
    event.insert("_id", doc! { "sessionId": "call 7", "seq": 3_i32 });
    let read = log_document(&id("call 7"), &raw(&event));
    assert_eq!(read, Ok(LogDocument::Event(an_event())));
}

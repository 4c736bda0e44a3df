//! A document that was damaged is an error that names it and the field, and never a panic.

use super::*;

proptest! {
    #[test]
    fn a_document_that_is_cut_off_is_an_error(
        event in events(),
        terminal in terminals(),
        new in new_sessions(),
        at in any::<prop::sample::Index>(),
    ) {
        let session_id = event.session_id.clone();
        let cut = |document: RawDocumentBuf| {
            let bytes = document.into_bytes();
            let length = 5 + at.index(bytes.len() - 5);
            with_length(bytes[..length].to_vec())
        };
        let terminal = record(&Record::Terminal(session_id.clone(), terminal));
        prop_assert!(log_document(&session_id, &cut(record(&Record::Event(event)))).is_err());
        prop_assert!(log_document(&session_id, &cut(terminal)).is_err());
        prop_assert!(session_document(&cut(session(&new))).is_err());
    }

    #[test]
    fn no_flipped_byte_makes_a_reader_panic(
        event in events(),
        terminal in terminals(),
        new in new_sessions(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let session_id = event.session_id.clone();
        let terminal = Record::Terminal(session_id.clone(), terminal);
        for document in [record(&Record::Event(event)), record(&terminal), session(&new)] {
            let mut bytes = document.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let Ok(document) = RawDocumentBuf::from_bytes(bytes) else { continue };
            let _ = log_document(&session_id, &document);
            let _ = id_of(&document);
            let _ = session_document(&document);
        }
    }
}

/// What the driver takes for a document: it looks at the length and at the last byte.
fn with_length(mut bytes: Vec<u8>) -> RawDocumentBuf {
    let length = i32::try_from(bytes.len()).unwrap();
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    *bytes.last_mut().unwrap() = 0;
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

#[test]
fn an_event_of_another_session_is_an_error() {
    let document = record(&Record::Event(an_event()));
    let error = log_document(&id("call 8"), &document).unwrap_err();
    assert_eq!(
        StoreError::from(error).to_string(),
        "the stored data is damaged: record {\"sessionId\":\"call 7\",\"seq\":3}: \
         it belongs to another session"
    );
}

/// `document` without its field `key`, or with another value for it.
fn changed(document: &bson::Document, key: &str, value: Option<Bson>) -> RawDocumentBuf {
    let mut changed = document.clone();
    match value {
        Some(value) => changed.insert(key, value),
        None => changed.remove(key),
    };
    raw(&changed)
}

#[test]
fn a_damaged_event_is_an_error_that_names_the_field() {
    let event = parsed(&record(&Record::Event(an_event())));
    let place = r#"record {"sessionId":"call 7","seq":3}"#;
    for (key, value, error) in [
        ("eventId", None, "`eventId` is missing"),
        ("eventId", Some(3_i64.into()), "`eventId` is no text"),
        ("eventId", Some(true.into()), "`eventId` is no integer"),
        ("type", None, "`type` is missing"),
        ("type", Some(1.into()), "`type` is no text"),
        (
            "type",
            Some("shout".into()),
            "`type` must be one of `user_speech`, `bot_speech`, `system`",
        ),
        ("payload", None, "`payload` is missing"),
        ("payload", Some("{}".into()), "`payload` is no object"),
        (
            "payload",
            Some(doc! { "a": f64::NAN }.into()),
            "`payload`: a number is not finite",
        ),
        ("timestamp", None, "`timestamp` is missing"),
        ("timestamp", Some("1970".into()), "`timestamp` is no date"),
        (
            "timestamp",
            Some(bson::DateTime::from_millis(-1).into()),
            "`timestamp` is not between the years 1970 and 9999",
        ),
        ("recordedAt", None, "`recordedAt` is missing"),
        (
            "closed",
            Some(doc! {}.into()),
            "it has both `closed` and `eventId`",
        ),
        (
            "erased",
            Some(1.into()),
            "`erased` is neither true nor false",
        ),
        (
            "erased",
            Some(true.into()),
            "`eventId` is not the seq of an erased event",
        ),
    ] {
        let read = log_document(&id("call 7"), &changed(&event, key, value));
        assert_eq!(read, Err(Garbled::new(error).within(place)));
    }
}

#[test]
fn a_damaged_key_is_an_error_that_names_the_field() {
    for (key, error) in [
        (None, "record without a readable id: `_id` is missing"),
        (
            Some(7.into()),
            "record without a readable id: `_id` is no object",
        ),
        (
            Some(doc! { "sessionId": "s" }.into()),
            r#"record {"sessionId":"s"}: `_id.seq` is missing"#,
        ),
        (
            Some(doc! { "seq": 1 }.into()),
            r#"record {"seq":1}: `_id.sessionId` is missing"#,
        ),
        (
            Some(doc! { "sessionId": "s", "seq": 0 }.into()),
            r#"record {"sessionId":"s","seq":0}: `_id.seq` is no place in a log"#,
        ),
        (
            Some(doc! { "sessionId": "s", "seq": -1 }.into()),
            r#"record {"sessionId":"s","seq":-1}: `seq` is negative"#,
        ),
    ] {
        let event = parsed(&record(&Record::Event(an_event())));
        let document = changed(&event, "_id", key);
        assert_eq!(id_of(&document), Err(Garbled::new(error)));
        assert_eq!(log_document(&id("s"), &document), Err(Garbled::new(error)));
    }
}

#[test]
fn a_damaged_terminal_record_is_an_error_that_names_the_field() {
    let terminal = parsed(&record(&Record::Terminal(id("s"), a_terminal(Some("why")))));
    let closed = terminal.get_document("closed").unwrap();
    let place = r#"record {"sessionId":"s","seq":4}"#;
    for (key, value, error) in [
        ("status", None, "`closed.status` is missing"),
        (
            "status",
            Some("active".into()),
            "`status` is no status of a closed session",
        ),
        ("at", None, "`closed.at` is missing"),
        ("reason", Some(1.into()), "`reason` is no text"),
    ] {
        let closed = changed(closed, key, value);
        let document = changed(&terminal, "closed", Some(parsed(&closed).into()));
        let read = log_document(&id("s"), &document);
        assert_eq!(read, Err(Garbled::new(error).within(place)));
    }
}

#[test]
fn a_damaged_session_is_an_error_that_names_the_field() {
    for (key, value, error) in [
        ("_id", None, "`_id` is missing"),
        ("_id", Some("x".into()), "`_id` is no ObjectId"),
        ("status", None, "`status` is missing"),
        (
            "status",
            Some("active".into()),
            "`endedAt` of an open session",
        ),
        ("language", None, "`language` is missing"),
        ("startedAt", None, "`startedAt` is missing"),
        ("createdAt", None, "`createdAt` is missing"),
        ("updatedAt", Some(Bson::Null), "`updatedAt` is no date"),
        ("endedAt", Some(Bson::Null), "`endedAt` is missing"),
        ("eventCount", None, "`eventCount` is missing"),
        ("eventCount", Some(3.0.into()), "`eventCount` is no integer"),
        ("metadata", None, "`metadata` is missing"),
        ("version", None, "`version` is missing"),
        ("erased", Some(doc! {}.into()), "`erased.at` is missing"),
    ] {
        let read = session_document(&changed(&closed_session(), key, value));
        assert_eq!(read, Err(Garbled::new(error).within("session \"call 7\"")));
    }
    let unnamed = changed(&closed_session(), "sessionId", None);
    assert_eq!(
        session_document(&unnamed),
        Err(Garbled::new(
            "session 0102030405060708090a0b0c: `sessionId` is missing"
        ))
    );
}

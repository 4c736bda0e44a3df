//! Documents and indexes as the service has them, for the plain driver.

use mongodb::{
    IndexModel,
    bson::{DateTime, Document, doc, oid::ObjectId},
    options::IndexOptions,
};

use crate::workload::spoken;

/// An event: the `seq`-th of a session.
pub(super) fn event(session: u64, seq: i64) -> Document {
    let (kind, text) = spoken(seq.unsigned_abs());
    doc! {
        "_id": {"sessionId": session_id(session), "seq": seq},
        "eventId": format!("turn-{seq:012}"),
        "type": kind,
        "payload": {
            "text": text,
            "confidence": 0.875,
            "durationMs": 1_250_i64,
            "channel": "phone",
            "model": "speech-2026-04",
        },
        "timestamp": DateTime::now(),
        "recordedAt": DateTime::now(),
    }
}

/// A session that begins.
pub(super) fn session(number: u64) -> Document {
    let now = DateTime::now();
    doc! {
        "_id": ObjectId::new(),
        "sessionId": session_id(number),
        "status": "initiated",
        "language": "en-GB",
        "startedAt": now,
        "createdAt": now,
        "updatedAt": now,
        "endedAt": null,
        "metadata": {
            "channel": "voice",
            "agent": "appointments-v3",
            "caller": format!("{number:010}"),
        },
        "version": 1_i64,
    }
}

pub(super) fn session_id(number: u64) -> String {
    format!("session-{number}")
}

/// The indexes that every event goes into: a service cannot do without them.
pub(super) fn indexes_of_events() -> [IndexModel; 2] {
    [
        unique(doc! {"_id.sessionId": 1, "eventId": 1}),
        plain(doc! {"_id.sessionId": 1, "timestamp": 1, "_id.seq": 1}),
    ]
}

/// Those that every session goes into: of ids, and of what lists are sorted by.
pub(super) fn indexes_of_sessions() -> [IndexModel; 3] {
    [
        unique(doc! {"sessionId": 1}),
        plain(doc! {"status": 1, "startedAt": -1, "_id": -1}),
        plain(doc! {"language": 1, "status": 1, "startedAt": -1, "_id": -1}),
    ]
}

fn unique(keys: Document) -> IndexModel {
    let options = IndexOptions::builder().unique(true).build();
    IndexModel::builder().keys(keys).options(options).build()
}

fn plain(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).build()
}

//! Documents straight into their bytes: one allocation each, unless an array makes it grow.

use bson::raw::RawDocumentBuf;

use crate::domain::{
    Document, Event, NewSession, Seq, SessionId, SessionStatus, Terminal, Timestamp, Version,
};
use crate::store::Record;
use crate::store::mongo::bson_text::{
    append_object, append_string, close_document, kind, open_document,
};

/// Everything in a record or a session but its ids and documents, in bytes: all fields with their
/// longest values take less.
const FRAME_BYTES: usize = 256;

/// About how many bytes `document` takes as BSON: each member has a few more than its text. An
/// array of short numbers has many more, and makes the buffer grow.
fn object_bytes(document: &Document) -> usize {
    document.len() + document.len() / 4 + 16
}

/// The document of a record.
pub(in crate::store::mongo) fn record(record: &Record) -> RawDocumentBuf {
    match record {
        Record::Event(event) => event_record(event),
        Record::Terminal(session_id, terminal) => terminal_record(session_id, terminal),
    }
}

fn event_record(event: &Event) -> RawDocumentBuf {
    let ids = event.session_id.as_bytes().len() + event.event_id.as_bytes().len();
    document(FRAME_BYTES + ids + object_bytes(&event.payload), |fields| {
        fields.key_of_record(&event.session_id, event.seq);
        fields.text("eventId", event.event_id.as_str());
        fields.text("type", event.kind.as_str());
        fields.object("payload", &event.payload);
        fields.time("timestamp", event.timestamp);
        fields.time("recordedAt", event.recorded_at);
    })
}

fn terminal_record(session_id: &SessionId, terminal: &Terminal) -> RawDocumentBuf {
    let reason = terminal.reason.as_deref();
    let texts = session_id.as_bytes().len() + reason.map_or(0, str::len);
    document(FRAME_BYTES + texts, |fields| {
        fields.key_of_record(session_id, terminal.seq);
        fields.nested("closed", |closed| {
            closed.text("status", SessionStatus::from(terminal.status).as_str());
            closed.time("at", terminal.at);
            if let Some(reason) = reason {
                closed.text("reason", reason);
            }
        });
    })
}

/// The document of a session that is created.
pub(in crate::store::mongo) fn session(new: &NewSession) -> RawDocumentBuf {
    let texts = new.session_id.as_bytes().len() + new.language.as_str().len();
    document(
        FRAME_BYTES + texts + object_bytes(&new.metadata),
        |fields| {
            fields.object_id("_id", new.creation_id.0);
            fields.text("sessionId", new.session_id.as_str());
            fields.text("status", SessionStatus::Initiated.as_str());
            fields.text("language", new.language.as_str());
            fields.time("startedAt", new.started_at);
            fields.time("createdAt", new.created_at);
            fields.time("updatedAt", new.created_at);
            fields.null("endedAt");
            fields.object("metadata", &new.metadata);
            fields.int64("version", Version::FIRST.0.cast_signed());
        },
    )
}

fn document(capacity: usize, write: impl FnOnce(&mut Fields)) -> RawDocumentBuf {
    let mut fields = Fields(Vec::with_capacity(capacity));
    let start = open_document(&mut fields.0);
    write(&mut fields);
    close_document(&mut fields.0, start);
    // Looks at the length and the last byte only; both were written just now.
    let document = RawDocumentBuf::from_bytes(fields.0);
    debug_assert!(document.is_ok(), "a document is closed where it was opened");
    document.unwrap_or_default()
}

/// The fields of a document that is being written. Keys are ours: none has a NUL.
struct Fields(Vec<u8>);

impl Fields {
    fn key(&mut self, kind: u8, key: &str) {
        self.0.push(kind);
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(0);
    }

    /// The `_id` of a record. The order of its fields is part of it.
    fn key_of_record(&mut self, session_id: &SessionId, seq: Seq) {
        self.nested("_id", |id| {
            id.text("sessionId", session_id.as_str());
            id.int64("seq", seq.get().cast_signed());
        });
    }

    fn nested(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        self.key(kind::DOCUMENT, key);
        let start = open_document(&mut self.0);
        write(self);
        close_document(&mut self.0, start);
    }

    fn object(&mut self, key: &str, document: &Document) {
        self.key(kind::DOCUMENT, key);
        append_object(&mut self.0, document.as_str());
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(kind::STRING, key);
        append_string(&mut self.0, |out| out.extend_from_slice(text.as_bytes()));
    }

    fn int64(&mut self, key: &str, number: i64) {
        self.key(kind::INT64, key);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn time(&mut self, key: &str, time: Timestamp) {
        self.key(kind::DATE_TIME, key);
        self.0.extend_from_slice(&time.millis().to_le_bytes());
    }

    fn object_id(&mut self, key: &str, bytes: [u8; 12]) {
        self.key(kind::OBJECT_ID, key);
        self.0.extend_from_slice(&bytes);
    }

    fn null(&mut self, key: &str) {
        self.key(kind::NULL, key);
    }
}

//! The documents of both collections: written straight into their bytes, read in one pass over
//! them. Pure.
//!
//! `sessions` holds `{_id, sessionId, status, language, startedAt, createdAt, updatedAt, endedAt,
//! endReason?, eventCount?, metadata, version}`, or the tombstone `{_id, sessionId, erased: {at,
//! purge}}`. `events` holds `{_id: {sessionId, seq}, eventId, type, payload, timestamp,
//! recordedAt}`, or the terminal record `{_id, closed: {status, at, reason?}}`, or the stub of an
//! erased event `{_id, eventId: <its seq>, erased: true}`. Times are dates, counts are int64.
//!
//! Readers pass over fields that they do not know: a newer version may have added them.

mod element;
mod write;

use bson::raw::{RawBsonRef, RawDocument};

use crate::domain::{
    CreationId, Event, EventId, EventType, Language, Seq, Session, SessionId, SessionStatus,
    Terminal, Timestamp, Version,
};
use crate::store::StoreError;
use crate::store::mongo::bson_text::push_object;
use crate::store::mongo::codec::element::{
    boolean, closing_status, creation_id, missing, named, nested, number, object, optional,
    present, text, time, value, wrong,
};

pub(super) use crate::store::mongo::bson_text::Garbled;
pub(super) use write::{record, session};

type Result<T> = std::result::Result<T, Garbled>;

impl From<Garbled> for StoreError {
    fn from(garbled: Garbled) -> Self {
        Self::Damaged(garbled.to_string())
    }
}

/// A document of `events`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LogDocument {
    Event(Event),
    Terminal(Terminal),
    /// What is left of the event at this place in the log of an erased session.
    Stub(Seq),
}

/// A document of `sessions`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SessionDocument {
    /// `event_count` is known only of a closed session.
    Live(Session),
    /// What is left of an erased session.
    Tombstone {
        /// When it was erased.
        at: Timestamp,
        /// Whether nothing of its content is stored any more.
        is_purged: bool,
    },
}

/// Reads a document of `events` that was asked for by its session.
///
/// # Errors
/// It is not what [`record`] or erasing writes, or belongs to another session.
pub(super) fn log_document(session_id: &SessionId, document: &RawDocument) -> Result<LogDocument> {
    LogFields::read(document)
        .and_then(|fields| fields.to_document(session_id))
        .map_err(|garbled| garbled.within(format_args!("record {}", shown(document))))
}

/// The key of a document of `events`, whatever else is in it.
///
/// # Errors
/// It is no key of a record.
pub(super) fn id_of(document: &RawDocument) -> Result<(SessionId, Seq)> {
    let read = || {
        let mut id = None;
        for element in document.iter_elements() {
            let element = element.map_err(Garbled::new)?;
            if element.key().as_str() == "_id" {
                id = Some(key_of_record(nested(&element)?)?);
                break;
            }
        }
        let (session_id, seq) = present(id, "_id")?;
        Ok((SessionId::from_stored(session_id), seq))
    };
    read().map_err(|garbled: Garbled| garbled.within(format_args!("record {}", shown(document))))
}

/// Reads a document of `sessions`.
///
/// # Errors
/// It is not what [`session`], updates of it, or erasing writes.
pub(super) fn session_document(document: &RawDocument) -> Result<SessionDocument> {
    SessionFields::read(document)
        .and_then(|fields| fields.to_document())
        .map_err(|garbled| garbled.within(format_args!("session {}", shown(document))))
}

/// The name of a damaged document, as far as it has one that can be read.
fn shown(document: &RawDocument) -> String {
    let id = |key| document.get(key).ok().flatten();
    let mut text = String::new();
    match (id("sessionId"), id("_id")) {
        (Some(RawBsonRef::String(session_id)), _) => format!("{session_id:?}"),
        (_, Some(RawBsonRef::Document(id))) if push_object(&mut text, id).is_ok() => text,
        (_, Some(RawBsonRef::ObjectId(id))) => id.to_hex(),
        _ => "without a readable id".to_owned(),
    }
}

/// The fields of a document of `events`, each of the right type.
#[derive(Default)]
struct LogFields<'a> {
    key: Option<(&'a str, Seq)>,
    event_id: Option<StoredEventId<'a>>,
    kind: Option<EventType>,
    payload: Option<&'a RawDocument>,
    timestamp: Option<Timestamp>,
    recorded_at: Option<Timestamp>,
    closed: Option<&'a RawDocument>,
    is_erased: bool,
}

enum StoredEventId<'a> {
    Given(&'a str),
    /// The seq of an erased event.
    Erased(u64),
}

impl<'a> LogFields<'a> {
    fn read(document: &'a RawDocument) -> Result<Self> {
        let mut fields = Self::default();
        for element in document.iter_elements() {
            let element = element.map_err(Garbled::new)?;
            match element.key().as_str() {
                "_id" => fields.key = Some(key_of_record(nested(&element)?)?),
                "eventId" => {
                    fields.event_id = Some(match value(&element)? {
                        RawBsonRef::String(text) => StoredEventId::Given(text),
                        _ => StoredEventId::Erased(number(&element)?),
                    });
                }
                "type" => fields.kind = Some(named(&element)?),
                "payload" => fields.payload = Some(nested(&element)?),
                "timestamp" => fields.timestamp = Some(time(&element)?),
                "recordedAt" => fields.recorded_at = Some(time(&element)?),
                "closed" => fields.closed = Some(nested(&element)?),
                "erased" => fields.is_erased = boolean(&element)?,
                _ => {}
            }
        }
        Ok(fields)
    }

    fn to_document(&self, session_id: &SessionId) -> Result<LogDocument> {
        let (stored_in, seq) = present(self.key, "_id")?;
        if stored_in != session_id.as_str() {
            return Err(Garbled::new("it belongs to another session"));
        }
        match (self.closed, &self.event_id, self.is_erased) {
            (Some(closed), None, _) => Ok(LogDocument::Terminal(terminal(seq, closed)?)),
            (Some(_), Some(_), _) => Err(Garbled::new("it has both `closed` and `eventId`")),
            (None, Some(StoredEventId::Erased(number)), true) if *number == seq.get() => {
                Ok(LogDocument::Stub(seq))
            }
            (None, _, true) => Err(Garbled::new("`eventId` is not the seq of an erased event")),
            (None, Some(StoredEventId::Given(event_id)), false) => Ok(LogDocument::Event(Event {
                session_id: session_id.clone(),
                seq,
                event_id: EventId::from_stored(event_id),
                kind: present(self.kind, "type")?,
                payload: object(self.payload, "payload")?,
                timestamp: present(self.timestamp, "timestamp")?,
                recorded_at: present(self.recorded_at, "recordedAt")?,
            })),
            (None, Some(StoredEventId::Erased(_)), false) => {
                Err(Garbled::new("`eventId` is no text"))
            }
            (None, None, false) => Err(missing("eventId")),
        }
    }
}

fn key_of_record(id: &RawDocument) -> Result<(&str, Seq)> {
    let (mut session_id, mut seq) = (None, None);
    for element in id.iter_elements() {
        let element = element.map_err(Garbled::new)?;
        match element.key().as_str() {
            "sessionId" => session_id = Some(text(&element)?),
            "seq" => seq = Some(number(&element)?),
            _ => {}
        }
    }
    let seq = Seq::new(present(seq, "_id.seq")?);
    let seq = seq.ok_or_else(|| Garbled::new("`_id.seq` is no place in a log"))?;
    Ok((present(session_id, "_id.sessionId")?, seq))
}

fn terminal(seq: Seq, closed: &RawDocument) -> Result<Terminal> {
    let (mut status, mut at, mut reason) = (None, None, None);
    for element in closed.iter_elements() {
        let element = element.map_err(Garbled::new)?;
        match element.key().as_str() {
            "status" => status = Some(closing_status(&element)?),
            "at" => at = Some(time(&element)?),
            "reason" => reason = Some(text(&element)?),
            _ => {}
        }
    }
    Ok(Terminal {
        seq,
        status: present(status, "closed.status")?,
        at: present(at, "closed.at")?,
        reason: reason.map(Into::into),
    })
}

/// The fields of a document of `sessions`, each of the right type.
#[derive(Default)]
struct SessionFields<'a> {
    creation_id: Option<CreationId>,
    session_id: Option<&'a str>,
    status: Option<SessionStatus>,
    language: Option<&'a str>,
    started_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    end_reason: Option<&'a str>,
    event_count: Option<u64>,
    metadata: Option<&'a RawDocument>,
    version: Option<u64>,
    erased: Option<&'a RawDocument>,
}

impl<'a> SessionFields<'a> {
    fn read(document: &'a RawDocument) -> Result<Self> {
        let mut fields = Self::default();
        for element in document.iter_elements() {
            let element = element.map_err(Garbled::new)?;
            match element.key().as_str() {
                "_id" => fields.creation_id = Some(creation_id(&element)?),
                "sessionId" => fields.session_id = Some(text(&element)?),
                "status" => fields.status = Some(named(&element)?),
                "language" => fields.language = Some(text(&element)?),
                "startedAt" => fields.started_at = Some(time(&element)?),
                "createdAt" => fields.created_at = Some(time(&element)?),
                "updatedAt" => fields.updated_at = Some(time(&element)?),
                "endedAt" => fields.ended_at = optional(&element, time)?,
                "endReason" => fields.end_reason = optional(&element, text)?,
                "eventCount" => fields.event_count = optional(&element, number)?,
                "metadata" => fields.metadata = Some(nested(&element)?),
                "version" => fields.version = Some(number(&element)?),
                "erased" => fields.erased = Some(nested(&element)?),
                _ => {}
            }
        }
        Ok(fields)
    }

    fn to_document(&self) -> Result<SessionDocument> {
        let session_id = present(self.session_id, "sessionId")?;
        let creation_id = present(self.creation_id, "_id")?;
        if let Some(erased) = self.erased {
            return tombstone(erased);
        }
        let status = present(self.status, "status")?;
        let is_closed = matches!(status, SessionStatus::Completed | SessionStatus::Failed);
        let of_the_closed = |is_there, key| match (is_there, is_closed) {
            (false, true) => Err(missing(key)),
            (true, false) => Err(Garbled::new(format_args!("`{key}` of an open session"))),
            _ => Ok(()),
        };
        of_the_closed(self.ended_at.is_some(), "endedAt")?;
        of_the_closed(self.event_count.is_some(), "eventCount")?;
        Ok(SessionDocument::Live(Session {
            session_id: SessionId::from_stored(session_id),
            creation_id,
            status,
            language: Language::from_stored(present(self.language, "language")?),
            started_at: present(self.started_at, "startedAt")?,
            created_at: present(self.created_at, "createdAt")?,
            updated_at: present(self.updated_at, "updatedAt")?,
            ended_at: self.ended_at,
            end_reason: self.end_reason.map(Into::into),
            event_count: self.event_count,
            metadata: object(self.metadata, "metadata")?,
            version: Version(present(self.version, "version")?),
        }))
    }
}

fn tombstone(erased: &RawDocument) -> Result<SessionDocument> {
    let (mut at, mut is_purged) = (None, None);
    for element in erased.iter_elements() {
        let element = element.map_err(Garbled::new)?;
        match element.key().as_str() {
            "at" => at = Some(time(&element)?),
            "purge" => {
                is_purged = Some(match text(&element)? {
                    "done" => true,
                    "pending" => false,
                    _ => return Err(wrong(&element, "neither `pending` nor `done`")),
                });
            }
            _ => {}
        }
    }
    Ok(SessionDocument::Tombstone {
        at: present(at, "erased.at")?,
        is_purged: present(is_purged, "erased.purge")?,
    })
}

#[cfg(test)]
mod tests;

//! The values of every keyspace as bytes. Pure; keys are in `keys`.
//!
//! A row begins with a tag that says what it is. Numbers are big-endian, times and session numbers
//! have 48 bits, texts are UTF-8 with their length before them, the last text of a row takes what
//! is left. Payloads and metadata are
//! the compact JSON text that they are. None of this may change its meaning: a new form gets a new
//! tag, and an older program must refuse it (see `SCHEMA` in `folder`).

use thiserror::Error;

use crate::domain::{
    ClosingStatus, CreationId, Document, Event, EventId, EventType, Language, NewSession, Seq,
    SessionId, Terminal, Timestamp, Version,
};
use crate::store::embedded::keys::{self, SHORT, SessionNumber};

/// A row is not what this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a stored row cannot be read")]
pub(super) struct Garbled;

type Result<T> = std::result::Result<T, Garbled>;

const EVENT: u8 = 1;
const TERMINAL: u8 = 2;
const STUB: u8 = 3;
const LIVE: u8 = 1;
const TOMBSTONE: u8 = 2;

/// A row of `log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogRow<'a> {
    Event(EventRow<'a>),
    Terminal(ClosingStatus, Timestamp, Option<&'a str>),
    /// What is left of a record of an erased session.
    Stub,
}

/// An event as far as a filter needs it; the texts are still bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventRow<'a> {
    pub(super) kind: EventType,
    pub(super) timestamp: Timestamp,
    /// No event up to this one is earlier than one before it.
    pub(super) in_order: bool,
    recorded_at: Timestamp,
    event_id: &'a [u8],
    payload: &'a [u8],
}

impl EventRow<'_> {
    pub(super) fn event_id(&self) -> Result<EventId> {
        text(self.event_id).map(EventId::from_stored)
    }

    pub(super) fn payload_len(&self) -> usize {
        self.payload.len()
    }

    pub(super) fn to_event(self, session_id: &SessionId, seq: Seq) -> Result<Event> {
        Ok(Event {
            session_id: session_id.clone(),
            seq,
            event_id: self.event_id()?,
            kind: self.kind,
            payload: document(self.payload)?,
            timestamp: self.timestamp,
            recorded_at: self.recorded_at,
        })
    }
}

pub(super) fn event(event: &Event, in_order: bool) -> Vec<u8> {
    let (event_id, payload) = (event.event_id.as_bytes(), event.payload.as_str());
    let mut row = Row::new(EVENT, 20 + event_id.len() + payload.len());
    row.byte(event_type_byte(event.kind));
    row.flag(in_order);
    row.time(event.timestamp);
    row.time(event.recorded_at);
    row.text(event.event_id.as_str());
    row.last_text(payload);
    row.0
}

pub(super) fn terminal(terminal: &Terminal) -> Vec<u8> {
    let mut row = Row::new(TERMINAL, 16);
    row.byte(closing_byte(terminal.status));
    row.time(terminal.at);
    row.optional_text(terminal.reason.as_deref());
    row.0
}

pub(super) fn stub() -> [u8; 1] {
    [STUB]
}

pub(super) fn log_row(row: &[u8]) -> Result<LogRow<'_>> {
    let mut fields = Fields(row);
    match fields.byte()? {
        EVENT => Ok(LogRow::Event(EventRow {
            kind: event_type(fields.byte()?)?,
            in_order: fields.flag()?,
            timestamp: fields.time()?,
            recorded_at: fields.time()?,
            event_id: fields.bytes()?,
            payload: fields.0,
        })),
        TERMINAL => Ok(LogRow::Terminal(
            closing(fields.byte()?)?,
            fields.time()?,
            fields.optional_text()?,
        )),
        STUB => Ok(LogRow::Stub),
        _ => Err(Garbled),
    }
}

/// A row of `sessions`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SessionRow {
    Live(Header),
    Tombstone(Tombstone),
}

/// What is stored of a session beside its log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) number: SessionNumber,
    pub(super) closed: Option<Closed>,
    pub(super) creation_id: CreationId,
    pub(super) started_at: Timestamp,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) version: Version,
    pub(super) language: Language,
    pub(super) metadata: Document,
}

/// The end of a log, where it is at hand with the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    /// The last record of the log.
    pub(super) terminal: Terminal,
    /// No event is earlier than one before it.
    pub(super) in_order: bool,
}

/// What is left of an erased session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub(super) number: SessionNumber,
    pub(super) at: Timestamp,
    /// Whether nothing of its content is stored any more.
    pub(super) purged: bool,
}

/// What a row of `sessions` says about the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Open(SessionNumber),
    Closed(SessionNumber, Closed),
    Erased,
}

impl Header {
    pub(super) fn of(new: &NewSession, number: SessionNumber) -> Self {
        Self {
            number,
            closed: None,
            creation_id: new.creation_id,
            started_at: new.started_at,
            created_at: new.created_at,
            updated_at: new.created_at,
            version: Version::FIRST,
            language: new.language.clone(),
            metadata: new.metadata.clone(),
        }
    }
}

pub(super) fn header(header: &Header) -> Vec<u8> {
    let mut row = Row::new(LIVE, 100 + header.metadata.len());
    row.short(header.number.0);
    match &header.closed {
        None => row.byte(0),
        Some(Closed { terminal, in_order }) => {
            row.byte(closing_byte(terminal.status));
            row.number(terminal.seq.get());
            row.time(terminal.at);
            row.optional_text(terminal.reason.as_deref());
            row.flag(*in_order);
        }
    }
    row.0.extend_from_slice(&header.creation_id.0);
    row.time(header.started_at);
    row.time(header.created_at);
    row.time(header.updated_at);
    row.number(header.version.0);
    row.text(header.language.as_str());
    row.last_text(header.metadata.as_str());
    row.0
}

pub(super) fn tombstone(tombstone: Tombstone) -> Vec<u8> {
    let mut row = Row::new(TOMBSTONE, 14);
    row.short(tombstone.number.0);
    row.time(tombstone.at);
    row.flag(tombstone.purged);
    row.0
}

pub(super) fn session_row(row: &[u8]) -> Result<SessionRow> {
    let mut fields = Fields(row);
    match fields.byte()? {
        LIVE => Ok(SessionRow::Live(Header {
            number: fields.session_number()?,
            closed: fields.closed()?,
            creation_id: CreationId(*fields.array()?),
            started_at: fields.time()?,
            created_at: fields.time()?,
            updated_at: fields.time()?,
            version: Version(fields.number()?),
            language: Language::from_stored(text(fields.bytes()?)?),
            metadata: document(fields.0)?,
        })),
        TOMBSTONE => Ok(SessionRow::Tombstone(Tombstone {
            number: fields.session_number()?,
            at: fields.time()?,
            purged: fields.flag()?,
        })),
        _ => Err(Garbled),
    }
}

/// Like [`session_row`], but reads no further than needed.
pub(super) fn standing(row: &[u8]) -> Result<Standing> {
    let mut fields = Fields(row);
    match fields.byte()? {
        LIVE => {
            let number = fields.session_number()?;
            Ok(match fields.closed()? {
                None => Standing::Open(number),
                Some(closed) => Standing::Closed(number, closed),
            })
        }
        TOMBSTONE => Ok(Standing::Erased),
        _ => Err(Garbled),
    }
}

/// A row of `listing`: which session, and its language as filters compare it.
pub(super) fn listed(session_id: &SessionId, folded_language: &str) -> Vec<u8> {
    let mut row = Row(Vec::with_capacity(64));
    row.text(folded_language);
    row.last_text(session_id.as_str());
    row.0
}

/// The language and the session of a row of `listing`.
pub(super) fn listed_row(row: &[u8]) -> Result<(&str, SessionId)> {
    let mut fields = Fields(row);
    let language = text(fields.bytes()?)?;
    Ok((language, SessionId::from_stored(text(fields.0)?)))
}

/// A row of `event_ids`.
pub(super) fn seq(seq: Seq) -> [u8; 8] {
    seq.get().to_be_bytes()
}

pub(super) fn seq_row(row: &[u8]) -> Result<Seq> {
    let bytes: [u8; 8] = row.try_into().map_err(|_| Garbled)?;
    Seq::new(u64::from_be_bytes(bytes)).ok_or(Garbled)
}

/// The row of `meta` about the last session number.
pub(super) fn last_number(number: SessionNumber) -> [u8; SHORT] {
    keys::short(number.0)
}

pub(super) fn last_number_row(row: &[u8]) -> Result<SessionNumber> {
    Fields(row).session_number()
}

fn event_type_byte(kind: EventType) -> u8 {
    match kind {
        EventType::UserSpeech => 1,
        EventType::BotSpeech => 2,
        EventType::System => 3,
    }
}

fn event_type(byte: u8) -> Result<EventType> {
    match byte {
        1 => Ok(EventType::UserSpeech),
        2 => Ok(EventType::BotSpeech),
        3 => Ok(EventType::System),
        _ => Err(Garbled),
    }
}

fn closing_byte(status: ClosingStatus) -> u8 {
    match status {
        ClosingStatus::Completed => 1,
        ClosingStatus::Failed => 2,
    }
}

fn closing(byte: u8) -> Result<ClosingStatus> {
    match byte {
        1 => Ok(ClosingStatus::Completed),
        2 => Ok(ClosingStatus::Failed),
        _ => Err(Garbled),
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Garbled)
}

fn document(bytes: &[u8]) -> Result<Document> {
    let is_object = bytes.first() == Some(&b'{') && bytes.last() == Some(&b'}');
    if !is_object {
        return Err(Garbled);
    }
    text(bytes).map(Document::from_stored)
}

/// A row that is being written.
struct Row(Vec<u8>);

impl Row {
    fn new(tag: u8, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(tag);
        Self(bytes)
    }

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    fn short(&mut self, number: u64) {
        self.0.extend_from_slice(&keys::short(number));
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn time(&mut self, time: Timestamp) {
        self.short(keys::millis(time));
    }

    /// Ids, tags and reasons: the largest limit is far below 65,535 bytes.
    fn text(&mut self, text: &str) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        debug_assert_eq!(usize::from(length), text.len());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional_text(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn last_text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// What is left of a row that is being read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Garbled)?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| *byte)
    }

    fn flag(&mut self) -> Result<bool> {
        self.byte().map(|byte| byte != 0)
    }

    fn short(&mut self) -> Result<u64> {
        self.array().map(|bytes| keys::long(*bytes))
    }

    fn session_number(&mut self) -> Result<SessionNumber> {
        self.short().map(SessionNumber)
    }

    fn number(&mut self) -> Result<u64> {
        self.array().map(|bytes| u64::from_be_bytes(*bytes))
    }

    fn time(&mut self) -> Result<Timestamp> {
        self.short().map(keys::timestamp)
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = u16::from_be_bytes(*self.array()?);
        let (bytes, rest) = self
            .0
            .split_at_checked(usize::from(length))
            .ok_or(Garbled)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn optional_text(&mut self) -> Result<Option<&'a str>> {
        if self.flag()? {
            text(self.bytes()?).map(Some)
        } else {
            Ok(None)
        }
    }

    fn closed(&mut self) -> Result<Option<Closed>> {
        let status = match self.byte()? {
            0 => return Ok(None),
            byte => closing(byte)?,
        };
        let terminal = Terminal {
            status,
            seq: Seq::new(self.number()?).ok_or(Garbled)?,
            at: self.time()?,
            reason: self.optional_text()?.map(Into::into),
        };
        Ok(Some(Closed {
            terminal,
            in_order: self.flag()?,
        }))
    }
}

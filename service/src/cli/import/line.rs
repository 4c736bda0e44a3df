//! One line of an import: a session or an event, as the API and an export write them.
//!
//! Values are never read into numbers or trees: what goes to the server is the text of the line,
//! without the fields that only a server makes. So `1.0` stays `1.0`.

use std::borrow::Cow;

use thiserror::Error;

use crate::domain::{ClosingStatus, Document, SessionStatus, Timestamp};
use crate::json::{self, SyntaxError, Value, write_string};

/// A line, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Session(SessionLine),
    Event(EventLine),
}

/// A session to create, and perhaps to close after its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionLine {
    pub(super) session_id: String,
    /// The body of `POST /v1/sessions`.
    pub(super) body: String,
    pub(super) closing: Option<Closing>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) status: ClosingStatus,
    /// The body of `POST …/complete` or `…/fail`.
    pub(super) body: String,
}

/// An event to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventLine {
    pub(super) session_id: String,
    /// An item of `POST …/events:batch`.
    pub(super) item: String,
}

/// Why a line cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum LineError {
    #[error("this is no JSON: {0}")]
    NoJson(#[from] SyntaxError),
    #[error(
        "expected {{\"session\": {{…}}}} or {{\"event\": {{…}}}}, with nothing else in the line"
    )]
    NoRecord,
    #[error("`{0}` is missing or no string")]
    NoId(&'static str),
    #[error("`{0}` is there twice")]
    Repeated(String),
    #[error("`status` must be one of initiated, active, completed, failed")]
    BadStatus,
}

/// What a session has and a request to create one has not.
const MADE_BY_SERVER: [&str; 7] = [
    "status",
    "createdAt",
    "updatedAt",
    "endedAt",
    "endReason",
    "eventCount",
    "version",
];

/// What an event has and an item of a session's batch has not.
const NOT_IN_ITEM: [&str; 3] = ["sessionId", "seq", "recordedAt"];

impl Line {
    pub(super) fn parse(text: &[u8]) -> Result<Self, LineError> {
        let line = json::check(text)?;
        let mut members = line.members();
        let (Some((key, value)), None) = (members.next(), members.next()) else {
            return Err(LineError::NoRecord);
        };
        if value.kind() != json::Kind::Object {
            return Err(LineError::NoRecord);
        }
        match key.text() {
            "\"session\"" => session(value).map(Self::Session),
            "\"event\"" => event(value).map(Self::Event),
            _ => Err(LineError::NoRecord),
        }
    }
}

fn session(value: Value<'_>) -> Result<SessionLine, LineError> {
    let fields = Fields::of(value)?;
    let closing = match fields.text("status").as_deref().map(str::parse) {
        None if fields.has("status") => return Err(LineError::BadStatus),
        None | Some(Ok(SessionStatus::Initiated | SessionStatus::Active)) => None,
        Some(Ok(SessionStatus::Completed)) => Some(ClosingStatus::Completed),
        Some(Ok(SessionStatus::Failed)) => Some(ClosingStatus::Failed),
        Some(Err(_)) => return Err(LineError::BadStatus),
    };
    Ok(SessionLine {
        session_id: fields.id("sessionId")?,
        body: fields.object_without(&MADE_BY_SERVER),
        closing: closing.map(|status| Closing {
            status,
            body: match fields.value("endReason") {
                Some(reason) => format!("{{\"reason\":{}}}", reason.text()),
                None => "{}".to_owned(),
            },
        }),
    })
}

fn event(value: Value<'_>) -> Result<EventLine, LineError> {
    let fields = Fields::of(value)?;
    Ok(EventLine {
        session_id: fields.id("sessionId")?,
        item: fields.object_without(&NOT_IN_ITEM),
    })
}

/// The fields of a record, each once.
struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Fields<'a> {
    fn of(record: Value<'a>) -> Result<Self, LineError> {
        let mut fields: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        for (key, value) in record.members() {
            // What is no text is no field either: the server says so.
            let name = match key.string() {
                Some(Ok(name)) => name,
                _ => Cow::Borrowed(key.text()),
            };
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(LineError::Repeated(name.into_owned()));
            }
            fields.push((name, value));
        }
        Ok(Self(fields))
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(*value)
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name)?.string()?.ok()
    }

    fn id(&self, name: &'static str) -> Result<String, LineError> {
        let id = self.text(name).ok_or(LineError::NoId(name))?;
        Ok(id.into_owned())
    }

    fn object_without(&self, left_out: &[&str]) -> String {
        let mut object = String::from("{");
        for (name, value) in &self.0 {
            if left_out.contains(&&**name) {
                continue;
            }
            if object.len() > 1 {
                object.push(',');
            }
            write_string(&mut object, name);
            object.push(':');
            object.push_str(value.text());
        }
        object.push('}');
        object
    }
}

/// The field in which the session that the server has differs from the one to create. A server
/// keeps what it has, so a difference would go unnoticed.
pub(super) fn difference(wanted: &str, stored: Value<'_>) -> Option<&'static str> {
    let wanted = json::check(wanted.as_bytes()).ok()?;
    let (wanted, stored) = (Fields::of(wanted).ok()?, Fields::of(stored).ok()?);
    let start = |fields: &Fields<'_>| Timestamp::parse(&fields.text("startedAt")?).ok();
    if wanted.text("language") != stored.text("language") {
        return Some("language");
    }
    if wanted.has("startedAt") && start(&wanted) != start(&stored) {
        return Some("startedAt");
    }
    match (document(&wanted), document(&stored)) {
        (Some(wanted), Some(stored)) if !wanted.same_content(&stored) => Some("metadata"),
        _ => None,
    }
}

fn document(fields: &Fields<'_>) -> Option<Document> {
    // The server's own bound of nesting is lower; trees stop at 128.
    const NESTING: usize = 100;
    match fields.value("metadata").filter(|value| !value.is_null()) {
        Some(value) => Document::read(value, usize::MAX, NESTING).ok(),
        None => Some(Document::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Line, LineError> {
        Line::parse(text.as_bytes())
    }

    #[test]
    fn a_session_is_created_without_what_a_server_makes_and_closed_as_it_was() {
        let line = parse(
            r#" {"session": {"sessionId":"a/b","status":"failed","language":"en","startedAt":"2020-01-01T00:00:00Z",
                "createdAt":"x","updatedAt":"x","endedAt":"x","endReason":"no \"answer\"","eventCount":3,
                "metadata":{"n": 1.0},"version":7}}"#,
        );
        let Ok(Line::Session(session)) = line else {
            panic!("{line:?}");
        };
        assert_eq!(session.session_id, "a/b");
        assert_eq!(
            session.body,
            r#"{"sessionId":"a/b","language":"en","startedAt":"2020-01-01T00:00:00Z","metadata":{"n": 1.0}}"#
        );
        let closing = session.closing.unwrap();
        assert_eq!(closing.status, ClosingStatus::Failed);
        assert_eq!(closing.body, r#"{"reason":"no \"answer\""}"#);
    }

    #[test]
    fn an_open_session_is_not_closed() {
        for status in ["\"initiated\"", "\"active\"", "null"] {
            let line = format!(r#"{{"session":{{"sessionId":"a","status":{status}}}}}"#);
            assert!(
                matches!(parse(&line), Ok(Line::Session(session)) if session.closing.is_none())
            );
        }
    }

    #[test]
    fn a_payload_passes_letter_by_letter() {
        let payload =
            r#"{"a":1.0,"b":-0.0,"c":9223372036854775807,"d":1e400,"e":[ ],"e":"\u0065"}"#;
        let line = format!(
            r#"{{"event":{{"sessionId":"s","seq":4,"eventId":"e1","type":"system","payload":{payload},"recordedAt":"x","typo":1}}}}"#
        );
        let event = EventLine {
            session_id: "s".to_owned(),
            item: format!(r#"{{"eventId":"e1","type":"system","payload":{payload},"typo":1}}"#),
        };
        assert_eq!(parse(&line), Ok(Line::Event(event)));
    }

    #[test]
    fn a_line_that_is_no_record_says_what_it_should_be() {
        let no_json = SyntaxError {
            offset: 0,
            reason: "expected a value",
        };
        for (text, error) in [
            ("nonsense", LineError::NoJson(no_json)),
            ("[]", LineError::NoRecord),
            ("{}", LineError::NoRecord),
            (r#"{"event":[]}"#, LineError::NoRecord),
            (r#"{"session":{},"event":{}}"#, LineError::NoRecord),
            (r#"{"sessions":{}}"#, LineError::NoRecord),
            (
                r#"{"session":{"sessionId":7}}"#,
                LineError::NoId("sessionId"),
            ),
            (r#"{"event":{"eventId":"e"}}"#, LineError::NoId("sessionId")),
            (
                r#"{"event":{"sessionId":"a","sessionId":"b"}}"#,
                LineError::Repeated("sessionId".to_owned()),
            ),
            (
                r#"{"session":{"sessionId":"a","status":"open"}}"#,
                LineError::BadStatus,
            ),
            (
                r#"{"session":{"sessionId":"a","status":1}}"#,
                LineError::BadStatus,
            ),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_session_that_is_stored_with_other_content_is_told() {
        let stored = r#"{"sessionId":"a","language":"en","startedAt":"2020-01-01T00:00:00.000Z","metadata":{"a":1,"b":[1.0]}}"#;
        let difference = |wanted: &str| {
            let stored = json::check(stored.as_bytes()).unwrap();
            super::difference(wanted, stored)
        };
        for same in [
            r#"{"language":"en","metadata":{"b":[1.0],"a":1}}"#,
            r#"{"language":"en","startedAt":"2020-01-01T01:00:00+01:00","metadata":{ "a":1,"b":[1.0]}}"#,
        ] {
            assert_eq!(difference(same), None);
        }
        assert_eq!(difference(r#"{"language":"de"}"#), Some("language"));
        assert_eq!(difference(r#"{"language":"en"}"#), Some("metadata"));
        assert_eq!(
            difference(r#"{"language":"en","metadata":{"a":1.0,"b":[1.0]}}"#),
            Some("metadata")
        );
        assert_eq!(
            difference(r#"{"language":"en","startedAt":"2020-01-01T00:00:00.001Z"}"#),
            Some("startedAt")
        );
    }
}

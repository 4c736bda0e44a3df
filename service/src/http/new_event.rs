//! The event in a request to append, alone or in a batch.

use crate::domain::{Document, EventId, EventType, Limits, NewEvent, Seq, SessionId, Timestamp};
use crate::http::Api;
use crate::http::fields::{Base, Field, Fields, string};
use crate::http::problem::{Problem, Violations};
use crate::json::{Kind, Value};

/// The fields of an event to append, in the order of their documentation.
const FIELDS: [&str; 5] = ["eventId", "type", "payload", "timestamp", "expectedSeq"];

/// What is the same for all events of one request.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) limits: &'a Limits,
    /// When the request arrived.
    pub(super) now: Timestamp,
}

impl<'a> Context<'a> {
    /// That of a request that is read now.
    pub(super) fn of(api: &'a Api) -> Self {
        Self {
            limits: &api.limits,
            now: api.now(),
        }
    }
}

/// Reads an event for the session in the path.
pub(super) fn of_session(
    value: Value<'_>,
    base: Base,
    session_id: &SessionId,
    context: Context<'_>,
) -> Result<NewEvent, Problem> {
    let mut violations = Violations::default();
    let mut fields = Fields::new(base, &mut violations);
    let Some(found) = fields.of(value, FIELDS) else {
        return Err(Problem::Invalid(violations));
    };
    let event = Content::read(&mut fields, found, context.limits);
    violations.finish(|| event.complete(session_id.clone(), context.now))
}

/// Reads an event that names its session.
pub(super) fn with_session(
    value: Value<'_>,
    base: Base,
    context: Context<'_>,
) -> Result<NewEvent, Problem> {
    let mut violations = Violations::default();
    let mut fields = Fields::new(base, &mut violations);
    let [event_id, kind, payload, timestamp, expected_seq] = FIELDS;
    let names = [
        "sessionId",
        event_id,
        kind,
        payload,
        timestamp,
        expected_seq,
    ];
    let Some([session_id, found @ ..]) = fields.of(value, names) else {
        return Err(Problem::Invalid(violations));
    };
    let id_bytes = context.limits.id_bytes;
    let session_id = fields.required(session_id, string(|text| SessionId::parse(text, id_bytes)));
    let event = Content::read(&mut fields, found, context.limits);
    violations.finish(|| event.complete(session_id?, context.now))
}

/// The fields as far as they could be read.
struct Content {
    event_id: Option<EventId>,
    kind: Option<EventType>,
    payload: Option<Document>,
    timestamp: Option<Timestamp>,
    expected_seq: Option<Seq>,
}

impl Content {
    fn read(fields: &mut Fields<'_>, found: [Field<'_>; 5], limits: &Limits) -> Self {
        let [event_id, kind, payload, timestamp, expected_seq] = found;
        Self {
            event_id: fields.required(
                event_id,
                string(|text| EventId::parse(text, limits.id_bytes)),
            ),
            kind: fields.required(kind, string(str::parse)),
            payload: fields.required_document(payload, limits.payload_bytes, limits.nesting),
            timestamp: fields.optional(timestamp, string(Timestamp::parse)),
            expected_seq: fields.optional(expected_seq, seq),
        }
    }

    fn complete(self, session_id: SessionId, now: Timestamp) -> Option<NewEvent> {
        Some(NewEvent {
            session_id,
            event_id: self.event_id?,
            kind: self.kind?,
            payload: self.payload?,
            timestamp: self.timestamp,
            expected_seq: self.expected_seq,
            received_at: now,
        })
    }
}

/// An integer however it is written: 2.0 is one too, as JSON Schema has it (2020-12, §6.1.1), and
/// with it the schema of this field.
fn seq(value: Value<'_>) -> Result<Seq, String> {
    let number = value.integer().or_else(|| integral(value));
    number
        .and_then(|number| u64::try_from(number).ok())
        .and_then(Seq::new)
        .ok_or_else(|| format!("must be an integer between 1 and {}", i64::MAX))
}

/// The integer that a number with a fraction or an exponent stands for, if it is exact.
fn integral(value: Value<'_>) -> Option<i64> {
    /// From here on not every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = (value.kind() == Kind::Number)
        .then(|| value.text().parse().ok())
        .flatten()?;
    let is_exact = number.fract() == 0.0 && number.abs() < EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "it is integral and small")]
    is_exact.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::check;

    #[test]
    fn a_seq_is_an_integer_however_it_is_written() {
        let read = |text: &str| seq(check(text.as_bytes()).unwrap()).map(Seq::get).ok();
        assert_eq!(read("1"), Some(1));
        assert_eq!(read("9223372036854775807"), Some(i64::MAX as u64));
        assert_eq!(read("20e-1"), Some(2));
        assert_eq!(read("2.0"), Some(2));
        for text in [
            "0",
            "-1",
            "0.0",
            "1.5",
            "1e300",
            "1e999",
            "9223372036854775808",
            "9007199254740993.0",
            "\"1\"",
            "null",
            "[1]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

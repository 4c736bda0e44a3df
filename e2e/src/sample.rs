//! Sample input: ids that no other test uses, and the smallest bodies that are valid.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A text that no other call returns, in this run or another against the same data.
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", unique())
}

/// A language tag (of private use, RFC 5646) that no other call returns: it gives a test a list of
/// sessions of its own.
pub fn fresh_language() -> String {
    format!("en-x-{}", &unique()[..8])
}

/// Sixteen characters: eight of a random number that counts up, eight of another.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::LazyLock<u64> = std::sync::LazyLock::new(rand::random);
    let count = START.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    format!("{:08x}{:08x}", count & 0xffff_ffff, *START >> 32)
}

/// The body that creates a session.
pub fn session(id: &str) -> Value {
    json!({ "sessionId": id, "language": "en-US" })
}

/// The body that creates a session which started at this time.
pub fn session_at(id: &str, language: &str, started_at: &str) -> Value {
    json!({ "sessionId": id, "language": language, "startedAt": started_at })
}

/// The body that appends an event.
pub fn event(id: &str) -> Value {
    json!({ "eventId": id, "type": "user_speech", "payload": { "text": "what a user said" } })
}

/// The body that appends an event which happened at this time.
pub fn event_at(id: &str, timestamp: &str) -> Value {
    with(event(id), "timestamp", json!(timestamp))
}

/// The body that appends an event with this payload, as text: it may be what no JSON library writes.
pub fn event_text(id: &str, payload: &str) -> String {
    format!(r#"{{"eventId":"{id}","type":"system","payload":{payload}}}"#)
}

/// `body` with one more, or another, field.
pub fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

/// `levels` objects within each other, as text; the outermost is the first level.
pub fn nested(levels: usize) -> String {
    let inner = levels - 1;
    format!(r"{}{{}}{}", r#"{"a":"#.repeat(inner), "}".repeat(inner))
}

/// A payload whose compact JSON has exactly `bytes` bytes.
pub fn payload_of(bytes: usize) -> Value {
    let empty = json!({ "text": "" }).to_string().len();
    json!({ "text": "x".repeat(bytes - empty) })
}

/// The time `seconds` after a fixed moment, in the form in which the service answers times.
pub fn time(seconds: i64) -> String {
    let start: Timestamp = "2024-05-06T07:08:09.125Z"
        .parse()
        .expect("the moment is a time");
    format!("{:.3}", start + SignedDuration::from_secs(seconds))
}

/// Asserts that `time` is in UTC with milliseconds, as every answered time is.
#[track_caller]
pub fn assert_is_time(time: &Value) {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let parsed: Timestamp = text.parse().unwrap_or_else(|_| panic!("no time: {time}"));
    assert_eq!(format!("{parsed:.3}"), text, "not in UTC with milliseconds");
}

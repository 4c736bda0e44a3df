//! How sessions and events are written as JSON: straight into one string, documents as they are.
//!
//! The only place that knows the names of answered fields (the schemas of `openapi` repeat them,
//! and a test compares the two).

use std::fmt::{Display, Write as _};

use crate::domain::{Event, Session, Terminal, Timestamp};
use crate::json::write_string;

/// Room for everything in an event or a session but its documents and ids, in bytes.
const FRAME_BYTES: usize = 260;

/// About how many bytes `event` takes.
pub(super) fn event_bytes(event: &Event) -> usize {
    FRAME_BYTES
        + event.payload.len()
        + event.session_id.as_bytes().len()
        + event.event_id.as_bytes().len()
}

/// About how many bytes `session` takes.
pub(super) fn session_bytes(session: &Session) -> usize {
    2 * FRAME_BYTES + session.metadata.len() + session.session_id.as_bytes().len()
}

/// Appends an event.
pub(super) fn event(out: &mut String, event: &Event) {
    out.push_str("{\"sessionId\":");
    write_string(out, event.session_id.as_str());
    out.push_str(",\"seq\":");
    plain(out, event.seq);
    out.push_str(",\"eventId\":");
    write_string(out, event.event_id.as_str());
    out.push_str(",\"type\":\"");
    out.push_str(event.kind.as_str());
    out.push_str("\",\"payload\":");
    out.push_str(event.payload.as_str());
    out.push_str(",\"timestamp\":");
    time(out, event.timestamp);
    out.push_str(",\"recordedAt\":");
    time(out, event.recorded_at);
    out.push('}');
}

/// Appends a session. The store leaves the count of events out only where the contract does: in
/// lists, of sessions that are still open.
pub(super) fn session(out: &mut String, session: &Session) {
    out.push_str("{\"sessionId\":");
    write_string(out, session.session_id.as_str());
    out.push_str(",\"status\":\"");
    out.push_str(session.status.as_str());
    out.push_str("\",\"language\":");
    write_string(out, session.language.as_str());
    out.push_str(",\"startedAt\":");
    time(out, session.started_at);
    out.push_str(",\"createdAt\":");
    time(out, session.created_at);
    out.push_str(",\"updatedAt\":");
    time(out, session.updated_at);
    out.push_str(",\"endedAt\":");
    match session.ended_at {
        Some(ended_at) => time(out, ended_at),
        None => out.push_str("null"),
    }
    out.push_str(",\"endReason\":");
    match &session.end_reason {
        Some(reason) => write_string(out, reason),
        None => out.push_str("null"),
    }
    if let Some(count) = session.event_count {
        out.push_str(",\"eventCount\":");
        plain(out, count);
    }
    out.push_str(",\"metadata\":");
    out.push_str(session.metadata.as_str());
    out.push_str(",\"version\":");
    plain(out, session.version.0);
    out.push('}');
}

/// Appends the end of a session as a stream tells it.
pub(super) fn end(out: &mut String, terminal: &Terminal) {
    let status = crate::domain::SessionStatus::from(terminal.status);
    out.push_str("{\"status\":\"");
    out.push_str(status.as_str());
    out.push_str("\",\"endedAt\":");
    time(out, terminal.at);
    if let Some(reason) = &terminal.reason {
        out.push_str(",\"reason\":");
        write_string(out, reason);
    }
    out.push('}');
}

/// Appends the elements of an array, each by `write`.
pub(super) fn list<T>(
    out: &mut String,
    elements: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (at, element) in elements.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, element);
    }
    out.push(']');
}

/// Appends a text that needs no quotes and no escapes.
pub(super) fn plain(out: &mut String, value: impl Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn time(out: &mut String, time: Timestamp) {
    out.push('"');
    plain(out, time);
    out.push('"');
}

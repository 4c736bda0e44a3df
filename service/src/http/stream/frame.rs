//! How a stream looks: the lines of Server-Sent Events. Pure text; no field of it can contain a
//! line break, since JSON escapes them.

use std::time::Duration;

use crate::domain::{Event, Seq, Terminal};
use crate::http::wire;

/// How long the client is to wait before it connects again.
pub(super) fn retry(out: &mut String, after: Duration) {
    out.push_str("retry: ");
    wire::plain(out, after.as_millis());
    out.push_str("\n\n");
}

/// A line that means nothing, so that everybody in between knows that the stream is alive.
pub(super) fn heartbeat(out: &mut String) {
    out.push_str(": heartbeat\n\n");
}

/// An event.
pub(super) fn event(out: &mut String, event: &Event) {
    out.push_str("id: ");
    wire::plain(out, event.seq);
    out.push_str("\ndata: ");
    wire::event(out, event);
    out.push_str("\n\n");
}

/// The end of a session.
pub(super) fn end(out: &mut String, terminal: &Terminal) {
    out.push_str("event: end\nid: ");
    wire::plain(out, terminal.seq);
    out.push_str("\ndata: ");
    wire::end(out, terminal);
    out.push_str("\n\n");
}

/// The end of a stream whose session was erased after `seen`. Its id goes on from there, so that
/// every event of a stream has one; it means nothing more: to connect again is answered with 410.
pub(super) fn erased(out: &mut String, seen: u64) {
    out.push_str("event: end\nid: ");
    wire::plain(out, Seq::after(seen));
    out.push_str("\ndata: {\"status\":\"erased\",\"endedAt\":null}\n\n");
}

/// The end of a stream that can be gone on with elsewhere.
pub(super) fn stopping(out: &mut String, reconnect: Duration) {
    out.push_str(": the server stops, connect again\n");
    retry(out, reconnect);
}

/// Room for the lines around an event, in bytes.
pub(super) const FRAME_BYTES: usize = 40;

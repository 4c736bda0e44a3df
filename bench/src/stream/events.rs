//! Server-Sent Events, as far as it takes to tell which event has arrived. Pure.

use crate::workload::EVENT_ID;

/// Cuts what arrives into events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The beginning of one whose end has not arrived yet.
    rest: Vec<u8>,
}

/// An empty line ends an event.
const END: &[u8] = b"\n\n";

impl Events {
    /// Takes in what has arrived; returns the numbers of the events that are whole now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u64> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.windows(END.len()).rposition(|it| it == END) else {
            return Vec::new();
        };
        let rest = self.rest.split_off(end + END.len());
        let whole = std::mem::replace(&mut self.rest, rest);
        let text = String::from_utf8_lossy(&whole);
        text.split("\n\n").filter_map(number_of).collect()
    }
}

/// The number in the id that the generator gave the event.
fn number_of(event: &str) -> Option<u64> {
    let (_, id) = event.split_once("\"eventId\":\"")?;
    let digits = id.strip_prefix(EVENT_ID)?;
    let (digits, _) = digits.split_once('"')?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "retry: 1000\n\nid: 1\ndata: {\"seq\":1,\"eventId\":\"turn-000000000042\"}\n\n\
        : heartbeat\n\nid: 2\ndata: {\"seq\":2,\"eventId\":\"turn-000000000043\"}\n\n";

    #[test]
    fn events_are_told_by_the_numbers_in_their_ids() {
        assert_eq!(Events::default().push(TWO.as_bytes()), [42, 43]);
    }

    #[test]
    fn an_event_counts_when_it_is_whole_however_it_is_cut() {
        let mut events = Events::default();
        let arrived = TWO.as_bytes().chunks(7);
        let numbers: Vec<u64> = arrived.flat_map(|bytes| events.push(bytes)).collect();
        assert_eq!(numbers, [42, 43]);
        assert!(events.rest.is_empty());
    }
}

//! The keys of every keyspace: what sorts how. Pure; values are in `codec`.
//!
//! Ids have no control characters, so a zero byte ends one without ambiguity: the rows of one
//! session are contiguous, and no other session's rows are among them. Numbers are big-endian, so
//! they sort as numbers.

use crate::domain::{
    CreationId, EventId, Position, Seq, SessionId, SessionPosition, SessionStatus, Timestamp,
};

/// Ends an id within a key.
const END: u8 = 0;

/// `log`: a record's place. `seq` may be 0 or beyond the log, as the bound of a range.
pub(super) fn record(session_id: &SessionId, seq: u64) -> Vec<u8> {
    let mut key = session(session_id, 8);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// `event_ids`: an event by its id.
pub(super) fn event_id(session_id: &SessionId, event_id: &EventId) -> Vec<u8> {
    let mut key = session(session_id, event_id.as_bytes().len());
    key.extend_from_slice(event_id.as_bytes());
    key
}

/// `times`: an event's place in the order of time.
pub(super) fn time(session_id: &SessionId, timestamp: Timestamp, seq: u64) -> Vec<u8> {
    let mut key = session(session_id, 16);
    key.extend_from_slice(&millis(timestamp).to_be_bytes());
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

fn session(session_id: &SessionId, more: usize) -> Vec<u8> {
    let id = session_id.as_bytes();
    let mut key = Vec::with_capacity(id.len() + 1 + more);
    key.extend_from_slice(id);
    key.push(END);
    key
}

/// The seq at the end of a key of `log` or `times`.
pub(super) fn seq_of(key: &[u8]) -> Option<Seq> {
    let (_, seq) = key.split_last_chunk()?;
    Seq::new(u64::from_be_bytes(*seq))
}

/// The position at the end of a key of `times`.
pub(super) fn position_of(key: &[u8]) -> Option<Position> {
    let (rest, seq) = key.split_last_chunk()?;
    let (_, millis) = rest.split_last_chunk()?;
    Some(Position {
        timestamp: timestamp(u64::from_be_bytes(*millis))?,
        seq: Seq::new(u64::from_be_bytes(*seq))?,
    })
}

/// Length of a key of `listing`: status, time, creation id.
pub(super) const LISTING: usize = 1 + 8 + 12;

/// `listing`: by status, then newest start first, then newest creation first.
pub(super) fn listing(status: SessionStatus, position: SessionPosition) -> [u8; LISTING] {
    let creation_id = position.creation_id.0.map(|byte| !byte);
    listing_bound(status, position.started_at, creation_id)
}

/// A bound in `listing`: at `started_at`, with an inverted creation id that may be any.
pub(super) fn listing_bound(
    status: SessionStatus,
    started_at: Timestamp,
    inverted_creation_id: [u8; 12],
) -> [u8; LISTING] {
    let mut key = [0; LISTING];
    key[0] = status_byte(status);
    key[1..9].copy_from_slice(&(!millis(started_at)).to_be_bytes());
    key[9..].copy_from_slice(&inverted_creation_id);
    key
}

/// Where a key of `listing` stands in every list.
pub(super) fn session_position_of(key: &[u8]) -> Option<SessionPosition> {
    let key: &[u8; LISTING] = key.try_into().ok()?;
    let (rest, creation_id) = key.split_last_chunk::<12>()?;
    let (_, inverted) = rest.split_last_chunk()?;
    Some(SessionPosition {
        started_at: timestamp(!u64::from_be_bytes(*inverted))?,
        creation_id: CreationId(creation_id.map(|byte| !byte)),
    })
}

/// Stored: never renumber.
fn status_byte(status: SessionStatus) -> u8 {
    match status {
        SessionStatus::Initiated => 1,
        SessionStatus::Active => 2,
        SessionStatus::Completed => 3,
        SessionStatus::Failed => 4,
    }
}

/// A timestamp is never negative.
fn millis(timestamp: Timestamp) -> u64 {
    timestamp.millis().unsigned_abs()
}

fn timestamp(millis: u64) -> Option<Timestamp> {
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ids that are prefixes of each other, and close to the separator.
    fn ids() -> impl Strategy<Value = String> {
        "[ !aé]{1,3}"
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    proptest! {
        #[test]
        fn records_sort_by_session_then_by_seq(
            a in (ids(), 1..1000_u64),
            b in (ids(), 1..1000_u64),
        ) {
            let key = |(id, seq): &(String, u64)| record(&SessionId::from_stored(id), *seq);
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            prop_assert_eq!(seq_of(&key(&a)).map(Seq::get), Some(a.1));
        }

        #[test]
        fn times_sort_by_session_then_by_time_then_by_seq(
            a in (ids(), 0..1000_i64, 1..1000_u64),
            b in (ids(), 0..1000_i64, 1..1000_u64),
        ) {
            let key = |(id, millis, seq): &(String, i64, u64)| {
                time(&SessionId::from_stored(id), at(*millis), *seq)
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            let position = position_of(&key(&a)).unwrap();
            prop_assert_eq!((position.timestamp, position.seq.get()), (at(a.1), a.2));
        }

        #[test]
        fn event_ids_are_told_apart_whatever_the_session(
            a in (ids(), ids()),
            b in (ids(), ids()),
        ) {
            let key = |(session, event): &(String, String)| {
                event_id(&SessionId::from_stored(session), &EventId::from_stored(event))
            };
            prop_assert_eq!(key(&a) == key(&b), a == b);
        }

        #[test]
        fn the_newest_session_of_a_status_comes_first(
            a in (0..1000_i64, any::<[u8; 12]>()),
            b in (0..1000_i64, any::<[u8; 12]>()),
        ) {
            let position = |(millis, creation_id): (i64, [u8; 12])| SessionPosition {
                started_at: at(millis),
                creation_id: CreationId(creation_id),
            };
            for status in SessionStatus::ALL {
                let key = listing(status, position(a));
                prop_assert_eq!(key.cmp(&listing(status, position(b))), b.cmp(&a));
                prop_assert_eq!(session_position_of(&key), Some(position(a)));
            }
        }
    }
}

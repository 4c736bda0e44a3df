//! The keys of every keyspace: what sorts how. Pure; values are in `codec`.
//!
//! Within the log and its indexes a session goes by its number, not by its id: keys of records and
//! times are short enough for fjall to keep them without an allocation (20 bytes), and sessions
//! that were created together lie together, so that compaction leaves old ones alone. Numbers are
//! big-endian, so they sort as numbers.

use crate::domain::{
    CreationId, EventId, Position, Seq, SessionId, SessionPosition, SessionStatus, Timestamp,
};

/// Names a session within this store: 1, 2, 3 … in the order of creation.
///
/// 48 bits are stored: enough for a thousand new sessions a second for nine thousand years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionNumber(pub(super) u64);

/// Length of a session number, and of a time in milliseconds: 48 bits reach beyond the year 9999.
pub(super) const SHORT: usize = 6;

/// `log`: a record's place. `seq` may be 0 or beyond the log, as the bound of a range.
pub(super) fn record(session: SessionNumber, seq: u64) -> [u8; SHORT + 8] {
    let mut key = [0; SHORT + 8];
    key[..SHORT].copy_from_slice(&short(session.0));
    key[SHORT..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// `event_ids`: an event by its id.
pub(super) fn event_id(session: SessionNumber, event_id: &EventId) -> Vec<u8> {
    let mut key = Vec::with_capacity(SHORT + event_id.as_bytes().len());
    key.extend_from_slice(&short(session.0));
    key.extend_from_slice(event_id.as_bytes());
    key
}

/// `times`: an event's place in the order of time. `seq` may be any, as the bound of a range.
pub(super) fn time(
    session: SessionNumber,
    timestamp: Timestamp,
    seq: u64,
) -> [u8; SHORT + SHORT + 8] {
    let mut key = [0; SHORT + SHORT + 8];
    key[..SHORT].copy_from_slice(&short(session.0));
    key[SHORT..2 * SHORT].copy_from_slice(&short(millis(timestamp)));
    key[2 * SHORT..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// `meta`: the number of the session that was created last.
pub(super) const LAST_NUMBER: [u8; 1] = *b"n";

/// `meta`: the rows of sessions whose erased content is not all gone yet begin with this.
pub(super) const PURGES: [u8; 1] = *b"p";

/// `meta`: a session whose erased content is not all gone yet.
pub(super) fn purge(id: &SessionId) -> Vec<u8> {
    [&PURGES, id.as_bytes()].concat()
}

/// The session in a key that [`purge`] made.
pub(super) fn purge_of(key: &[u8]) -> Option<SessionId> {
    let id = key.strip_prefix(&PURGES)?;
    std::str::from_utf8(id).ok().map(SessionId::from_stored)
}

/// The seq at the end of a key of `log`.
pub(super) fn seq_of(key: &[u8]) -> Option<Seq> {
    let (_, seq) = key.split_last_chunk()?;
    Seq::new(u64::from_be_bytes(*seq))
}

/// The position at the end of a key of `times`.
pub(super) fn position_of(key: &[u8]) -> Option<Position> {
    let (rest, seq) = key.split_last_chunk()?;
    let (_, millis) = rest.split_last_chunk()?;
    Some(Position {
        timestamp: timestamp(long(*millis)),
        seq: Seq::new(u64::from_be_bytes(*seq))?,
    })
}

/// Length of a key of `listing`: status, time, creation id.
pub(super) const LISTING: usize = 1 + SHORT + 12;

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
    key[1..=SHORT].copy_from_slice(&short(millis(started_at)).map(|byte| !byte));
    key[1 + SHORT..].copy_from_slice(&inverted_creation_id);
    key
}

/// Where a key of `listing` stands in every list.
pub(super) fn session_position_of(key: &[u8]) -> Option<SessionPosition> {
    let key: &[u8; LISTING] = key.try_into().ok()?;
    let (rest, creation_id) = key.split_last_chunk::<12>()?;
    let (_, inverted) = rest.split_last_chunk::<SHORT>()?;
    Some(SessionPosition {
        started_at: timestamp(long(inverted.map(|byte| !byte))),
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

/// The lower 48 bits.
pub(super) fn short(number: u64) -> [u8; SHORT] {
    debug_assert!(number < 1 << 48);
    let [_, _, short @ ..] = number.to_be_bytes();
    short
}

/// What [`short`] was made of.
pub(super) fn long(short: [u8; SHORT]) -> u64 {
    short
        .into_iter()
        .fold(0, |number, byte| (number << 8) | u64::from(byte))
}

/// A timestamp is never negative, and ends with the year 9999.
pub(super) fn millis(timestamp: Timestamp) -> u64 {
    timestamp.millis().unsigned_abs()
}

pub(super) fn timestamp(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis.cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = u64> {
        prop_oneof![0..300_u64, (1 << 48) - 300..1_u64 << 48]
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    proptest! {
        #[test]
        fn records_sort_by_session_then_by_seq(
            a in (numbers(), 1..1000_u64),
            b in (numbers(), 1..1000_u64),
        ) {
            let key = |(session, seq)| record(SessionNumber(session), seq);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            prop_assert_eq!(seq_of(&key(a)).map(Seq::get), Some(a.1));
        }

        #[test]
        fn times_sort_by_session_then_by_time_then_by_seq(
            a in (numbers(), 253_402_300_799_000..=253_402_300_799_999_i64, 1..1000_u64),
            b in (numbers(), 253_402_300_799_000..=253_402_300_799_999_i64, 1..1000_u64),
        ) {
            let key = |(session, millis, seq)| time(SessionNumber(session), at(millis), seq);
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
            let position = position_of(&key(a)).unwrap();
            prop_assert_eq!((position.timestamp, position.seq.get()), (at(a.1), a.2));
        }

        #[test]
        fn event_ids_are_told_apart_whatever_the_session(
            a in (numbers(), "[ aé]{1,3}"),
            b in (numbers(), "[ aé]{1,3}"),
        ) {
            let key = |(session, event): &(u64, String)| {
                event_id(SessionNumber(*session), &EventId::from_stored(event))
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

    #[test]
    fn a_session_to_be_purged_is_found_by_its_key() {
        let id = SessionId::from_stored("n é");
        assert_eq!(purge_of(&purge(&id)), Some(id));
    }
}

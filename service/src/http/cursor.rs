//! Cursors: where a walk through pages goes on, as an opaque text.
//!
//! A cursor is a version, a position, and a tag over both and over what the walk is about
//! (session, order, filters). So one of another walk is refused like garbage. There is no secret:
//! every process reads the cursors of every other, also after a restart; a client that forges one
//! gets no more than a page it could have asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::domain::{
    CreationId, EventFilter, Language, Order, Position, Seq, SessionFilter, SessionId,
    SessionPosition, Timestamp,
};

/// Changes whenever the bytes or the tag of a cursor get another meaning.
const VERSION: u8 = 1;

/// The text is no cursor of this walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be the `nextCursor` of a page of the same request: same session, order and filters")]
pub(super) struct ForeignCursor;

/// What a walk is about: everything that its pages have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk(Hash);

impl Walk {
    /// Through the events of a session.
    pub(super) fn events(session_id: &SessionId, order: Order, filter: &EventFilter) -> Self {
        let order = match order {
            Order::TimeAscending => b"timestamp",
            Order::TimeDescending => b"-timestamp".as_slice(),
            Order::SeqAscending => b"seq",
            Order::SeqDescending => b"-seq",
        };
        let hash = Hash::new()
            .with(b"events")
            .with(session_id.as_bytes())
            .with(order)
            .with_optional(filter.kind.map(|kind| kind.as_str().as_bytes()))
            .with_time(filter.since)
            .with_time(filter.until);
        Self(hash)
    }

    /// Through the list of sessions.
    pub(super) fn sessions(filter: &SessionFilter) -> Self {
        let language = filter.language.as_ref().map(Language::folded);
        let hash = Hash::new()
            .with(b"sessions")
            .with_optional(filter.status.map(|status| status.as_str().as_bytes()))
            .with_optional(language.as_ref().map(String::as_bytes))
            .with_time(filter.started_after)
            .with_time(filter.started_before);
        Self(hash)
    }

    /// The cursor that goes on after this event.
    pub(super) fn after_event(self, position: Position) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&position.timestamp.millis().to_be_bytes());
        bytes[8..].copy_from_slice(&position.seq.get().to_be_bytes());
        self.seal(bytes)
    }

    /// The event that a cursor goes on after.
    pub(super) fn event(self, cursor: &str) -> Result<Position, ForeignCursor> {
        let bytes: [u8; 16] = self.open(cursor)?;
        let (timestamp, seq) = (number(&bytes[..8]), number(&bytes[8..]));
        Ok(Position {
            timestamp: Timestamp::from_millis(timestamp.cast_signed()),
            seq: Seq::new(seq).ok_or(ForeignCursor)?,
        })
    }

    /// The cursor that goes on after this session.
    pub(super) fn after_session(self, position: SessionPosition) -> String {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&position.started_at.millis().to_be_bytes());
        bytes[8..].copy_from_slice(&position.creation_id.0);
        self.seal(bytes)
    }

    /// The session that a cursor goes on after.
    pub(super) fn session(self, cursor: &str) -> Result<SessionPosition, ForeignCursor> {
        let bytes: [u8; 20] = self.open(cursor)?;
        let mut creation_id = [0; 12];
        creation_id.copy_from_slice(&bytes[8..]);
        Ok(SessionPosition {
            started_at: Timestamp::from_millis(number(&bytes[..8]).cast_signed()),
            creation_id: CreationId(creation_id),
        })
    }

    fn seal<const N: usize>(self, position: [u8; N]) -> String {
        let mut bytes = Vec::with_capacity(1 + N + 8);
        bytes.push(VERSION);
        bytes.extend_from_slice(&position);
        bytes.extend_from_slice(&self.tag(position));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open<const N: usize>(self, cursor: &str) -> Result<[u8; N], ForeignCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| ForeignCursor)?;
        let (version, rest) = bytes.split_first().ok_or(ForeignCursor)?;
        let (position, tag) = rest.split_first_chunk::<N>().ok_or(ForeignCursor)?;
        if *version == VERSION && tag == self.tag(*position) {
            Ok(*position)
        } else {
            Err(ForeignCursor)
        }
    }

    fn tag<const N: usize>(self, position: [u8; N]) -> [u8; 8] {
        self.0.with(&[VERSION]).with(&position).0.to_be_bytes()
    }
}

/// 8 bytes, big end first.
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// FNV-1a of 64 bits. The standard library's hasher may change with every release of Rust, and a
/// cursor has to outlive one.
#[derive(Clone, Copy, Debug)]
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Length and content of one part, so that no two lists of parts are the same bytes.
    fn with(self, part: &[u8]) -> Self {
        let length = (part.len() as u64).to_be_bytes();
        let bytes = length.iter().chain(part);
        Self(bytes.fold(self.0, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    fn with_optional(self, part: Option<&[u8]>) -> Self {
        match part {
            Some(part) => self.with(b"+").with(part),
            None => self.with(b"-"),
        }
    }

    fn with_time(self, time: Option<Timestamp>) -> Self {
        self.with_optional(
            time.map(|time| time.millis().to_be_bytes())
                .as_ref()
                .map(<[u8; 8]>::as_slice),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::domain::{EventType, SessionStatus};

    use super::*;

    fn walk() -> Walk {
        Walk::events(&id("a"), Order::default(), &EventFilter::default())
    }

    fn id(text: &str) -> SessionId {
        SessionId::from_stored(text)
    }

    fn position() -> Position {
        Position {
            timestamp: Timestamp::from_millis(1_764_063_000_123),
            seq: Seq::after(41),
        }
    }

    #[test]
    fn a_cursor_keeps_its_value_for_ever() {
        // Clients hold cursors over upgrades: if this fails, the version has to change too.
        assert_eq!(
            walk().after_event(position()),
            "AQAAAZq6WTY7AAAAAAAAACo2zcFNUpIuQg"
        );
    }

    #[test]
    fn a_cursor_belongs_to_its_session_order_and_filters() {
        let cursor = walk().after_event(position());
        assert_eq!(walk().event(&cursor), Ok(position()));
        let filter = |kind, since, until| EventFilter { kind, since, until };
        let time = Some(Timestamp::from_millis(0));
        for other in [
            Walk::events(&id("b"), Order::default(), &EventFilter::default()),
            Walk::events(&id("a"), Order::SeqAscending, &EventFilter::default()),
            Walk::events(
                &id("a"),
                Order::default(),
                &filter(Some(EventType::System), None, None),
            ),
            Walk::events(&id("a"), Order::default(), &filter(None, time, None)),
            Walk::events(&id("a"), Order::default(), &filter(None, None, time)),
            Walk::sessions(&SessionFilter::default()),
        ] {
            assert_eq!(other.event(&cursor), Err(ForeignCursor));
        }
    }

    #[test]
    fn a_cursor_of_sessions_belongs_to_its_filters_whatever_the_case_of_the_language() {
        let walk = |language: &str, status| {
            Walk::sessions(&SessionFilter {
                language: Some(Language::from_stored(language)),
                status,
                ..SessionFilter::default()
            })
        };
        let position = SessionPosition {
            started_at: Timestamp::from_millis(5),
            creation_id: CreationId([7; 12]),
        };
        let cursor = walk("pt-BR", None).after_session(position);
        assert_eq!(walk("PT-br", None).session(&cursor), Ok(position));
        assert_eq!(walk("pt", None).session(&cursor), Err(ForeignCursor));
        let active = Some(SessionStatus::Active);
        assert_eq!(walk("pt-BR", active).session(&cursor), Err(ForeignCursor));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(text in "[A-Za-z0-9_-]{0,60}|.*") {
            prop_assert_eq!(walk().event(&text), Err(ForeignCursor));
        }

        #[test]
        fn a_damaged_cursor_is_refused(at in 0_usize..34, symbol in "[A-Za-z0-9_-]") {
            let mut cursor = walk().after_event(position());
            prop_assume!(cursor[at..=at] != symbol);
            cursor.replace_range(at..=at, &symbol);
            prop_assert_eq!(walk().event(&cursor), Err(ForeignCursor));
        }
    }
}

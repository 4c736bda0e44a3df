//! Events, and the record that ends them.

use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::domain::{ClosingStatus, Document, EventId, Seq, SessionId, Timestamp};

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `user_speech`
    UserSpeech,
    /// `bot_speech`
    BotSpeech,
    /// `system`
    System,
}

/// The text names no event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be one of `user_speech`, `bot_speech`, `system`")]
pub struct UnknownEventType;

impl EventType {
    /// Every type, in the order in which they are documented.
    pub const ALL: [Self; 3] = [Self::UserSpeech, Self::BotSpeech, Self::System];

    /// Its name in requests, answers and stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserSpeech => "user_speech",
            Self::BotSpeech => "bot_speech",
            Self::System => "system",
        }
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownEventType)
    }
}

/// An event that a client asks to append.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Its name within the session.
    pub event_id: EventId,
    /// Who said it.
    pub kind: EventType,
    /// What was said.
    pub payload: Document,
    /// When it was said; the time of arrival when the client does not say.
    pub timestamp: Option<Timestamp>,
    /// Append only if this is the next place in the log.
    pub expected_seq: Option<Seq>,
    /// When the request arrived, by this server's clock.
    pub received_at: Timestamp,
}

/// A stored event. Never changes once a majority has it; only erasure removes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Its place in the session's log.
    pub seq: Seq,
    /// Its name within the session.
    pub event_id: EventId,
    /// Who said it.
    pub kind: EventType,
    /// What was said.
    pub payload: Document,
    /// When it was said: as the client gave it, or the server's clock.
    pub timestamp: Timestamp,
    /// When the server received it.
    pub recorded_at: Timestamp,
}

impl Event {
    /// `new` at the place `seq`.
    pub fn at(seq: Seq, new: &NewEvent) -> Self {
        Self {
            session_id: new.session_id.clone(),
            seq,
            event_id: new.event_id.clone(),
            kind: new.kind,
            payload: new.payload.clone(),
            timestamp: new.timestamp.unwrap_or(new.received_at),
            recorded_at: new.received_at,
        }
    }

    /// Whether `new`, which has this event's id, also has its content: type, payload (whatever
    /// the order of keys) and, when `new` gives one, timestamp. If not, it is no retry.
    pub fn has_content_of(&self, new: &NewEvent) -> bool {
        self.kind == new.kind
            && new.timestamp.is_none_or(|given| given == self.timestamp)
            && self.payload.same_content(&new.payload)
    }
}

/// The record that closes a log. Nothing comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its place: one after the last event.
    pub seq: Seq,
    /// How the session ended.
    pub status: ClosingStatus,
    /// When it ended: the one `endedAt` everybody is told.
    pub at: Timestamp,
    /// Why, when the closer said.
    pub reason: Option<Arc<str>>,
}

impl Terminal {
    /// The number of events in the closed log.
    pub fn event_count(&self) -> u64 {
        self.seq.get() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_parses_from_its_own_name() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("User_speech".parse::<EventType>(), Err(UnknownEventType));
    }
}

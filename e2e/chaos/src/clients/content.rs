//! What the clients say: the content of an event follows from its id, so that a history need not
//! keep it and a retry sends the same.

use serde_json::{Value, json};

use crate::history::values::{Digest, Event};

/// The content of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    /// `type`.
    pub(crate) kind: &'static str,
    /// `payload`.
    pub(crate) payload: Value,
    /// `timestamp`, if the client gives one.
    pub(crate) timestamp: Option<String>,
}

const KINDS: [&str; 3] = ["user_speech", "bot_speech", "system"];

impl Content {
    /// What is sent under this id; another variant is other content.
    pub(crate) fn of(event: &str, variant: u8) -> Self {
        let id = Digest::of(&[event]).0;
        let number = Digest::of(&[event, &variant.to_string()]).0;
        // One in sixteen is long; the others are as long as what people say.
        let words = if number.is_multiple_of(16) {
            400
        } else {
            number % 24
        };
        let text: Vec<String> = (0..words)
            .map(|n| {
                format!(
                    "{:x}",
                    number.rotate_left(u32::try_from(n % 64).unwrap_or(0)) % 4_096
                )
            })
            .collect();
        // Few different times, so that many events share one and pages by time have ties.
        let timestamp = gives_timestamp(id).then(|| {
            let second = id / 16 % 60;
            format!("2026-01-01T00:00:{second:02}.{:03}Z", number % 2 * 500)
        });
        Self {
            kind: KINDS[usize::try_from(number % 3).unwrap_or(0)],
            payload: json!({
                "text": text.join(" "),
                "score": 1.0,
                "turn": number % 1_000,
                "by": { "variant": variant },
            }),
            timestamp,
        }
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> Digest {
        let timestamp = self.timestamp.as_deref().unwrap_or_default();
        Digest::of(&[self.kind, &self.payload.to_string(), timestamp])
    }
}

/// Half of the events come with a time of their own.
fn gives_timestamp(id: u64) -> bool {
    id & 8 == 0
}

/// Reads an event of an answer; `None` if a part is missing.
pub(crate) fn event_of(json: &Value) -> Option<Event> {
    let text = |name: &str| json.get(name)?.as_str();
    let event = text("eventId")?;
    let timestamp = text("timestamp")?;
    let own_time = if gives_timestamp(Digest::of(&[event]).0) {
        timestamp
    } else {
        ""
    };
    Some(Event {
        seq: json.get("seq")?.as_u64()?,
        event: event.to_owned(),
        content: Digest::of(&[text("type")?, &json.get("payload")?.to_string(), own_time]),
        stamp: Digest::of(&[timestamp, text("recordedAt")?]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(event: &str, variant: u8) -> Value {
        let content = Content::of(event, variant);
        json!({
            "sessionId": "s", "seq": 3, "eventId": event, "type": content.kind,
            "payload": content.payload,
            "timestamp": content.timestamp.unwrap_or("2026-01-01T09:00:00.000Z".to_owned()),
            "recordedAt": "2026-01-01T09:00:00.000Z",
        })
    }

    #[test]
    fn what_is_answered_has_the_digest_of_what_was_sent() {
        for n in 0..50 {
            let id = format!("e{n}");
            let event = event_of(&answered(&id, 0)).unwrap();
            assert_eq!(event.content, Content::of(&id, 0).digest());
        }
    }

    #[test]
    fn other_content_has_another_digest() {
        for n in 0..50 {
            let id = format!("e{n}");
            assert_ne!(Content::of(&id, 0).digest(), Content::of(&id, 1).digest());
        }
    }

    #[test]
    fn an_event_without_a_place_is_none() {
        let mut json = answered("e", 0);
        json["seq"] = Value::Null;
        assert_eq!(event_of(&json), None);
    }
}

//! The lines of `sessionstore import` and `export`: a session, then its events.
//!
//! Only the fields that a dialogue has; a server's export may carry more.

use anyhow::Context;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::corpus::{Dialogue, Turn};

/// When the first dialogue begins. The corpus has no times; these only have to be the same in
/// every run, and to rise, so that the order of time is the order of the turns.
const EPOCH: Timestamp = Timestamp::constant(1_577_836_800, 0);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line {
    Session(SessionLine),
    Event(EventLine),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionLine {
    pub(super) session_id: String,
    pub(super) language: String,
    pub(super) started_at: String,
    pub(super) metadata: Metadata,
    pub(super) status: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) categories: Vec<String>,
    pub(super) source: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventLine {
    pub(super) session_id: String,
    pub(super) event_id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) payload: Payload,
    pub(super) timestamp: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) text: String,
}

impl Line {
    /// Reads one line of an export.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).with_context(|| format!("not a line of an export: {text}"))
    }
}

/// All dialogues as lines; one begins a minute after the other, a turn a second.
pub(super) fn lines_of(dialogues: &[Dialogue]) -> Vec<Line> {
    (0_i64..)
        .zip(dialogues)
        .flat_map(|(minute, dialogue)| {
            let start = EPOCH + minute.minutes();
            let session = Line::Session(session(dialogue, start));
            let events = dialogue
                .turns
                .iter()
                .map(move |turn| Line::Event(event(dialogue, turn, start)));
            std::iter::once(session).chain(events)
        })
        .collect()
}

fn session(dialogue: &Dialogue, start: Timestamp) -> SessionLine {
    SessionLine {
        session_id: session_id(dialogue),
        language: dialogue.language.to_owned(),
        started_at: text_of(start),
        metadata: Metadata {
            categories: dialogue.categories.clone(),
            source: format!("chatterbot-corpus/{}", dialogue.subject),
        },
        status: "completed".to_owned(),
    }
}

fn event(dialogue: &Dialogue, turn: &Turn, start: Timestamp) -> EventLine {
    let seconds = i64::try_from(turn.number).unwrap_or(i64::MAX);
    EventLine {
        session_id: session_id(dialogue),
        event_id: format!("turn-{}", turn.number),
        kind: speaker(turn).to_owned(),
        payload: Payload {
            text: turn.text.clone(),
        },
        timestamp: text_of(start + seconds.seconds()),
    }
}

fn session_id(dialogue: &Dialogue) -> String {
    format!("chatterbot/{}/{}", dialogue.subject, dialogue.number)
}

/// The user speaks first.
fn speaker(turn: &Turn) -> &'static str {
    if turn.number % 2 == 1 {
        "user_speech"
    } else {
        "bot_speech"
    }
}

/// As the API answers times, so that an export can be compared letter by letter.
fn text_of(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue(number: usize, turns: &[(usize, &str)]) -> Dialogue {
        Dialogue {
            subject: "english/ai".to_owned(),
            number,
            language: "en",
            categories: vec!["AI".to_owned()],
            turns: turns
                .iter()
                .map(|(number, text)| Turn {
                    number: *number,
                    text: (*text).to_owned(),
                })
                .collect(),
        }
    }

    fn json(dialogues: &[Dialogue]) -> Vec<String> {
        lines_of(dialogues)
            .iter()
            .map(|line| serde_json::to_string(line).unwrap())
            .collect()
    }

    #[test]
    fn a_dialogue_becomes_a_completed_session_followed_by_its_events() {
        let lines = json(&[dialogue(7, &[(1, "Hello"), (2, "Hi")])]);
        let expected = [
            r#"{"session":{"sessionId":"chatterbot/english/ai/7","language":"en","startedAt":"2020-01-01T00:00:00.000Z","metadata":{"categories":["AI"],"source":"chatterbot-corpus/english/ai"},"status":"completed"}}"#,
            r#"{"event":{"sessionId":"chatterbot/english/ai/7","eventId":"turn-1","type":"user_speech","payload":{"text":"Hello"},"timestamp":"2020-01-01T00:00:01.000Z"}}"#,
            r#"{"event":{"sessionId":"chatterbot/english/ai/7","eventId":"turn-2","type":"bot_speech","payload":{"text":"Hi"},"timestamp":"2020-01-01T00:00:02.000Z"}}"#,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_left_out_turn_does_not_change_who_speaks() {
        let lines = json(&[dialogue(1, &[(1, "Hello"), (3, "Anybody there?")])]);
        assert!(lines[2].contains(r#""eventId":"turn-3","type":"user_speech""#));
    }

    #[test]
    fn a_line_is_read_back_whatever_else_it_carries() {
        let dialogues = [dialogue(1, &[(1, "Hello")])];
        let more = json(&dialogues)[1].replace(r#""eventId""#, r#""seq":1,"eventId""#);
        assert_eq!(Line::parse(&more).unwrap(), lines_of(&dialogues)[1]);
    }
}

//! What is said in a conversation: events as applications send them, in about 230 bytes.

/// What user and bot say in turn.
const TURNS: [(&str, &str); 8] = [
    (
        "user_speech",
        "Hello, I would like to move my appointment from Tuesday to Thursday afternoon, please.",
    ),
    (
        "bot_speech",
        "Of course. I see two appointments on Tuesday, at nine and at eleven. Which one is it?",
    ),
    (
        "user_speech",
        "The other one, with the physiotherapist, the one that was booked only last week.",
    ),
    (
        "bot_speech",
        "I found it. On Thursday there is a free slot at half past three. Shall I take that?",
    ),
    (
        "user_speech",
        "Half past three would be perfect, and could you send me a confirmation by text?",
    ),
    (
        "bot_speech",
        "Done: Thursday at half past three. Is the number that you are calling from the right one?",
    ),
    (
        "user_speech",
        "Yes, that is my number. Thank you very much, that was quick, have a nice day!",
    ),
    (
        "bot_speech",
        "You will get the confirmation in a minute. Thank you for calling, and goodbye.",
    ),
];

/// Event ids begin with this; the number of the event follows.
pub(crate) const EVENT_ID: &str = "turn-";

/// The event with this number, as the given turn of a conversation; `more` are further fields.
pub(super) fn event(number: u64, turn: u64, more: &str) -> String {
    let (kind, text) = spoken(turn);
    let confidence = 800 + number % 200;
    let duration = 900 + number % 4_000;
    format!(
        r#"{{{more}"eventId":"{EVENT_ID}{number:012}","type":"{kind}","payload":{{"text":"{text}","confidence":0.{confidence},"durationMs":{duration},"channel":"phone","model":"speech-2026-04"}}}}"#
    )
}

/// The type and the text of a turn.
pub(crate) fn spoken(turn: u64) -> (&'static str, &'static str) {
    let index = usize::try_from(turn % TURNS.len() as u64).unwrap_or_default();
    TURNS[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_about_230_bytes() {
        let sizes = (0..4_000).map(|number| event(number, number, "").len());
        let mean = sizes.sum::<usize>() / 4_000;
        assert!((220..=240).contains(&mean), "{mean}");
    }
}

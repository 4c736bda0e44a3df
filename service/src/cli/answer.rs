//! Reading the answers of a server, as text that is passed on or compared.

use crate::json::{self, Value};

/// The member of an object.
pub(super) fn member<'a>(object: Value<'a>, name: &str) -> Option<Value<'a>> {
    let is_it = |key: Value<'_>| matches!(key.string(), Some(Ok(key)) if key == name);
    let (_, value) = object.members().find(|(key, _)| is_it(*key))?;
    Some(value)
}

/// The member of an object, if it is a string.
pub(super) fn text(object: Value<'_>, name: &str) -> Option<String> {
    let text = member(object, name)?.string()?.ok()?;
    Some(text.into_owned())
}

/// What a problem says about itself; the start of the text if it is none.
pub(super) fn detail_of(answer: &[u8]) -> String {
    const SHOWN: usize = 200;
    let problem = json::check(answer).ok();
    problem
        .and_then(|problem| text(problem, "detail"))
        .unwrap_or_else(|| {
            let text = String::from_utf8_lossy(answer);
            let printable = text.chars().filter(|symbol| !symbol.is_control());
            printable.take(SHOWN).collect()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told_in_its_words() {
        let problem = br#"{"status":409,"detail":"the session is closed"}"#;
        assert_eq!(detail_of(problem), "the session is closed");
        assert_eq!(detail_of(b"<html>\n</html>"), "<html></html>");
    }
}

//! Whether a body is JSON at all: RFC 8259 grammar and UTF-8, nothing else.
//!
//! Depth, repeated keys, ranges of numbers and unpaired surrogates are not judged here, because
//! in a batch they are the fault of one item, not of the whole.

use thiserror::Error;

use crate::json::Value;

/// Where a body stops being JSON, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{reason} at byte {offset}")]
pub struct SyntaxError {
    /// Offset from the start of the body, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    End,
}

#[derive(Clone, Copy, PartialEq)]
enum Container {
    Array,
    Object,
}

/// Checks that `body` is exactly one JSON value.
///
/// # Errors
/// The first place where it is not.
pub fn check(body: &[u8]) -> Result<Value<'_>, SyntaxError> {
    let text = std::str::from_utf8(body).map_err(|error| SyntaxError {
        offset: error.valid_up_to(),
        reason: "invalid UTF-8",
    })?;
    let mut scan = Scan { body, at: 0 };
    // One byte a level: a body of nothing but brackets costs its own size again.
    let mut open: Vec<Container> = Vec::new();
    let mut expect = Expect::Value;
    loop {
        scan.skip_white();
        let Some(&byte) = body.get(scan.at) else {
            return if expect == Expect::End {
                Ok(Value::of_checked(
                    text.trim_matches([' ', '\t', '\n', '\r']),
                ))
            } else {
                Err(scan.error("unexpected end of text"))
            };
        };
        expect = match (expect, byte) {
            (Expect::End, _) => return Err(scan.error("text after the end of the value")),
            (Expect::ValueOrEnd, b']') | (Expect::KeyOrEnd, b'}') => {
                scan.at += 1;
                open.pop();
                after_value(&open)
            }
            (Expect::CommaOrEnd, _) => {
                let container = open.last().copied();
                scan.at += 1;
                match (byte, container) {
                    (b',', Some(Container::Array)) => Expect::Value,
                    (b',', Some(Container::Object)) => Expect::Key,
                    (b']', Some(Container::Array)) | (b'}', Some(Container::Object)) => {
                        open.pop();
                        after_value(&open)
                    }
                    _ => {
                        scan.at -= 1;
                        return Err(scan.error("expected a comma or the end of the container"));
                    }
                }
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                scan.string()?;
                scan.skip_white();
                scan.literal(b":", "expected a colon")?;
                Expect::Value
            }
            (Expect::Key | Expect::KeyOrEnd, _) => return Err(scan.error("expected a key")),
            (Expect::Value | Expect::ValueOrEnd, b'{') => {
                scan.at += 1;
                open.push(Container::Object);
                Expect::KeyOrEnd
            }
            (Expect::Value | Expect::ValueOrEnd, b'[') => {
                scan.at += 1;
                open.push(Container::Array);
                Expect::ValueOrEnd
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                scan.scalar(byte)?;
                after_value(&open)
            }
        };
    }
}

fn after_value(open: &[Container]) -> Expect {
    if open.is_empty() {
        Expect::End
    } else {
        Expect::CommaOrEnd
    }
}

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn error(&self, reason: &'static str) -> SyntaxError {
        SyntaxError {
            offset: self.at,
            reason,
        }
    }

    fn skip_white(&mut self) {
        while matches!(self.body.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn literal(&mut self, text: &[u8], reason: &'static str) -> Result<(), SyntaxError> {
        if self.body[self.at..].starts_with(text) {
            self.at += text.len();
            Ok(())
        } else {
            Err(self.error(reason))
        }
    }

    fn scalar(&mut self, first: u8) -> Result<(), SyntaxError> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true", "expected a value"),
            b'f' => self.literal(b"false", "expected a value"),
            b'n' => self.literal(b"null", "expected a value"),
            _ => Err(self.error("expected a value")),
        }
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.body.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err(self.error("control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("unexpected end of text")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.body.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u')
                if self
                    .body
                    .get(self.at + 2..self.at + 6)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 6;
                Ok(())
            }
            _ => Err(self.error("invalid escape in a string")),
        }
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.body[self.at] == b'-' {
            self.at += 1;
        }
        if self.body.get(self.at) == Some(&b'0') {
            self.at += 1;
            if self.body.get(self.at).is_some_and(u8::is_ascii_digit) {
                return Err(self.error("a number must not start with 0"));
            }
        } else {
            self.digits()?;
        }
        if self.body.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.body.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.body.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.body.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(self.error("expected a digit"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (text, offset) in [
            ("", 0),
            ("  ", 2),
            ("{", 1),
            ("{\"a\"", 4),
            ("{\"a\" 1}", 5),
            ("{\"a\":}", 5),
            ("{\"a\":1,}", 7),
            ("{a:1}", 1),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{} {}", 3),
            ("nul", 0),
            ("NaN", 0),
            ("+1", 0),
            ("01", 1),
            ("1.", 2),
            (".5", 0),
            ("1e", 2),
            ("-", 1),
            ("\"a", 2),
            ("\"\\x\"", 1),
            ("\"\\u12\"", 1),
            ("\"a\tb\"", 2),
            ("'a'", 0),
            ("\u{feff}{}", 0),
            ("{}//", 2),
        ] {
            assert_eq!(
                check(text.as_bytes()).map_err(|e| e.offset),
                Err(offset),
                "{text}"
            );
        }
        assert_eq!(check(b"\"\xff\"").map_err(|e| e.offset), Err(1));
    }

    #[test]
    fn a_million_brackets_are_checked_without_a_stack() {
        let depth = 1_000_000;
        let bomb = "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(bomb.as_bytes()).is_ok());
        assert!(check("[".repeat(depth).as_bytes()).is_err());
        assert!(check("{\"a\":".repeat(depth).as_bytes()).is_err());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((".*", inner), 0..6)
                    .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_json_text_passes(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert!(check(text.unwrap().as_bytes()).is_ok());
        }

        #[test]
        fn it_agrees_with_serde_json_on_damaged_text(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut text = serde_json::to_vec(&value).unwrap();
            let at = at.index(text.len());
            text[at] = byte;
            // serde_json also refuses what is not grammar: lone surrogates and numbers out of range.
            if serde_json::from_slice::<serde_json::Value>(&text).is_ok() {
                prop_assert!(check(&text).is_ok());
            }
            if check(&text).is_err() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&text).is_err());
            }
        }
    }
}

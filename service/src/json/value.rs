//! Reading checked text piece by piece, without copying and without a tree.

use std::borrow::Cow;

use thiserror::Error;

/// One value, as the slice of checked text that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// What a value is, by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// `-` or a digit
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// A `\u` escape names half of a surrogate pair: no text that UTF-8 can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must not contain an unpaired surrogate")]
pub struct UnpairedSurrogate;

impl<'a> Value<'a> {
    /// `text` is one value that passed [`crate::json::check`], without white space around it.
    pub(super) fn of_checked(text: &'a str) -> Self {
        debug_assert!(!text.is_empty());
        Self(text)
    }

    /// The text as it was sent.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The keys and values of an object, in order, repeated keys included; nothing for any other
    /// kind. Keys are values too, of kind string.
    pub fn members(self) -> Members<'a> {
        Members(Pieces::inside(self, Kind::Object))
    }

    /// The elements of an array, in order; nothing for any other kind.
    pub fn elements(self) -> Elements<'a> {
        Elements(Pieces::inside(self, Kind::Array))
    }

    /// The text of a string; `None` for any other kind.
    pub fn string(self) -> Option<Result<Cow<'a, str>, UnpairedSurrogate>> {
        (self.kind() == Kind::String).then(|| unescape(&self.0[1..self.0.len() - 1]))
    }

    /// The number, if it is written as an integer and fits an int64.
    pub fn integer(self) -> Option<i64> {
        (self.kind() == Kind::Number)
            .then(|| self.0.parse().ok())
            .flatten()
    }
}

/// See [`Value::members`].
#[derive(Debug)]
pub struct Members<'a>(Pieces<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Value<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.next_piece()?;
        let value = self.0.next_piece()?;
        Some((key, value))
    }
}

/// See [`Value::elements`].
#[derive(Debug)]
pub struct Elements<'a>(Pieces<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.next_piece()
    }
}

/// What is left between the brackets of a container.
#[derive(Debug)]
struct Pieces<'a>(&'a str);

impl<'a> Pieces<'a> {
    fn inside(value: Value<'a>, kind: Kind) -> Self {
        if value.kind() == kind {
            Self(&value.0[1..value.0.len() - 1])
        } else {
            Self("")
        }
    }

    /// Keys and values alike: the separators between them tell nothing more in checked text.
    fn next_piece(&mut self) -> Option<Value<'a>> {
        let rest = self.0.trim_start_matches([' ', '\t', '\n', '\r', ',', ':']);
        if rest.is_empty() {
            return None;
        }
        let (piece, rest) = rest.split_at(length(rest.as_bytes()));
        self.0 = rest;
        Some(Value(piece))
    }
}

/// How long the value is that `text` starts with, in bytes.
pub(super) fn length(text: &[u8]) -> usize {
    match text[0] {
        b'"' => string_length(text),
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut at = 0;
            loop {
                match text[at] {
                    b'"' => at += string_length(&text[at..]) - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
        }
        _ => text
            .iter()
            .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
            .unwrap_or(text.len()),
    }
}

/// How long the string is that `text` starts with, in bytes, quotes included.
pub(crate) fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    loop {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The text that `raw`, the inside of a string's quotes, stands for.
pub(super) fn unescape(raw: &str) -> Result<Cow<'_, str>, UnpairedSurrogate> {
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    for_each_piece(raw, |piece| text.push_str(piece))?;
    Ok(Cow::Owned(text))
}

/// Hands out, piece by piece, the text that `raw`, the inside of a string's quotes, stands for: for
/// a writer that has no use for a copy of its own.
///
/// # Errors
/// Half of a surrogate pair; the pieces before it were handed out.
pub(crate) fn for_each_piece(
    raw: &str,
    mut take: impl FnMut(&str),
) -> Result<(), UnpairedSurrogate> {
    let mut rest = raw;
    while let Some(plain) = rest.find('\\') {
        take(&rest[..plain]);
        rest = &rest[plain..];
        let (symbol, after) = match rest.as_bytes()[1] {
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => unicode_escape(rest)?,
            other => (char::from(other), 2),
        };
        take(symbol.encode_utf8(&mut [0; 4]));
        rest = &rest[after..];
    }
    take(rest);
    Ok(())
}

/// The character of the `\uXXXX` that `text` starts with, or of the pair of them, and how many
/// bytes it takes.
fn unicode_escape(text: &str) -> Result<(char, usize), UnpairedSurrogate> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(0).ok_or(UnpairedSurrogate)?;
    if let Some(symbol) = char::from_u32(first) {
        return Ok((symbol, 6));
    }
    let second = unit(6).ok_or(UnpairedSurrogate)?;
    if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(code)
            .map(|symbol| (symbol, 12))
            .ok_or(UnpairedSurrogate)
    } else {
        Err(UnpairedSurrogate)
    }
}

#[cfg(test)]
mod tests {
    use crate::json::check;

    use super::*;

    #[test]
    fn members_and_elements_come_in_order_with_repeated_keys() {
        let value = check(br#" { "a" : [1, "x,]" , {}] , "b":null,"a":-1.5e3 } "#).unwrap();
        let members: Vec<_> = value
            .members()
            .map(|(key, value)| (key.text(), value.text()))
            .collect();
        assert_eq!(
            members,
            [
                ("\"a\"", "[1, \"x,]\" , {}]"),
                ("\"b\"", "null"),
                ("\"a\"", "-1.5e3")
            ]
        );
        let (_, array) = value.members().next().unwrap();
        let elements: Vec<_> = array.elements().map(Value::text).collect();
        assert_eq!(elements, ["1", "\"x,]\"", "{}"]);
        assert_eq!(value.elements().count(), 0);
    }

    #[test]
    fn escapes_stand_for_their_characters() {
        let text = check(br#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00x\u0000""#).unwrap();
        assert_eq!(
            text.string().unwrap().unwrap(),
            "\"\\/\u{8}\u{c}\n\r\té😀x\0"
        );
    }

    #[test]
    fn unpaired_surrogates_are_refused() {
        for text in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d\ud83d""#,
        ] {
            assert_eq!(
                check(text.as_bytes()).unwrap().string(),
                Some(Err(UnpairedSurrogate))
            );
        }
    }

    #[test]
    fn only_an_int64_written_as_integer_is_an_integer() {
        let integer = |text: &str| check(text.as_bytes()).unwrap().integer();
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer("9223372036854775808"), None);
        assert_eq!(integer("1.0"), None);
        assert_eq!(integer("\"1\""), None);
    }
}

//! The one normalisation of documents: compact text, or everything that is wrong with them.

use std::borrow::Cow;
use std::collections::HashSet;

use thiserror::Error;

use crate::json::value::{length, unescape};
use crate::json::{Kind, Value, push_pointer_segment, write_string};

/// What is wrong with a document, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct CompactError {
    /// JSON pointer from the root of the document: empty for the document itself.
    pub pointer: String,
    /// What is wrong there.
    pub problem: CompactProblem,
}

/// What can be wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CompactProblem {
    /// A document is an object.
    #[error("must be an object")]
    NotAnObject,
    /// Its compact text is longer than the limit.
    #[error("must be at most {limit} bytes of compact JSON")]
    TooLarge {
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// A container beyond the deepest level.
    #[error("must not be nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force, in levels.
        limit: usize,
    },
    /// A key that its object already has.
    #[error("must not repeat a key")]
    RepeatedKey,
    /// A key with U+0000, which BSON cannot hold.
    #[error("must not contain a NUL character in its key")]
    NulInKey,
    /// A text that UTF-8 cannot hold.
    #[error("must not contain an unpaired surrogate")]
    UnpairedSurrogate,
    /// An integer beyond int64; it would have to be rounded.
    #[error("must be an integer between -9223372036854775808 and 9223372036854775807")]
    IntegerOutOfRange,
    /// Beyond the largest double.
    #[error("must be within the range of an IEEE 754 double")]
    NumberOutOfRange,
}

/// After so many errors, or so many bytes of pointers to them, a document is not read any further:
/// the answer has to stay small.
const MAX_ERRORS: usize = 50;
const MAX_POINTER_BYTES: usize = 16 * 1024;

/// Brings an object into compact text.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn compact_object(
    value: Value<'_>,
    max_bytes: usize,
    max_nesting: usize,
) -> Result<String, Vec<CompactError>> {
    if value.kind() != Kind::Object {
        return Err(vec![CompactError {
            pointer: String::new(),
            problem: CompactProblem::NotAnObject,
        }]);
    }
    let mut writer = Writer {
        text: value.text(),
        at: 0,
        out: String::with_capacity(value.text().len().min(max_bytes)),
        open: Vec::new(),
        errors: Vec::new(),
        pointer_bytes: 0,
        max_nesting,
    };
    writer.value();
    while !writer.open.is_empty() {
        writer.step();
        if writer.out.len() > max_bytes {
            return Err(vec![CompactError {
                pointer: String::new(),
                problem: CompactProblem::TooLarge { limit: max_bytes },
            }]);
        }
        if writer.errors.len() >= MAX_ERRORS || writer.pointer_bytes >= MAX_POINTER_BYTES {
            break;
        }
    }
    if writer.errors.is_empty() {
        Ok(writer.out)
    } else {
        Err(writer.errors)
    }
}

/// A container that is being read.
enum Level<'a> {
    Array { index: usize },
    Object { keys: Keys<'a>, key: &'a str },
}

struct Writer<'a> {
    text: &'a str,
    at: usize,
    out: String,
    open: Vec<Level<'a>>,
    errors: Vec<CompactError>,
    pointer_bytes: usize,
    max_nesting: usize,
}

impl Writer<'_> {
    /// Reads one element or member of the innermost container, or its end.
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let skipped = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', ',']).len();
        self.at += skipped;
        let byte = self.text.as_bytes()[self.at];
        let is_first = matches!(self.out.as_bytes().last(), Some(b'{' | b'['));
        if matches!(byte, b']' | b'}') {
            self.out.push(char::from(byte));
            self.at += 1;
            self.open.pop();
            return;
        }
        if !is_first {
            self.out.push(',');
        }
        match self.open.last_mut() {
            Some(Level::Array { index }) => *index += 1,
            Some(Level::Object { .. }) => self.key(),
            None => return,
        }
        self.value();
    }

    fn key(&mut self) {
        let length = length(&self.text.as_bytes()[self.at..]);
        let raw = &self.text[self.at + 1..self.at + length - 1];
        self.at += length;
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', ':']).len();

        let name = unescape(raw);
        let is_new = match (self.open.last_mut(), &name) {
            (Some(Level::Object { keys, key }), Ok(name)) => {
                *key = raw;
                keys.insert(name.clone())
            }
            (Some(Level::Object { key, .. }), Err(_)) => {
                *key = raw;
                true
            }
            _ => true,
        };
        match name {
            Ok(name) => {
                if name.contains('\0') {
                    self.error(CompactProblem::NulInKey);
                }
                if !is_new {
                    self.error(CompactProblem::RepeatedKey);
                }
                write_string(&mut self.out, &name);
            }
            Err(_) => self.error(CompactProblem::UnpairedSurrogate),
        }
        self.out.push(':');
    }

    fn value(&mut self) {
        let start = self.at;
        let byte = self.text.as_bytes()[start];
        if matches!(byte, b'{' | b'[') && self.open.len() < self.max_nesting {
            self.at += 1;
            self.out.push(char::from(byte));
            self.open.push(if byte == b'[' {
                Level::Array { index: 0 }
            } else {
                Level::Object {
                    keys: Keys::default(),
                    key: "",
                }
            });
            return;
        }
        self.at += length(&self.text.as_bytes()[start..]);
        let token = &self.text[start..self.at];
        match byte {
            b'{' | b'[' => self.error(CompactProblem::TooDeep {
                limit: self.max_nesting,
            }),
            b'"' => self.string(token),
            b'-' | b'0'..=b'9' => self.number(token),
            _ => self.out.push_str(token),
        }
    }

    fn string(&mut self, token: &str) {
        match unescape(&token[1..token.len() - 1]) {
            // Without escapes the text is already as short as it gets.
            Ok(Cow::Borrowed(_)) => self.out.push_str(token),
            Ok(Cow::Owned(text)) => write_string(&mut self.out, &text),
            Err(_) => self.error(CompactProblem::UnpairedSurrogate),
        }
    }

    fn number(&mut self, token: &str) {
        if token.contains(['.', 'e', 'E']) {
            match token.parse::<f64>() {
                Ok(double) if double.is_finite() => {
                    self.out.push_str(ryu::Buffer::new().format_finite(double));
                }
                _ => self.error(CompactProblem::NumberOutOfRange),
            }
        } else if token == "-0" {
            self.out.push('0');
        } else if token.parse::<i64>().is_ok() {
            self.out.push_str(token);
        } else {
            self.error(CompactProblem::IntegerOutOfRange);
        }
    }

    /// Something is wrong at the place that is being read. The output is lost from here on; it is
    /// kept in shape only so that reading can go on.
    fn error(&mut self, problem: CompactProblem) {
        let pointer = self.pointer();
        self.pointer_bytes += pointer.len();
        self.errors.push(CompactError { pointer, problem });
        self.out.push('?');
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for level in &self.open {
            match level {
                Level::Array { index } => {
                    push_pointer_segment(&mut pointer, &(index - 1).to_string());
                }
                Level::Object { key, .. } => match unescape(key) {
                    Ok(name) => push_pointer_segment(&mut pointer, &name),
                    Err(_) => push_pointer_segment(&mut pointer, key),
                },
            }
        }
        pointer
    }
}

/// The keys an object has shown so far. Most objects are small: a short list beats a hash set.
enum Keys<'a> {
    Few(Vec<Cow<'a, str>>),
    Many(HashSet<Cow<'a, str>>),
}

const FEW: usize = 16;

impl Default for Keys<'_> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<'a> Keys<'a> {
    /// Whether `key` is new.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        match self {
            Self::Few(keys) if keys.contains(&key) => false,
            Self::Few(keys) if keys.len() < FEW => {
                keys.push(key);
                true
            }
            Self::Few(keys) => {
                let mut many: HashSet<_> = keys.drain(..).collect();
                let is_new = many.insert(key);
                *self = Self::Many(many);
                is_new
            }
            Self::Many(keys) => keys.insert(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::json::check;

    use super::*;

    fn compact(text: &str) -> Result<String, Vec<(String, CompactProblem)>> {
        compact_object(check(text.as_bytes()).unwrap(), 1000, 4).map_err(|errors| {
            errors
                .into_iter()
                .map(|error| (error.pointer, error.problem))
                .collect()
        })
    }

    #[test]
    fn numbers_keep_their_kind_and_their_value() {
        for (given, kept) in [
            ("1.0", "1.0"),
            ("-0.0", "-0.0"),
            ("-0", "0"),
            ("1e2", "100.0"),
            ("0.10", "0.1"),
            ("5e-324", "5e-324"),
            ("1e-400", "0.0"),
            ("1.7976931348623157e308", "1.7976931348623157e308"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
        ] {
            let text = format!("{{\"n\":{given}}}");
            assert_eq!(compact(&text), Ok(format!("{{\"n\":{kept}}}")));
        }
    }

    #[test]
    fn keys_keep_their_order_and_their_names() {
        let text = r#" { "b" : 1 , "a.b" : [ ] , "" : { "$x" : [ 1 , "é\u00e9\/" , null ] } } "#;
        let kept = r#"{"b":1,"a.b":[],"":{"$x":[1,"éé/",null]}}"#;
        assert_eq!(compact(text), Ok(kept.to_owned()));
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        use CompactProblem as P;
        let text = r#"{"a":9223372036854775808,"b":[0,1e400,{"\u0000":1,"x":1,"\u0078":2}],
            "c/d~":"\ud800","e":[[[[]]]],"\udc00":1}"#;
        let errors = [
            ("/a", P::IntegerOutOfRange),
            ("/b/1", P::NumberOutOfRange),
            ("/b/2/\0", P::NulInKey),
            ("/b/2/x", P::RepeatedKey),
            ("/c~1d~0", P::UnpairedSurrogate),
            ("/e/0/0/0", P::TooDeep { limit: 4 }),
            ("/\\udc00", P::UnpairedSurrogate),
        ];
        let errors = errors.map(|(pointer, problem)| (pointer.to_owned(), problem));
        assert_eq!(compact(text), Err(errors.to_vec()));
    }

    #[test]
    fn repeated_keys_are_found_among_many() {
        let fields: Vec<_> = (0..40).chain([3]).map(|n| format!("\"{n}\":0")).collect();
        let text = format!("{{{}}}", fields.join(","));
        assert_eq!(
            compact(&text),
            Err(vec![("/3".to_owned(), CompactProblem::RepeatedKey)])
        );
    }

    #[test]
    fn size_is_that_of_the_compact_text() {
        let fits = format!("{{\"a\":{}\"{}\"}}", " ".repeat(5000), "x".repeat(992));
        assert_eq!(compact(&fits).unwrap().len(), 1000);
        let too_large = format!("{{\"a\":\"{}\"}}", "x".repeat(993));
        assert_eq!(
            compact(&too_large),
            Err(vec![(
                String::new(),
                CompactProblem::TooLarge { limit: 1000 }
            )])
        );
    }

    #[test]
    fn the_list_of_errors_stays_short() {
        let wrong = vec!["1e400"; 10_000].join(",");
        let errors = compact(&format!("{{\"a\":[{wrong}]}}")).unwrap_err();
        assert_eq!(errors.len(), MAX_ERRORS);
    }

    proptest! {
        #[test]
        fn compact_text_reads_back_as_the_same_value_and_is_compact(
            fields in prop::collection::btree_map("[^\0]*", any::<(Option<i64>, f64, String)>(), 0..30),
        ) {
            let value: serde_json::Value = fields
                .into_iter()
                .map(|(key, value)| (key, serde_json::to_value(value).unwrap()))
                .collect::<serde_json::Map<_, _>>()
                .into();
            let read = |text: &str| {
                compact_object(check(text.as_bytes()).unwrap(), 1 << 20, 64).unwrap()
            };
            let compact = read(&serde_json::to_string_pretty(&value).unwrap());
            prop_assert_eq!(crate::json::to_value(&compact), value);
            prop_assert_eq!(read(&compact), compact);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in r#"[\[\]{}",:0-9eE.\\ud8a-f \-]{0,60}"#) {
            if let Ok(value) = check(text.as_bytes()) {
                let _ = compact_object(value, 40, 4);
            }
        }
    }
}

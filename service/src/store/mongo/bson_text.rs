//! Documents of the contract as BSON: compact JSON text in, BSON bytes out, and back to the very
//! same text.
//!
//! Straight from the one to the other, without a tree of values and without recursion: this is the
//! hot path of every append and of every page. An object without containers in it costs no
//! allocation of its own; nested ones share a single list of what is still open.
//!
//! A number with a fraction or an exponent is a double. An integer is an int32 where it fits and
//! an int64 beyond that: to the server they are the same number, and the short form has half the
//! bytes. Both come back as the same digits.

use std::fmt::{Display, Write as _};

use bson::RawDocument;
use thiserror::Error;

use crate::json;

/// A stored document is not what this program writes: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(super) struct Garbled(String);

impl Garbled {
    pub(super) fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }

    /// The same, with the place in front.
    pub(super) fn within(self, place: impl Display) -> Self {
        Self(format!("{place}: {self}"))
    }
}

type Result<T> = std::result::Result<T, Garbled>;

/// The types of BSON values that are written here; <https://bsonspec.org/spec.html>.
pub(super) mod kind {
    pub(in crate::store::mongo) const DOUBLE: u8 = 0x01;
    pub(in crate::store::mongo) const STRING: u8 = 0x02;
    pub(in crate::store::mongo) const DOCUMENT: u8 = 0x03;
    pub(in crate::store::mongo) const ARRAY: u8 = 0x04;
    pub(in crate::store::mongo) const OBJECT_ID: u8 = 0x07;
    pub(in crate::store::mongo) const BOOLEAN: u8 = 0x08;
    pub(in crate::store::mongo) const DATE_TIME: u8 = 0x09;
    pub(in crate::store::mongo) const NULL: u8 = 0x0a;
    pub(in crate::store::mongo) const INT32: u8 = 0x10;
    pub(in crate::store::mongo) const INT64: u8 = 0x12;
}

/// Begins a BSON document; [`close_document`] takes what this returns.
pub(super) fn open_document(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    start
}

/// Ends the BSON document that began at `start`.
pub(super) fn close_document(out: &mut Vec<u8>, start: usize) {
    out.push(0);
    let length = out.len() - start;
    set_length(out, start, length);
}

/// Appends the value of a BSON string, which `write` writes.
pub(super) fn append_string(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    out.push(0);
    let length = out.len() - start - 4;
    set_length(out, start, length);
}

/// Every length of BSON has 31 bits; what comes in here is some megabytes at most.
fn set_length(out: &mut [u8], at: usize, length: usize) {
    debug_assert!(i32::try_from(length).is_ok());
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Appends the BSON document that `text`, the text of a [`crate::domain::Document`], stands for.
pub(super) fn append_object(out: &mut Vec<u8>, text: &str) {
    debug_assert!(text.starts_with('{') && text.ends_with('}'));
    let start = open_document(out);
    let mut writer = Writer {
        text,
        at: 1,
        out,
        innermost: Written { start, index: None },
        outer: Vec::new(),
    };
    while writer.step() {}
}

/// A container that is being written.
struct Written {
    /// Where its length goes.
    start: usize,
    /// Of the next element of an array; `None` in an object.
    index: Option<u32>,
}

struct Writer<'t, 'o> {
    text: &'t str,
    at: usize,
    out: &'o mut Vec<u8>,
    innermost: Written,
    outer: Vec<Written>,
}

impl<'t> Writer<'t, '_> {
    /// Writes one member or element of the innermost container, or its end; `false` after the end
    /// of the outermost one.
    fn step(&mut self) -> bool {
        let byte = self.text.as_bytes()[self.at];
        if matches!(byte, b'}' | b']') {
            self.at += 1;
            close_document(self.out, self.innermost.start);
            return match self.outer.pop() {
                Some(outer) => {
                    self.innermost = outer;
                    true
                }
                None => false,
            };
        }
        if byte == b',' {
            self.at += 1;
        }
        // The type stands before the key, but is known only after it.
        let kind_at = self.out.len();
        self.out.push(0);
        self.key();
        self.out[kind_at] = self.value();
        true
    }

    fn key(&mut self) {
        if let Some(index) = &mut self.innermost.index {
            append_decimal(self.out, *index);
            *index += 1;
        } else {
            let raw = self.raw_string();
            append_unescaped(self.out, raw);
            // The colon.
            self.at += 1;
        }
        self.out.push(0);
    }

    /// Writes a value, or the begin of a container, and returns its type.
    fn value(&mut self) -> u8 {
        match self.text.as_bytes()[self.at] {
            b'{' => self.descend(kind::DOCUMENT, None),
            b'[' => self.descend(kind::ARRAY, Some(0)),
            b'"' => {
                let raw = self.raw_string();
                append_string(self.out, |out| append_unescaped(out, raw));
                kind::STRING
            }
            b't' => {
                self.at += "true".len();
                self.out.push(1);
                kind::BOOLEAN
            }
            b'f' => {
                self.at += "false".len();
                self.out.push(0);
                kind::BOOLEAN
            }
            b'n' => {
                self.at += "null".len();
                kind::NULL
            }
            _ => self.number(),
        }
    }

    fn descend(&mut self, kind: u8, index: Option<u32>) -> u8 {
        self.at += 1;
        let start = open_document(self.out);
        let outer = std::mem::replace(&mut self.innermost, Written { start, index });
        self.outer.push(outer);
        kind
    }

    fn number(&mut self) -> u8 {
        let rest = &self.text[self.at..];
        let length = rest
            .bytes()
            .position(|byte| matches!(byte, b',' | b']' | b'}'))
            .unwrap_or(rest.len());
        self.at += length;
        let token = &rest[..length];
        let Ok(integer) = token.parse::<i64>() else {
            let double = token.parse::<f64>();
            debug_assert!(
                double.is_ok(),
                "documents are checked before they are stored"
            );
            // What is no number must not be stored as one.
            let double = double.unwrap_or(f64::NAN);
            self.out.extend_from_slice(&double.to_le_bytes());
            return kind::DOUBLE;
        };
        if let Ok(short) = i32::try_from(integer) {
            self.out.extend_from_slice(&short.to_le_bytes());
            kind::INT32
        } else {
            self.out.extend_from_slice(&integer.to_le_bytes());
            kind::INT64
        }
    }

    /// What is between the quotes of the string that comes next.
    fn raw_string(&mut self) -> &'t str {
        let start = self.at;
        let length = json::string_length(&self.text.as_bytes()[start..]);
        self.at += length;
        &self.text[start + 1..start + length - 1]
    }
}

fn append_unescaped(out: &mut Vec<u8>, raw: &str) {
    let unescaped = json::for_each_piece(raw, |piece| out.extend_from_slice(piece.as_bytes()));
    debug_assert!(
        unescaped.is_ok(),
        "documents are checked before they are stored"
    );
}

/// Digit by digit: arrays have a key for every element.
fn append_decimal(out: &mut Vec<u8>, number: u32) {
    let mut digits = *b"0000000000";
    let mut from = digits.len();
    let mut rest = number;
    loop {
        from -= 1;
        // A remainder of ten is one digit.
        digits[from] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[from..]);
}

/// Appends the text that [`append_object`] was given. After an error, what is appended is of no
/// use.
///
/// # Errors
/// The bytes are damaged, or hold what [`append_object`] never writes.
pub(super) fn push_object(out: &mut String, document: &RawDocument) -> Result<()> {
    let mut reader = Reader {
        rest: document.as_bytes(),
        out,
        innermost: Read {
            left: 0,
            is_array: false,
        },
        outer: Vec::new(),
    };
    reader.innermost = reader.open(false)?;
    while reader.step()? {}
    Ok(())
}

/// A container that is being read.
struct Read {
    /// How many bytes there are after it.
    left: usize,
    is_array: bool,
}

struct Reader<'b, 'o> {
    rest: &'b [u8],
    out: &'o mut String,
    innermost: Read,
    outer: Vec<Read>,
}

impl<'b> Reader<'b, '_> {
    /// Reads one member or element of the innermost container, or its end; `false` after the end
    /// of the outermost one.
    fn step(&mut self) -> Result<bool> {
        let [kind] = self.array()?;
        if kind == 0 {
            if self.rest.len() != self.innermost.left {
                return Err(Garbled::new("the length of an object or array is wrong"));
            }
            self.out
                .push(if self.innermost.is_array { ']' } else { '}' });
            return Ok(match self.outer.pop() {
                Some(outer) => {
                    self.innermost = outer;
                    true
                }
                None => false,
            });
        }
        if !matches!(self.out.as_bytes().last(), Some(b'{' | b'[')) {
            self.out.push(',');
        }
        let key = self.key()?;
        if !self.innermost.is_array {
            json::write_string(self.out, utf8(key)?);
            self.out.push(':');
        }
        self.value(kind)?;
        Ok(true)
    }

    fn key(&mut self) -> Result<&'b [u8]> {
        let length = self.rest.iter().position(|byte| *byte == 0);
        let length = length.ok_or_else(|| Garbled::new("a key has no end"))?;
        let key = &self.rest[..length];
        self.rest = &self.rest[length + 1..];
        Ok(key)
    }

    fn value(&mut self, kind: u8) -> Result<()> {
        match kind {
            kind::DOUBLE => {
                let double = f64::from_le_bytes(self.array()?);
                if !double.is_finite() {
                    return Err(Garbled::new("a number is not finite"));
                }
                self.out.push_str(ryu::Buffer::new().format_finite(double));
            }
            kind::STRING => {
                let text = self.string()?;
                json::write_string(self.out, text);
            }
            kind::DOCUMENT | kind::ARRAY => {
                let inner = self.open(kind == kind::ARRAY)?;
                self.outer
                    .push(std::mem::replace(&mut self.innermost, inner));
            }
            kind::BOOLEAN => match self.array()? {
                [0] => self.out.push_str("false"),
                [1] => self.out.push_str("true"),
                _ => return Err(Garbled::new("a boolean is neither true nor false")),
            },
            kind::NULL => self.out.push_str("null"),
            kind::INT32 => {
                let integer = i32::from_le_bytes(self.array()?);
                self.integer(integer.into());
            }
            kind::INT64 => {
                let integer = i64::from_le_bytes(self.array()?);
                self.integer(integer);
            }
            other => {
                let what = format_args!("a value has the type {other:#04x}, which JSON has not");
                return Err(Garbled::new(what));
            }
        }
        Ok(())
    }

    /// The begin of a container.
    fn open(&mut self, is_array: bool) -> Result<Read> {
        let size = self.rest.len();
        let length = self.length()?;
        let left = size.checked_sub(length);
        let left = left.ok_or_else(|| Garbled::new("an object or array is cut off"))?;
        self.out.push(if is_array { '[' } else { '{' });
        Ok(Read { left, is_array })
    }

    fn string(&mut self) -> Result<&'b str> {
        let length = self.length()?;
        let (text, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| Garbled::new("a text is cut off"))?;
        self.rest = rest;
        match text.split_last() {
            Some((0, text)) => utf8(text),
            _ => Err(Garbled::new("the length of a text is wrong")),
        }
    }

    fn integer(&mut self, integer: i64) {
        // Writing into a String cannot fail.
        let _ = write!(self.out, "{integer}");
    }

    fn length(&mut self) -> Result<usize> {
        let length = i32::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| Garbled::new("a length is negative"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| Garbled::new("the document is cut off"))?;
        self.rest = rest;
        Ok(*head)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Garbled::new("a text is not UTF-8"))
}

#[cfg(test)]
mod tests;

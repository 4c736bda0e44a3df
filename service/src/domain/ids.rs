//! Identifiers: of sessions, of events, and the place of an event in its session.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Why a text is no session or event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// Nothing between the quotes.
    #[error("must not be empty")]
    Empty,
    /// Longer than the limit.
    #[error("must be at most {limit} bytes of UTF-8, this has {actual}")]
    TooLong {
        /// The limit in force, in bytes.
        limit: usize,
        /// The length of what was given, in bytes.
        actual: usize,
    },
    /// A control character anywhere (Unicode category Cc).
    #[error("must not contain control characters")]
    ControlCharacter,
    /// White space at the start or the end.
    #[error("must not start or end with white space")]
    BlankEnd,
    /// `.` or `..`, which browsers and proxies fold away in a path.
    #[error("must not be `.` or `..`: browsers and proxies fold them in paths")]
    DotSegment,
}

fn check_id(text: &str, limit: usize) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > limit {
        return Err(IdError::TooLong {
            limit,
            actual: text.len(),
        });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::ControlCharacter);
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(IdError::BlankEnd);
    }
    if text == "." || text == ".." {
        return Err(IdError::DotSegment);
    }
    Ok(())
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Cheap to clone. Compared byte by byte: no Unicode normalisation.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the rules of the contract: 1 to `limit` bytes, no control characters, not
            /// blank at either end, not `.` or `..`.
            ///
            /// # Errors
            /// The first rule that `text` breaks.
            pub fn parse(text: &str, limit: usize) -> Result<Self, IdError> {
                check_id(text, limit)?;
                Ok(Self(text.into()))
            }

            /// An id that was checked before it was stored.
            pub fn from_stored(text: &str) -> Self {
                Self(text.into())
            }

            /// The id as the client wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The bytes of its UTF-8.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

id_type! {
    /// Names one session, for ever: an erased session's id stays spent.
    SessionId
}
id_type! {
    /// Names one event within its session; what makes a retried append safe.
    EventId
}

/// The place of a record in its session's log: 1, 2, 3 … without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(u64);

impl Seq {
    /// The place of the first record.
    pub const FIRST: Self = Self(1);

    /// `None` for 0, which is no place (it is the tail of an empty log), and beyond `i64::MAX`,
    /// which no store holds.
    pub fn new(number: u64) -> Option<Self> {
        (number > 0 && i64::try_from(number).is_ok()).then_some(Self(number))
    }

    /// The place after a log of `tail` records.
    pub fn after(tail: u64) -> Self {
        debug_assert!(tail < i64::MAX as u64);
        Self(tail + 1)
    }

    /// The number itself, 1 at least.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_every_byte_it_was_given() {
        let text = "Ünïcode/with spaces % and \u{301}";
        assert_eq!(SessionId::parse(text, 256).unwrap().as_str(), text);
    }

    #[test]
    fn an_id_that_breaks_a_rule_names_the_rule() {
        let parse = |text: &str| EventId::parse(text, 8).unwrap_err();
        assert_eq!(parse(""), IdError::Empty);
        assert_eq!(
            parse("123456789"),
            IdError::TooLong {
                limit: 8,
                actual: 9
            }
        );
        assert_eq!(parse("a\nb"), IdError::ControlCharacter);
        assert_eq!(parse("a\u{85}b"), IdError::ControlCharacter);
        assert_eq!(parse(" a"), IdError::BlankEnd);
        assert_eq!(parse("a\u{a0}"), IdError::BlankEnd);
        assert_eq!(parse("."), IdError::DotSegment);
        assert_eq!(parse(".."), IdError::DotSegment);
        assert!(EventId::parse("...", 8).is_ok());
    }

    #[test]
    fn a_seq_is_at_least_one_and_fits_an_int64() {
        assert_eq!(Seq::new(0), None);
        assert_eq!(Seq::new(1), Some(Seq::FIRST));
        assert_eq!(Seq::new(u64::MAX), None);
        assert_eq!(Seq::after(0), Seq::FIRST);
    }
}

//! Percent-encoding (RFC 3986 §2.1) of what goes into and comes out of paths and queries.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use thiserror::Error;

/// Why a part of a URI stands for no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum DecodeError {
    #[error("must be percent-encoded: a `%` is followed by two hexadecimal digits")]
    BadEscape,
    #[error("must be percent-encoded UTF-8")]
    NotUtf8,
}

/// The text that a name or a value of a query stands for: in queries a `+` is a space, as browsers
/// and most clients write it. A plus, as in the offset of a time, is `%2B`.
pub(super) fn decode_query(raw: &str) -> Result<Cow<'_, str>, DecodeError> {
    if raw.contains('+') {
        let text = decode(&raw.replace('+', " "))?.into_owned();
        return Ok(Cow::Owned(text));
    }
    decode(raw)
}

/// The text that a segment of a path stands for.
pub(super) fn decode(raw: &str) -> Result<Cow<'_, str>, DecodeError> {
    let mut rest = raw.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = match rest[at + 1..] {
            [high, low, ref after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                after
            }
            _ => return Err(DecodeError::BadEscape),
        };
    }
    percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| DecodeError::NotUtf8)
}

/// Everything but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Appends `text` as one segment of a path.
pub(super) fn push_segment(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_escapes_and_bad_utf_8_are_refused() {
        for raw in ["%", "%2", "a%zz", "%2g", "%%20", "%C3%A9%"] {
            assert_eq!(decode(raw), Err(DecodeError::BadEscape), "{raw}");
        }
        for raw in ["%ff", "%C3", "%C0%AF", "%ED%A0%80"] {
            assert_eq!(decode(raw), Err(DecodeError::NotUtf8), "{raw}");
        }
        assert_eq!(decode("a%2Fb%2fc+d").unwrap(), "a/b/c+d");
        assert_eq!(decode_query("a+%2B+b").unwrap(), "a + b");
        assert_eq!(decode_query("+%zz"), Err(DecodeError::BadEscape));
    }

    proptest! {
        #[test]
        fn every_text_survives_the_way_through_a_path(text in any::<String>()) {
            let mut segment = String::new();
            push_segment(&mut segment, &text);
            prop_assert!(!segment.contains('/'));
            prop_assert_eq!(decode(&segment).unwrap(), text);
        }

        #[test]
        fn no_text_makes_the_decoder_panic(text in "[%0-9a-gé]{0,20}") {
            let _ = decode(&text);
        }
    }
}

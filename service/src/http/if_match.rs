//! The header `If-Match` (RFC 9110 §13.1.1): which versions of a session a change may build on.

use axum::http::{HeaderMap, header};

use crate::domain::Version;

/// The versions that a request accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Any: the header is absent, or `*`.
    Any,
    /// Those whose strong entity tag is listed.
    OneOf(Vec<Version>),
}

/// The header is neither `*` nor a list of entity tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `*` or a list of entity tags such as `\"3\"`")]
pub(super) struct Malformed;

impl IfMatch {
    /// Several headers are one list (RFC 9110 §5.3).
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Malformed> {
        let mut any = false;
        let mut is_given = false;
        let mut listed = 0_usize;
        let mut versions = Vec::new();
        for value in headers.get_all(header::IF_MATCH) {
            is_given = true;
            let mut rest = value.as_bytes();
            loop {
                rest = rest.trim_ascii_start();
                rest = match rest {
                    [] => break,
                    // Empty elements are to be ignored (RFC 9110 §5.6.1.2).
                    [b',', after @ ..] => after,
                    [b'*', after @ ..] => {
                        any = true;
                        end_of_element(after)?
                    }
                    _ => {
                        listed += 1;
                        let (version, after) = entity_tag(rest)?;
                        versions.extend(version);
                        end_of_element(after)?
                    }
                };
            }
        }
        match (is_given, any, listed) {
            (false, ..) | (true, true, 0) => Ok(Self::Any),
            (true, false, 1..) => Ok(Self::OneOf(versions)),
            _ => Err(Malformed),
        }
    }

    /// Whether a session at this version may be changed.
    pub(super) fn accepts(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

fn end_of_element(rest: &[u8]) -> Result<&[u8], Malformed> {
    match rest.trim_ascii_start() {
        [] => Ok(&[]),
        [b',', after @ ..] => Ok(after),
        _ => Err(Malformed),
    }
}

/// An entity tag, and what comes after it. The version is that of a strong tag that this service
/// could have made: weak ones never match (RFC 9110 §8.8.3.2), others match nothing.
fn entity_tag(text: &[u8]) -> Result<(Option<Version>, &[u8]), Malformed> {
    let (is_strong, quoted) = match text {
        [b'W', b'/', quoted @ ..] => (false, quoted),
        quoted => (true, quoted),
    };
    let [b'"', opaque @ ..] = quoted else {
        return Err(Malformed);
    };
    let end = opaque
        .iter()
        .position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))
        .ok_or(Malformed)?;
    let (opaque, [b'"', after @ ..]) = opaque.split_at(end) else {
        return Err(Malformed);
    };
    let version = std::str::from_utf8(opaque)
        .ok()
        .and_then(|text| Some((text, text.parse().ok()?)))
        // `"03"` and `"+3"` are other tags than `"3"`.
        .filter(|(text, number): &(&str, u64)| is_strong && *text == number.to_string());
    Ok((version.map(|(_, number)| Version(number)), after))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<IfMatch, Malformed> {
        let values = values
            .iter()
            .map(|value| (header::IF_MATCH, HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        IfMatch::read(&headers)
    }

    fn versions(numbers: &[u64]) -> IfMatch {
        IfMatch::OneOf(numbers.iter().copied().map(Version).collect())
    }

    #[test]
    fn absent_and_star_accept_every_version() {
        assert_eq!(read(&[]), Ok(IfMatch::Any));
        assert_eq!(read(&["*"]), Ok(IfMatch::Any));
        assert_eq!(read(&[" * "]), Ok(IfMatch::Any));
    }

    #[test]
    fn a_list_accepts_the_versions_of_its_strong_tags() {
        assert_eq!(read(&["\"3\""]), Ok(versions(&[3])));
        assert_eq!(read(&["\"3\", \"4\",,"]), Ok(versions(&[3, 4])));
        assert_eq!(read(&["\"3\"", "\"4\""]), Ok(versions(&[3, 4])));
        assert_eq!(
            read(&["W/\"3\", \"x,y\", \"03\", \"+3\", \"\""]),
            Ok(versions(&[]))
        );
        let accepted = read(&["\"3\""]).unwrap();
        assert!(accepted.accepts(Version(3)) && !accepted.accepts(Version(4)));
    }

    #[test]
    fn anything_else_is_malformed() {
        for value in [
            "",
            ",",
            "3",
            "\"3",
            "3\"",
            "\"3\" \"4\"",
            "\"a b\"",
            "w/\"3\"",
            "W/3",
            "*, \"3\"",
            "**",
            "\"3\"x",
        ] {
            assert_eq!(read(&[value]), Err(Malformed), "{value}");
        }
    }
}

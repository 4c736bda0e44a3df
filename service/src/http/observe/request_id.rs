//! The id of a request: the one it brings along, if that can be one, else a new one.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};

use crate::http::RequestId;

/// Longest id that is taken over, in bytes: it is echoed and logged.
const LONGEST: usize = 128;

impl RequestId {
    /// The one that the header `X-Request-Id` brings, if it is there once and is of 1 to 128
    /// visible ASCII characters; else a random one.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all("x-request-id").iter();
        let id = match (given.next(), given.next()) {
            (Some(id), None) => id.to_str().ok().filter(|id| is_id(id)),
            _ => None,
        };
        Self(id.map_or_else(random, Arc::from))
    }

    /// The id as a header's value.
    pub(super) fn header(&self) -> HeaderValue {
        // Visible ASCII always is one, so the other branch is never taken.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

fn random() -> Arc<str> {
    format!("{:032x}", rand::random::<u128>()).into()
}

fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn of(values: &[&[u8]]) -> RequestId {
        let name = HeaderName::from_static("x-request-id");
        let header = |value: &&[u8]| (name.clone(), HeaderValue::from_bytes(value).unwrap());
        RequestId::of(&values.iter().map(header).collect())
    }

    #[test]
    fn an_id_that_is_given_is_kept() {
        for id in ["a", "4bf92f3577b34da6", "\"},{\"a\":\"", &"x".repeat(128)] {
            assert_eq!(&*of(&[id.as_bytes()]).0, id);
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_replaced_by_a_new_one() {
        let long = "x".repeat(129);
        for values in [
            &[][..],
            &[&b""[..]],
            &[&b"a b"[..]],
            &[&b"a\tb"[..]],
            &[&b"\xc3\xa9"[..]],
            &[&b"a"[..], &b"b"[..]],
            &[long.as_bytes()],
        ] {
            let (one, other) = (of(values), of(values));
            assert_ne!(one.0, other.0, "{values:?}");
            assert_eq!(one.0.len(), 32);
        }
    }
}

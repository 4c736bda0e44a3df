//! Which media types of bodies the API takes.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// What a route takes as the `Content-Type` of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// `application/json`
    Json,
    /// `application/merge-patch+json` (RFC 7396) and `application/json`
    MergePatch,
}

impl Accepted {
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::MergePatch => &["application/merge-patch+json", "application/json"],
        }
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Json => "`application/json`",
            Self::MergePatch => "`application/merge-patch+json` or `application/json`",
        }
    }

    /// The header that tells a client of it: `Accept-Patch` (RFC 5789 §3.1), `Accept-Post` (LDP).
    pub(super) fn header(self) -> (HeaderName, &'static str) {
        match self {
            Self::Json => (HeaderName::from_static("accept-post"), "application/json"),
            Self::MergePatch => (
                HeaderName::from_static("accept-patch"),
                "application/merge-patch+json, application/json",
            ),
        }
    }

    /// Whether a body with these headers can be read.
    pub(super) fn takes(self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(content_type), None) = (given.next(), given.next()) else {
            return false;
        };
        content_type
            .to_str()
            .is_ok_and(|text| self.takes_type(text))
            && headers
                .get_all(header::CONTENT_ENCODING)
                .iter()
                .all(is_identity)
    }

    /// RFC 9110 §8.3.1. Parameters have no meaning for JSON (RFC 8259 §11) and are ignored, but
    /// for a `charset` that says that it is not UTF-8.
    fn takes_type(self, text: &str) -> bool {
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim();
        let is_known = self
            .types()
            .iter()
            .any(|known| known.eq_ignore_ascii_case(essence));
        is_known
            && parts.all(|parameter| match parameter.trim().split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                    value.trim_matches('"').eq_ignore_ascii_case("utf-8")
                }
                Some((name, _)) => !name.is_empty(),
                // An empty parameter, as after a trailing semicolon, is allowed.
                None => parameter.trim().is_empty(),
            })
    }
}

fn is_identity(encoding: &HeaderValue) -> bool {
    encoding.as_bytes().eq_ignore_ascii_case(b"identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(accepted: Accepted, name: &HeaderName, values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        if *name != header::CONTENT_TYPE {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        accepted.takes(&headers)
    }

    #[test]
    fn json_is_taken_with_a_charset_of_utf_8_or_none() {
        for given in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json ; profile=x",
            "application/json;",
        ] {
            assert!(
                takes(Accepted::Json, &header::CONTENT_TYPE, &[given]),
                "{given}"
            );
        }
        for given in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json, application/json",
            "application/merge-patch+json",
            "application/json; charset=latin1",
            "application/json; utf-8",
            "*/*",
        ] {
            assert!(
                !takes(Accepted::Json, &header::CONTENT_TYPE, &[given]),
                "{given}"
            );
        }
        assert!(!takes(Accepted::Json, &header::CONTENT_TYPE, &[]));
        let twice = ["application/json", "application/json"];
        assert!(!takes(Accepted::Json, &header::CONTENT_TYPE, &twice));
    }

    #[test]
    fn a_patch_also_takes_its_own_type() {
        let given = "application/merge-patch+json";
        assert!(takes(Accepted::MergePatch, &header::CONTENT_TYPE, &[given]));
        let plain = "application/json";
        assert!(takes(Accepted::MergePatch, &header::CONTENT_TYPE, &[plain]));
    }

    #[test]
    fn compressed_bodies_are_not_taken() {
        let encoding = header::CONTENT_ENCODING;
        assert!(takes(Accepted::Json, &encoding, &["identity"]));
        assert!(!takes(Accepted::Json, &encoding, &["gzip"]));
    }
}

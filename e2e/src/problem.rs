//! Refusals: what every `application/problem+json` must have, and what it says is wrong.

use serde_json::Value;

use crate::client::Reply;

/// A problem (RFC 9457) whose form has been checked.
#[derive(Debug)]
pub struct Problem {
    /// The stable URI of its kind.
    pub kind: String,
    /// What is wrong with this request, for people.
    pub detail: String,
    /// The places it names; see [`place`].
    pub places: Vec<String>,
}

impl Problem {
    /// The problem in `reply`.
    #[track_caller]
    pub fn of(reply: &Reply) -> Self {
        let shown = format!("{} {}: {}", reply.request, reply.status, reply.text);
        let media_type = reply.header("content-type").unwrap_or_default();
        assert!(
            media_type.starts_with("application/problem+json"),
            "{media_type} in {shown}"
        );

        let body = reply.json();
        assert_eq!(
            body["instance"].as_str(),
            reply.header("x-request-id"),
            "instance in {shown}"
        );
        Self::parse(&body, reply.status.into(), &shown)
    }

    /// The problem of a batch's item, which has no answer of its own to belong to.
    #[track_caller]
    pub fn of_item(result: &Value, status: u64) -> Self {
        assert_eq!(
            result["status"].as_u64(),
            Some(status),
            "status in {result}"
        );
        assert_eq!(
            result.get("event"),
            None,
            "a refused item has no event: {result}"
        );
        Self::parse(&result["problem"], status, &result.to_string())
    }

    #[track_caller]
    fn parse(body: &Value, status: u64, shown: &str) -> Self {
        let text = |name: &str| match body[name].as_str() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => panic!("no {name} in {shown}"),
        };
        assert_eq!(body["status"].as_u64(), Some(status), "status in {shown}");
        text("title");
        let errors = body.get("errors").map_or(&[][..], |errors| {
            errors
                .as_array()
                .unwrap_or_else(|| panic!("errors is no array in {shown}"))
        });
        for error in errors {
            assert!(
                error["detail"].is_string(),
                "an error without detail in {shown}"
            );
        }
        let mut places: Vec<_> = errors.iter().map(place).collect();
        places.sort();
        Self {
            kind: text("type"),
            detail: text("detail"),
            places,
        }
    }

    /// Asserts that these places are wrong, all of them and no other.
    #[track_caller]
    pub fn names(&self, places: &[&str]) {
        let mut expected = places.to_vec();
        expected.sort_unstable();
        assert_eq!(self.places, expected, "{}", self.detail);
    }
}

/// Where an entry of `errors` points to: `/payload/a` in the body, `?limit` for a parameter of path
/// or query, `if-match:` for a header.
fn place(error: &Value) -> String {
    let member = |name: &str| error.get(name).and_then(Value::as_str);
    match (member("pointer"), member("parameter"), member("header")) {
        (Some(pointer), None, None) => pointer.to_owned(),
        (None, Some(parameter), None) => format!("?{parameter}"),
        (None, None, Some(header)) => format!("{}:", header.to_ascii_lowercase()),
        _ => panic!("not one place in {error}"),
    }
}

//! JSON objects that clients entrust to us: payloads and metadata.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::json::{self, CompactError};

/// A JSON object as its compact text: no white space, keys in the order given, integers within
/// int64, doubles as their shortest text. What comes in goes out, byte for byte, after that one
/// normalisation.
#[derive(Clone, PartialEq, Eq)]
pub struct Document(Arc<str>);

/// Why a value is no document, and where in it.
pub type DocumentError = CompactError;

impl Document {
    /// `{}`
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// A document that was checked before it was stored: compact text of an object.
    pub fn from_stored(text: &str) -> Self {
        debug_assert!(text.starts_with('{') && text.ends_with('}'));
        Self(text.into())
    }

    /// Reads an object of at most `max_bytes` of compact text and `max_nesting` levels, itself
    /// being the first.
    ///
    /// # Errors
    /// Everything that is wrong in it, each with its place.
    pub fn read(
        value: json::Value<'_>,
        max_bytes: usize,
        max_nesting: usize,
    ) -> Result<Self, Vec<DocumentError>> {
        json::compact_object(value, max_bytes, max_nesting).map(|text| Self(text.into()))
    }

    /// The document of a tree that was made of documents, so that only its text has to be brought
    /// into compact form.
    pub(super) fn of_tree(tree: &Value) -> Self {
        let text = tree.to_string();
        let compact = json::check(text.as_bytes())
            .ok()
            .and_then(|value| Self::read(value, usize::MAX, usize::MAX).ok());
        debug_assert!(compact.is_some(), "a tree of documents is a document");
        compact.unwrap_or_else(Self::empty)
    }

    /// The compact text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The size that limits are about, in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is `{}`.
    pub fn is_empty(&self) -> bool {
        &*self.0 == "{}"
    }

    /// The same content, whatever the order of keys. 1 and 1.0 differ, as do 0.0 and -0.0.
    pub fn same_content(&self, other: &Self) -> bool {
        self == other || same_value(&self.to_value(), &other.to_value())
    }

    /// The document as a tree.
    pub fn to_value(&self) -> Value {
        json::to_value(&self.0)
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same_value(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        // Compact text is one to one with the number, and tells 1 from 1.0 and 0.0 from -0.0.
        (Value::Number(a), Value::Number(b)) => a.to_string() == b.to_string(),
        _ => a == b,
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Document::from_stored(a).same_content(&Document::from_stored(b))
    }

    #[test]
    fn content_ignores_the_order_of_keys_at_every_level() {
        assert!(same(
            r#"{"a":1,"b":{"c":[],"d":null}}"#,
            r#"{"b":{"d":null,"c":[]},"a":1}"#
        ));
        assert!(!same(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":null}"#));
    }

    #[test]
    fn content_tells_an_integer_from_a_double() {
        assert!(!same(r#"{"a":1}"#, r#"{"a":1.0}"#));
        assert!(!same(r#"{"x":1,"a":0.0}"#, r#"{"a":-0.0,"x":1}"#));
        assert!(same(r#"{"x":1,"a":0.1}"#, r#"{"a":0.1,"x":1}"#));
    }
}

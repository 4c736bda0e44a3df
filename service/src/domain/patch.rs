//! Changing a session after it was created: JSON merge patch (RFC 7396) of metadata and language.

use serde_json::{Map, Value};

use crate::domain::{Document, Language};

/// What a client asks to change. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionPatch {
    /// The new language.
    pub language: Option<Language>,
    /// What becomes of the metadata.
    pub metadata: Option<MetadataPatch>,
}

/// A change of metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataPatch {
    /// `null`: all of it goes.
    Clear,
    /// An object: merged into what is there, nulls in it remove keys.
    Merge(Document),
}

impl SessionPatch {
    /// The metadata after this patch. Its size is for the caller to judge.
    pub fn patched_metadata(&self, current: &Document) -> Document {
        match &self.metadata {
            None => current.clone(),
            Some(MetadataPatch::Clear) => Document::empty(),
            Some(MetadataPatch::Merge(patch)) => {
                let mut target = current.to_value();
                merge(&mut target, patch.to_value());
                Document::of_tree(&target)
            }
        }
    }
}

/// RFC 7396 §2. Recursion is bounded by the nesting limit of documents.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            // Not swap_remove: the order of the other keys stays.
            fields.shift_remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(current: &str, patch: &str) -> String {
        let patch = SessionPatch {
            metadata: Some(MetadataPatch::Merge(Document::from_stored(patch))),
            ..SessionPatch::default()
        };
        let current = Document::from_stored(current);
        patch.patched_metadata(&current).as_str().to_owned()
    }

    #[test]
    fn the_examples_of_rfc_7396_hold() {
        for (current, patch, result) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ] {
            assert_eq!(patched(current, patch), result, "{current} + {patch}");
        }
    }

    #[test]
    fn numbers_and_the_order_of_keys_survive_a_patch() {
        let current = r#"{"z":1.0,"a":9223372036854775807,"m":-0.0,"e":1e300}"#;
        assert_eq!(
            patched(current, r#"{"n":0.1}"#),
            r#"{"z":1.0,"a":9223372036854775807,"m":-0.0,"e":1e300,"n":0.1}"#
        );
    }

    #[test]
    fn null_metadata_empties_it() {
        let patch = SessionPatch {
            metadata: Some(MetadataPatch::Clear),
            ..SessionPatch::default()
        };
        let current = Document::from_stored(r#"{"a":1}"#);
        assert!(patch.patched_metadata(&current).is_empty());
    }
}

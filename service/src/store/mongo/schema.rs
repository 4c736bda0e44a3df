//! Collections and indexes: made at the start, and checked by what they are, not by their names.
//!
//! Two of them carry the promises: without the unique indexes, races would store duplicates. So
//! nothing is served before they are proven to be there.

use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, rawdoc};
use thiserror::Error;

use crate::store::mongo::error::CallError;
use crate::store::mongo::link::Link;

/// Events of a session in the order of time.
pub(super) const EVENTS_BY_TIME: &str = "session_timestamp_seq";
/// Sessions of a status, newest start first.
pub(super) const SESSIONS_BY_STATUS: &str = "status_started";
/// Sessions of a language, whatever its case, newest start first.
pub(super) const SESSIONS_BY_LANGUAGE: &str = "language_status_started";
/// Erased sessions whose content is still to be replaced.
pub(super) const SESSIONS_TO_PURGE: &str = "purge_pending";

/// Why nothing can be served on this database. Each text is one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum SchemaError {
    /// It is there, but it is another one.
    #[error(
        "index {index} of collection {collection} differs from what is needed ({needed}): look \
         whether somebody else uses the database; if not, drop it, and it is made anew: \
         db.{collection}.dropIndex(\"{index}\")"
    )]
    Different {
        index: &'static str,
        collection: &'static str,
        needed: String,
    },
    /// It cannot be made.
    #[error("index {index} of collection {collection} is missing and cannot be made: {why}")]
    Missing {
        index: &'static str,
        collection: &'static str,
        why: String,
    },
    /// It could not be found out.
    #[error("the indexes cannot be checked: {0}")]
    Unchecked(#[from] CallError),
}

/// An index as it has to be.
struct Index {
    collection: &'static str,
    name: &'static str,
    /// Keys and options, as `createIndexes` takes them and `listIndexes` shows them.
    definition: Document,
}

/// Comparing languages: BCP 47 tags ignore case.
pub(super) fn ignoring_case() -> Document {
    doc! {"locale": LOCALE, "strength": STRENGTH}
}

/// The same, in bytes.
pub(super) fn ignoring_case_in_bytes() -> RawDocumentBuf {
    rawdoc! {"locale": LOCALE, "strength": STRENGTH}
}

const LOCALE: &str = "en";
/// Base characters and accents count, case does not.
const STRENGTH: i32 = 2;

/// The three indexes of the log, then those that listing and erasing need.
fn indexes() -> [Index; 6] {
    let index = |collection, name, definition| Index {
        collection,
        name,
        definition,
    };
    [
        index(
            "sessions",
            "session",
            doc! {"key": {"sessionId": 1}, "unique": true},
        ),
        index(
            "events",
            "session_event",
            doc! {"key": {"_id.sessionId": 1, "eventId": 1}, "unique": true},
        ),
        index(
            "events",
            EVENTS_BY_TIME,
            doc! {"key": {"_id.sessionId": 1, "timestamp": 1, "_id.seq": 1}},
        ),
        index(
            "sessions",
            SESSIONS_BY_STATUS,
            doc! {"key": {"status": 1, "startedAt": -1, "_id": -1}},
        ),
        index(
            "sessions",
            SESSIONS_BY_LANGUAGE,
            doc! {
                "key": {"language": 1, "status": 1, "startedAt": -1, "_id": -1},
                "collation": ignoring_case(),
            },
        ),
        index(
            "sessions",
            SESSIONS_TO_PURGE,
            doc! {
                "key": {"erased.purge": 1},
                "partialFilterExpression": {"erased.purge": "pending"},
            },
        ),
    ]
}

/// Makes what is missing, then checks what is there.
pub(super) async fn ensure(link: &Link) -> Result<(), SchemaError> {
    let needed = indexes();
    for collection in ["sessions", "events"] {
        let there = link.list_indexes(collection).await?;
        for index in needed.iter().filter(|it| it.collection == collection) {
            if there
                .iter()
                .any(|it| it.get_str("name").is_ok_and(|name| name == index.name))
            {
                continue;
            }
            make(link, index).await?;
        }
        let there = link.list_indexes(collection).await?;
        for index in needed.iter().filter(|it| it.collection == collection) {
            check(index, &there)?;
        }
    }
    Ok(())
}

async fn make(link: &Link, index: &Index) -> Result<(), SchemaError> {
    let mut definition = index.definition.clone();
    definition.insert("name", index.name);
    tracing::info!(
        index = index.name,
        collection = index.collection,
        "an index is made"
    );
    let command = doc! {
        "createIndexes": index.collection,
        "indexes": [definition],
        // Not every member: one that is away would hold up the start.
        "commitQuorum": "majority",
        "writeConcern": {"w": "majority"},
    };
    match link.build(command).await {
        Ok(()) => Ok(()),
        // One of the same keys under another name, or of the same name with other keys.
        Err(CallError::Refused(why)) => Err(SchemaError::Missing {
            index: index.name,
            collection: index.collection,
            why,
        }),
        Err(error) => Err(error.into()),
    }
}

fn check(index: &Index, there: &[Document]) -> Result<(), SchemaError> {
    let found = there
        .iter()
        .find(|it| it.get_str("name").is_ok_and(|name| name == index.name));
    match found {
        None => Err(SchemaError::Missing {
            index: index.name,
            collection: index.collection,
            why: "it was dropped a moment ago".to_owned(),
        }),
        Some(found) if is_same(&index.definition, found) => Ok(()),
        Some(_) => Err(SchemaError::Different {
            index: index.name,
            collection: index.collection,
            needed: index.definition.to_string(),
        }),
    }
}

/// Whether an index is as it has to be. Options that are not named have to be absent, since each
/// of them (sparse, hidden, a time to live, …) takes something from it; `v` and `background` only
/// say how it is or was made.
fn is_same(needed: &Document, found: &Document) -> bool {
    let is_named_or_harmless = |key: &String| {
        needed.contains_key(key) || ["v", "name", "ns", "background"].contains(&key.as_str())
    };
    found.keys().all(is_named_or_harmless)
        && needed
            .iter()
            .all(|(key, needed)| match (needed, found.get(key)) {
                // The server adds every default of the locale.
                (Bson::Document(needed), Some(Bson::Document(found))) if key == "collation" => {
                    needed.iter().all(|(key, value)| {
                        found.get(key).is_some_and(|found| same_value(value, found))
                    })
                }
                (Bson::Document(needed), Some(Bson::Document(found))) => {
                    needed.len() == found.len()
                        && needed
                            .iter()
                            .zip(found)
                            .all(|((a, x), (b, y))| a == b && same_value(x, y))
                }
                (needed, Some(found)) => same_value(needed, found),
                (_, None) => false,
            })
}

/// Numbers come back in whatever type a shell gave them.
fn same_value(a: &Bson, b: &Bson) -> bool {
    let number = |value: &Bson| match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        #[expect(clippy::cast_precision_loss, reason = "1, -1, or a small option")]
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        _ => None,
    };
    match (number(a), number(b)) {
        #[expect(clippy::float_cmp, reason = "both are small whole numbers")]
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique() -> Document {
        doc! {"key": {"_id.sessionId": 1, "eventId": 1}, "unique": true}
    }

    #[test]
    fn an_index_is_known_by_its_definition_as_the_server_shows_it() {
        let shown = doc! {
            "v": 2, "key": {"_id.sessionId": 1.0, "eventId": 1_i64}, "name": "any", "unique": true,
        };
        assert!(is_same(&unique(), &shown));
    }

    #[test]
    fn an_index_that_promises_less_is_another_one() {
        let key = doc! {"_id.sessionId": 1, "eventId": 1};
        for other in [
            doc! {"key": key.clone()},
            doc! {"key": {"eventId": 1, "_id.sessionId": 1}, "unique": true},
            doc! {"key": {"_id.sessionId": 1}, "unique": true},
            doc! {"key": {"_id.sessionId": -1, "eventId": 1}, "unique": true},
            doc! {"key": key.clone(), "unique": true, "sparse": true},
            doc! {"key": key.clone(), "unique": true, "partialFilterExpression": {"a": 1}},
            doc! {"key": key, "unique": true, "collation": {"locale": "en"}},
        ] {
            assert!(!is_same(&unique(), &other), "{other}");
        }
    }

    #[test]
    fn a_collation_is_known_by_what_was_asked_of_it() {
        let needed = doc! {"key": {"language": 1}, "collation": ignoring_case()};
        let shown = doc! {
            "key": {"language": 1}, "v": 2, "name": "x",
            "collation": {"locale": "en", "caseLevel": false, "strength": 2, "version": "57.1"},
        };
        assert!(is_same(&needed, &shown));
    }
}

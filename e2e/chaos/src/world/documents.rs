//! The documents of the database, read by a user that may do everything: the API could hide what it
//! has stored wrong.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use mongodb::{
    Collection, Database,
    bson::{Bson, Document, doc},
    error::{Error, Result},
};

use crate::{
    history::values::Digest,
    stored::{Raw, Record, What},
};

/// All sessions, by id. Everything must be calm.
pub(super) async fn read(database: &Database) -> Result<BTreeMap<String, Raw>> {
    let mut sessions: BTreeMap<String, Raw> = BTreeMap::new();
    for document in all(&database.collection("sessions"), "sessionId").await? {
        let raw = sessions.entry(text(&document, "sessionId")?).or_default();
        raw.sessions += 1;
        raw.tombstone |= document.contains_key("erased");
    }
    for document in all(&database.collection("events"), "_id").await? {
        let id = document.get_document("_id").map_err(Error::custom)?;
        let raw = sessions.entry(text(id, "sessionId")?).or_default();
        raw.records.push(Record {
            seq: place(id)?,
            what: what(&document),
        });
    }
    Ok(sessions)
}

/// All documents but for their large parts.
async fn all(collection: &Collection<Document>, order: &str) -> Result<Vec<Document>> {
    let find = collection.find(doc! {}).sort(doc! { order: 1 });
    find.projection(doc! { "payload": 0, "metadata": 0 })
        .await?
        .try_collect()
        .await
}

fn text(document: &Document, field: &str) -> Result<String> {
    let text = document.get_str(field).map_err(Error::custom)?;
    Ok(text.to_owned())
}

fn place(id: &Document) -> Result<u64> {
    let seq = match id.get("seq") {
        Some(Bson::Int64(seq)) => u64::try_from(*seq).ok(),
        Some(Bson::Int32(seq)) => u64::try_from(*seq).ok(),
        _ => None,
    };
    seq.ok_or_else(|| Error::custom(format!("{id} has no place")))
}

fn what(document: &Document) -> What {
    let is_erased = document.get_bool("erased").unwrap_or(false);
    let is_terminal = document.contains_key("closed") && !document.contains_key("eventId");
    match document.get("eventId") {
        Some(Bson::String(event)) if !is_erased => What::Event {
            event: event.clone(),
        },
        Some(Bson::Int32(_) | Bson::Int64(_)) if is_erased => What::Stub,
        None if is_terminal => What::Terminal,
        _ => What::Other {
            digest: Digest::of(&[&document.to_string()]),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_document_is_known() {
        let event = doc! { "_id": { "sessionId": "s", "seq": 1_i64 }, "eventId": "a" };
        let terminal = doc! { "_id": { "sessionId": "s", "seq": 2_i64 }, "closed": {} };
        let stub = doc! { "eventId": 1_i64, "erased": true };
        let half_erased = doc! { "eventId": "a", "erased": true };
        let a = What::Event {
            event: "a".to_owned(),
        };
        assert_eq!(what(&event), a);
        assert_eq!(what(&terminal), What::Terminal);
        assert_eq!(what(&stub), What::Stub);
        assert!(matches!(what(&half_erased), What::Other { .. }));
    }

    #[test]
    fn a_place_is_a_positive_integer() {
        assert_eq!(place(&doc! { "seq": 3_i64 }).unwrap(), 3);
        assert_eq!(place(&doc! { "seq": 3 }).unwrap(), 3);
        assert!(place(&doc! { "seq": "3" }).is_err());
        assert!(place(&doc! { "seq": -3 }).is_err());
    }
}

//! What is stored, as operations of the model: pushing them checks the invariants of every log.

use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use sessionstore::domain::{NewSession, SessionId};
use sessionstore::log::Request;
use sessionstore::store::{LogState, MongoStore, Record};

use super::play::look;
use crate::history::History;
use crate::model::{Cluster, Op};
use crate::reads::Seen;
use crate::violation::{Violation, promise};

/// Which records there are is read from the collections themselves, what is in them through a
/// store. An operation counts as done in the step in which it was first acknowledged, the latest
/// in which it can have been.
pub(crate) async fn read(
    database: &Database,
    store: &MongoStore,
    history: &History,
) -> Result<Cluster, Violation> {
    let mut ops = Vec::new();
    for session in all(database, "sessions", doc! {}).await {
        let name = session.get_str("sessionId").expect("a name");
        let id = SessionId::from_stored(name);
        let known_since = history.known_since(&id).unwrap_or(usize::MAX);
        ops.push((known_since, Op::Created(creation(&session, history)?)));
        let seen = look(store, &id).await;
        let records = all(database, "events", doc! {"_id.sessionId": name}).await;
        for document in &records {
            let record = record(&id, document, &seen)?;
            let done = history.acknowledged_in(&id, record.seq().get());
            ops.push((done.unwrap_or(usize::MAX), Op::Stored(record)));
        }
        let shown = seen.events.len() + usize::from(matches!(seen.log, LogState::Closed(_)));
        promise("what is read is stored", shown == records.len(), || {
            format!("{id}: {shown} records shown, {} stored", records.len())
        })?;
    }
    // Those of one session stay in their order: a place is acknowledged by each one behind it.
    ops.sort_by_key(|(step, _)| *step);
    let mut cluster = Cluster::new();
    for (step, op) in ops {
        let place = cluster.branch_mut(0).push(op)?;
        cluster.advance(place + 1, step)?;
    }
    Ok(cluster)
}

/// The documents of a collection in the order of their keys.
async fn all(database: &Database, collection: &str, filter: Document) -> Vec<Document> {
    let collection = database.collection::<Document>(collection);
    let found = collection.find(filter).sort(doc! {"_id": 1});
    let mut cursor = found.await.expect("an answer");
    let mut documents = Vec::new();
    while cursor.advance().await.expect("an answer") {
        documents.push(cursor.deserialize_current().expect("a document"));
    }
    documents
}

/// The request that created a session.
fn creation(session: &Document, history: &History) -> Result<NewSession, Violation> {
    let creation_id = session.get_object_id("_id").expect("a creation id").bytes();
    let mut requests = history.entries().iter().map(|entry| &entry.request);
    let created = requests.find_map(|request| match request {
        Request::Create(new) if new.creation_id.0 == creation_id => Some(new.clone()),
        _ => None,
    });
    created.ok_or_else(|| Violation {
        promise: "a session is one that was asked for",
        finding: session.to_string(),
    })
}

/// What a reader is shown of a stored record.
fn record(id: &SessionId, document: &Document, seen: &Seen) -> Result<Record, Violation> {
    let key = document.get_document("_id").expect("a key");
    let seq = key.get_i64("seq").expect("a place");
    let same_place = |place: u64| i64::try_from(place) == Ok(seq);
    let shown = match document.get("eventId") {
        Some(Bson::String(event_id)) => {
            let mut events = seen.events.iter();
            let event = events.find(|it| same_place(it.seq.get()));
            event
                .filter(|it| it.event_id.as_str() == event_id)
                .cloned()
                .map(Record::Event)
        }
        _ => match &seen.log {
            LogState::Closed(terminal) if same_place(terminal.seq.get()) => {
                Some(Record::Terminal(id.clone(), terminal.clone()))
            }
            _ => None,
        },
    };
    shown.ok_or_else(|| Violation {
        promise: "what is stored is read",
        finding: format!("{document} of {seen:?}"),
    })
}

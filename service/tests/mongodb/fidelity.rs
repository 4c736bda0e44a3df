//! What clients entrust comes back byte for byte, whatever the database makes of such keys.

use sessionstore::domain::{Consistency, Document, MetadataPatch, SessionPatch};
use sessionstore::store::Store;

use crate::process::Process;
use crate::sample::{after_seq, at, create, id, new_event, new_session};
use crate::set::{Base, unhurt};

/// Each of them is refused, changed or understood otherwise by some database, driver or version.
fn difficult() -> Vec<Document> {
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let arrays = format!(r#"{{"a":{}{}}}"#, "[".repeat(63), "]".repeat(63));
    let texts = [
        "{}",
        r#"{"$set":{"a":1},"$where":"1","$":{"$":null}}"#,
        r#"{"$ref":"events","$id":1,"$db":"x"}"#,
        r#"{"$id":{"$oid":"0123456789abcdef01234567"},"$ref":7}"#,
        r#"{"a":{"$ref":1},"b":{"$id":2},"c":{"$db":3}}"#,
        r#"{"$date":{"$numberLong":"0"},"$numberDouble":"NaN","$binary":""}"#,
        r#"{"a.b":{"c.d":[{"e.":1,".f":2,"..":3}]},".":0}"#,
        r#"{"":{"":{"":""}}}"#,
        r#"{"_id":1,"_id.sessionId":2,"sessionId":3,"eventId":4,"erased":true,"closed":{}}"#,
        r#"{"m":-0.0,"z":0,"o":1.0,"i":1,"e":1e300,"s":5e-324,"d":0.1,"t":1e21}"#,
        r#"{"a":9223372036854775807,"b":-9223372036854775808,"c":9.223372036854776e18}"#,
        r#"{"a":2147483647,"b":2147483648,"c":-2147483648,"d":-2147483649}"#,
        r#"{"b":1,"a":2,"10":3,"9":4,"0":5}"#,
        r#"{"a":[{"0":[]},[],{},null,true,false,""]}"#,
        "{\"\u{1F600}é\":\"\u{2028}\u{FEFF}\u{7F}\",\"t\":\"\\u0000\\n\\\"\\\\\"}",
    ];
    let mut documents: Vec<Document> = texts.into_iter().map(Document::from_stored).collect();
    documents.push(Document::from_stored(&nested(64)));
    documents.push(Document::from_stored(&arrays));
    documents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_come_back_byte_for_byte() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let process = Process::serving(&base.url).await;
    let other = Process::serving(&base.url).await;
    create(&*process.store, "s").await;
    let documents = difficult();
    for (number, document) in documents.iter().enumerate() {
        let mut event = new_event("s", &format!("e{number}"));
        event.payload = document.clone();
        let appended = process.log.append(event.clone()).await.unwrap();
        assert_eq!(appended.event.payload, *document);
        // Told from the stored one, not from what was sent.
        let again = other.log.append(event).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.event.payload, *document);
    }
    let query = after_seq(0, Consistency::Strong);
    let page = process.store.events(&id("s"), &query).await.unwrap();
    let payloads: Vec<Document> = page.events.into_iter().map(|it| it.payload).collect();
    assert_eq!(payloads, documents);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_comes_back_byte_for_byte_after_creation_and_change() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let process = Process::serving(&base.url).await;
    for (number, document) in difficult().into_iter().enumerate() {
        let created = format!("created{number}");
        let mut session = new_session(&created);
        session.metadata = document.clone();
        process.log.create(session).await.unwrap();
        assert_eq!(metadata(&process, &created).await, document);

        // A patch takes nulls for removals.
        if document.as_str().contains("null") {
            continue;
        }
        let patched = format!("patched{number}");
        let mut session = new_session(&patched);
        session.metadata = Document::empty();
        process.log.create(session).await.unwrap();
        let patch = SessionPatch {
            language: None,
            metadata: Some(MetadataPatch::Merge(document.clone())),
        };
        let (id, log) = (id(&patched), &process.log);
        let session = log.patch(&id, &patch, |_| true, 16_384, at(9_000)).await;
        assert_eq!(session.unwrap().metadata, document);
        assert_eq!(metadata(&process, &patched).await, document);
    }
}

async fn metadata(process: &Process, name: &str) -> Document {
    let session = process.store.session(&id(name), Consistency::Strong).await;
    session.unwrap().metadata
}

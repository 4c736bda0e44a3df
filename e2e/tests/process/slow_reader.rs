//! A stream whose reader does not read is dropped, and hurts nobody.

use serde_json::{Value, json};
use sessionstore_e2e::{
    client::Api,
    raw::{Connection, head},
    sample::{event, payload_of, with},
    server::Server,
    until,
};

async fn streams_open(api: &Api) -> String {
    let metrics = api.admin("/metrics").await.expect(200).text;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("sessionstore_streams_open"));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped_while_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    let session = api.new_session().await;
    // Far more than the buffers of both ends of a connection hold.
    let batches: Vec<Vec<Value>> = (0..8)
        .map(|batch| {
            let id = |n| format!("{batch}-{n}");
            (0..28)
                .map(|n| with(event(&id(n)), "payload", payload_of(256 * 1024)))
                .collect()
        })
        .collect();

    let mut lazy = Connection::open(api.target()).await;
    lazy.write(&head(
        &format!("GET {} HTTP/1.1", session.path("/stream")),
        &[],
    ))
    .await;
    until("open stream", async || streams_open(&api).await == "1").await;
    let reading = async { session.stream(&[]).await.rest().await.len() };
    let appending = async {
        for batch in &batches {
            session.append_batch(batch).await.expect(200);
        }
        session
            .complete_with(&json!({ "reason": "done" }))
            .await
            .expect(200);
    };
    let (read, ()) = tokio::join!(reading, appending);

    assert_eq!(read, 8 * 28 + 1);
    until("dropped stream", async || streams_open(&api).await == "0").await;
    drop(lazy);
    assert_eq!(session.log().await.len(), 8 * 28);
}

//! Stopping and killing a process under load: what it accepted is in the database.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::Value;
use sessionstore_e2e::{
    all_at_once,
    client::Api,
    raw::{Connection, head},
    sample::event,
    server::{Server, Signal},
    session::Session,
    until,
};

use crate::well;

/// Appends until the server is gone; returns what was acknowledged.
async fn append_on(
    api: &Api,
    session: &Session,
    writer: usize,
    acknowledged: &AtomicUsize,
) -> Vec<Value> {
    let mut stored = Vec::new();
    for n in 0.. {
        let body = event(&format!("{writer}-{n}"));
        let request = api
            .request(Method::POST, &session.path("/events"))
            .header("content-type", "application/json")
            .body(body.to_string());
        match api.try_send(request).await {
            Ok(reply) if reply.status == 503 => break,
            Ok(reply) => stored.push(reply.expect(201).at("/event")),
            Err(_) => break, // the port is closed, or the idle connection was
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    stored
}

#[tokio::test]
async fn what_was_acknowledged_while_a_process_stops_or_dies_the_next_one_has() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    for signal in [Signal::TERM, Signal::KILL] {
        let server = Server::start_on(&url).await;
        let api = server.api();
        let session = api.new_session().await;
        let acknowledged = AtomicUsize::new(0);
        let appending = all_at_once(32, async |writer| {
            append_on(&api, &session, writer, &acknowledged).await
        });
        let stopping = async {
            until("load", async || acknowledged.load(Ordering::Relaxed) >= 200).await;
            server.signal(signal);
            server.exit().await
        };
        let (stored, exit) = tokio::join!(appending, stopping);
        let wanted = (signal == Signal::TERM).then_some(0);
        assert_eq!(exit.code, wanted, "{}", exit.stderr);

        let next = Server::start_on(&url).await;
        let log = next.api().session(&session.id).log().await;
        for event in stored.into_iter().flatten() {
            let seq = usize::try_from(event["seq"].as_u64().unwrap()).unwrap();
            assert_eq!(log[seq - 1], event);
        }
    }
}

#[tokio::test]
async fn a_request_that_was_accepted_before_the_signal_is_answered() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    let server = Server::start_on(&url).await;
    let api = server.api();
    let session = api.new_session().await;
    let body = event("under way").to_string();
    let length = format!("Content-Length: {}", body.len());
    let line = format!("POST {} HTTP/1.1", session.path("/events"));
    let mut request = Connection::open(api.target()).await;
    request
        .write(&head(&line, &["Content-Type: application/json", &length]))
        .await;

    until("request under way", async || {
        let metrics = api.admin("/metrics").await.text;
        sessionstore_e2e::metrics::sum(&metrics, &["http_server_active_requests"]) >= 1.0
    })
    .await;
    server.signal(Signal::TERM);
    until("failing readiness", async || {
        api.admin("/readyz").await.status == 503
    })
    .await;
    request.write(body.as_bytes()).await;

    let reply = request.answer().await.expect("an answer").expect(201);
    assert_eq!(server.exit().await.code, Some(0));
    let next = Server::start_on(&url).await;
    let stored = next.api().session(&session.id).event("under way").await;
    assert_eq!(stored.expect(200).at("/event"), reply.at("/event"));
}

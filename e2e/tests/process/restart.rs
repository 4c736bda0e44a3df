//! What a server knew it still knows after it was stopped or killed, and started again.

use serde_json::json;
use sessionstore_e2e::{
    client::Api,
    sample::{self, event, event_at, time},
    server::{Server, Signal},
    session::texts,
};

/// Stops the server, by a signal that lets it drain or by one that does not, and starts it again.
async fn restart(server: Server, folder: &std::path::Path, signal: Signal) -> (Server, Api) {
    server.signal(signal);
    server.exit().await;
    let server = Server::start(folder).await;
    let api = server.api();
    (server, api)
}

#[tokio::test]
async fn sessions_and_events_are_what_they_were() {
    for signal in [Signal::TERM, Signal::KILL] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path()).await;
        let open = server.api().new_session().await;
        open.fill(3).await;
        open.patch(&json!({ "metadata": { "n": 1.0 } }))
            .await
            .expect(200);
        let closed = server.api().new_session().await;
        closed.fill(2).await;
        closed
            .fail_with(&json!({ "reason": "no answer" }))
            .await
            .expect(200);
        let erased = server.api().new_session().await;
        erased.fill(2).await;
        erased.delete().await.expect(204);
        let before = (open.get(&[]).await.text, closed.get(&[]).await.text);

        let (_server, api) = restart(server, folder.path(), signal).await;

        let (open, closed) = (api.session(&open.id), api.session(&closed.id));
        assert_eq!(
            (open.get(&[]).await.text, closed.get(&[]).await.text),
            before
        );
        api.session(&erased.id).get(&[]).await.problem(410);
        api.session(&erased.id).create().await.problem(410);
        assert_eq!(
            texts(&api.list(&[]).await, "sessionId"),
            [&*closed.id, &*open.id]
        );
    }
}

#[tokio::test]
async fn retries_are_recognised_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.api().new_session().await;
    let first = session.append(&event("e1")).await.expect(201);

    let (_server, api) = restart(server, folder.path(), Signal::KILL).await;

    let session = api.session(&session.id);
    session.create().await.expect(200);
    let again = session.append(&event("e1")).await.expect(200);
    assert_eq!(again.at("/event"), first.at("/event"));
    session
        .append(&sample::with(event("e1"), "type", json!("system")))
        .await
        .problem(409);
    assert_eq!(
        session
            .append(&event("e2"))
            .await
            .expect(201)
            .at("/event/seq"),
        2
    );
}

#[tokio::test]
async fn a_closed_session_is_closed_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.api().new_session().await;
    session.fill(2).await;
    let closed = session.complete().await.expect(200);

    let (_server, api) = restart(server, folder.path(), Signal::KILL).await;

    let session = api.session(&session.id);
    session.append(&event("late")).await.problem(409);
    session.fail().await.problem(409);
    assert_eq!(
        session.complete().await.expect(200).at("/session"),
        closed.at("/session")
    );
    session.no_stream(&[("after", "3")]).await.expect(204);
    assert_eq!(session.stream(&[]).await.rest().await.len(), 3);
}

#[tokio::test]
async fn cursors_and_etags_are_valid_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    let session = api.new_session().await;
    let events: Vec<_> = (1..=9)
        .map(|n| event_at(&format!("e{n}"), &time(n % 3)))
        .collect();
    session.append_batch(&events).await.expect(200);
    for _ in 0..5 {
        api.new_session().await;
    }
    let mut walks = Vec::new();
    for order in ["timestamp", "-timestamp", "seq", "-seq"] {
        let whole = session
            .events(&[("order", order)])
            .await
            .expect(200)
            .list("/events");
        let first = session
            .events(&[("order", order), ("limit", "4")])
            .await
            .expect(200);
        walks.push((order, whole, first.next_cursor().unwrap()));
    }
    let all = api.list(&[]).await;
    let sessions = api
        .sessions(&[("limit", "2")])
        .await
        .expect(200)
        .next_cursor()
        .unwrap();
    let etag = session.get(&[]).await.header("etag").unwrap().to_owned();

    let (_server, api) = restart(server, folder.path(), Signal::TERM).await;

    let session = api.session(&session.id);
    for (order, whole, cursor) in walks {
        let rest = session
            .events(&[("order", order), ("cursor", &cursor)])
            .await
            .expect(200);
        assert_eq!(rest.list("/events"), whole[4..], "{order}");
    }
    let rest = api.sessions(&[("cursor", &sessions)]).await.expect(200);
    assert_eq!(rest.list("/sessions"), all[2..]);
    session
        .patch_if(&etag, &json!({ "language": "fr" }))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_stream_is_resumed_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.api().new_session().await;
    session.fill(4).await;
    let mut stream = session.stream(&[]).await;
    let seen = stream.take(3).await.last().unwrap().id;

    let (_server, api) = restart(server, folder.path(), Signal::KILL).await;

    let session = api.session(&session.id);
    let mut stream = session.resume(seen).await;
    session.append(&event("e5")).await.expect(201);
    let ids: Vec<_> = stream
        .take(2)
        .await
        .iter()
        .map(|message| message.id)
        .collect();
    assert_eq!(ids, [4, 5]);
}

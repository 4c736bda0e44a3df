//! `GET /v1/sessions/{sessionId}`: the session with a page of its events.

use serde_json::json;
use sessionstore_e2e::{
    client::Api,
    sample::{self, event_at, time},
    session::texts,
};

#[tokio::test]
async fn a_session_comes_with_a_page_of_its_events() {
    let session = Api::shared().await.new_session().await;
    session.fill(3).await;

    let reply = session.get(&[]).await.expect(200);

    assert_eq!(reply.text_at("/session/sessionId"), session.id);
    assert_eq!(reply.at("/session/status"), "active");
    assert_eq!(reply.at("/session/eventCount"), 3);
    assert_eq!(texts(&reply.list("/events"), "eventId"), ["e1", "e2", "e3"]);
    assert_eq!(reply.at("/pagination/limit"), 50);
    assert_eq!(reply.at("/pagination/total"), 3);
    assert_eq!(reply.next_cursor(), None);
}

#[tokio::test]
async fn the_page_is_that_of_the_events_route() {
    let session = Api::shared().await.new_session().await;
    session.fill(7).await;
    for order in ["timestamp", "-timestamp", "seq", "-seq"] {
        let query = [("order", order), ("limit", "3"), ("offset", "1")];
        let with_session = session.get(&query).await.expect(200);
        let alone = session.events(&query).await.expect(200);
        assert_eq!(with_session.at("/events"), alone.at("/events"), "{order}");
        assert_eq!(with_session.at("/pagination/offset"), 1);
        assert_eq!(with_session.at("/pagination/total"), 7);
    }
}

#[tokio::test]
async fn its_pages_are_walked_by_cursor() {
    let session = Api::shared().await.new_session().await;
    session.fill(11).await;
    let api = Api::shared().await;
    for order in ["timestamp", "-timestamp", "seq", "-seq"] {
        let walked = api
            .walk(
                &session.path(""),
                "events",
                &[("order", order), ("limit", "4")],
            )
            .await;
        let whole = session
            .events(&[("order", order)])
            .await
            .expect(200)
            .list("/events");
        assert_eq!(walked, whole, "{order}");
    }
}

#[tokio::test]
async fn a_session_without_events_has_an_empty_page() {
    let session = Api::shared().await.new_session().await;
    let reply = session.get(&[]).await.expect(200);
    assert_eq!(reply.at("/events"), json!([]));
    assert_eq!(reply.at("/pagination/total"), 0);
    assert_eq!(reply.at("/session/eventCount"), 0);
    assert_eq!(reply.next_cursor(), None);
}

#[tokio::test]
async fn the_etag_is_the_version() {
    let session = Api::shared().await.new_session().await;
    let reply = session.get(&[]).await.expect(200);
    let expected = format!("\"{}\"", reply.number_at("/session/version"));
    assert_eq!(reply.header("etag"), Some(&*expected));

    let patched = session
        .patch(&json!({ "metadata": { "a": 1 } }))
        .await
        .expect(200);
    let expected = format!("\"{}\"", patched.number_at("/session/version"));
    assert_eq!(patched.header("etag"), Some(&*expected));
    assert_eq!(session.get(&[]).await.header("etag"), Some(&*expected));
}

#[tokio::test]
async fn the_version_counts_patches_and_closing_but_not_events() {
    let session = Api::shared().await.new_session().await;
    let version = async || session.get(&[]).await.number_at("/session/version");
    let created = version().await;
    session.fill(3).await;
    assert_eq!(version().await, created);
    session
        .patch(&json!({ "language": "fr" }))
        .await
        .expect(200);
    assert_eq!(version().await, created + 1);
    session.complete().await.expect(200);
    assert_eq!(version().await, created + 2);
    session.complete().await.expect(200);
    assert_eq!(version().await, created + 2);
    session
        .patch(&json!({ "metadata": { "late": true } }))
        .await
        .expect(200);
    assert_eq!(version().await, created + 3);
}

#[tokio::test]
async fn the_first_event_makes_the_session_active_before_it_is_acknowledged() {
    let session = Api::shared().await.new_session().await;
    assert_eq!(session.current().await["status"], "initiated");
    session.append(&event_at("e1", &time(0))).await.expect(201);
    assert_eq!(session.current().await["status"], "active");
}

#[tokio::test]
async fn each_consistency_sees_what_was_stored() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    session.fill(2).await;
    for consistency in ["strong", "linearizable"] {
        let query = [("consistency", consistency)];
        assert_eq!(
            session
                .get(&query)
                .await
                .expect(200)
                .at("/session/eventCount"),
            2
        );
        assert_eq!(
            session
                .events(&query)
                .await
                .expect(200)
                .list("/events")
                .len(),
            2
        );
        let one = api
            .get(&session.path("/events/e2"), &query)
            .await
            .expect(200);
        assert_eq!(one.at("/event/seq"), 2);
        api.sessions(&[("limit", "1"), ("consistency", consistency)])
            .await
            .expect(200);
    }
    // An eventual read may lag behind on replicas; that it is answered is all there is to promise.
    session.get(&[("consistency", "eventual")]).await;
    api.sessions(&[("limit", "1"), ("consistency", "eventual")])
        .await
        .expect(200);
}

#[tokio::test]
async fn a_session_that_never_was_is_404_on_every_call() {
    let session = Api::shared().await.session(sample::fresh("never"));
    session.get(&[]).await.problem(404);
    session.events(&[]).await.problem(404);
    session.event("e").await.problem(404);
    session.no_stream(&[]).await.problem(404);
    session
        .patch(&json!({ "language": "fr" }))
        .await
        .problem(404);
    session.delete().await.problem(404);
    session.append(&sample::event("e")).await.problem(404);
    session
        .append_batch(&[sample::event("e")])
        .await
        .problem(404);
    session.complete().await.problem(404);
    session.fail().await.problem(404);
}

#[tokio::test]
async fn a_refused_call_creates_nothing() {
    let session = Api::shared().await.session(sample::fresh("never"));
    session.append(&sample::event("e")).await.problem(404);
    session.complete().await.problem(404);
    session.get(&[]).await.problem(404);
    session.create().await.expect(201);
    assert_eq!(session.log().await.len(), 0);
}

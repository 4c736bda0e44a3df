//! Sessions: created, read, changed, closed, erased.

use super::*;

fn session(session_id: &str) -> Value {
    json!({"sessionId": session_id, "language": "en"})
}

#[tokio::test]
async fn a_session_is_answered_with_every_field_and_its_entity_tag() {
    let server = Server::new();
    let body = r#"{"sessionId":"a","language":"pt-BR","metadata":{"b":1.0,"a":2},
        "startedAt":"2026-11-25T10:00:00.1239+02:00"}"#;
    let created = server.post("/v1/sessions", body).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("location"), "/v1/sessions/a");
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(
        created.body,
        "{\"session\":{\"sessionId\":\"a\",\"status\":\"initiated\",\"language\":\"pt-BR\",\
        \"startedAt\":\"2026-11-25T08:00:00.123Z\",\"createdAt\":\"2026-11-25T09:30:00.000Z\",\
        \"updatedAt\":\"2026-11-25T09:30:00.000Z\",\"endedAt\":null,\"endReason\":null,\
        \"eventCount\":0,\"metadata\":{\"b\":1.0,\"a\":2},\"version\":1}}"
    );
}

#[tokio::test]
async fn a_retried_create_answers_the_first_session_whatever_it_says() {
    let server = Server::new();
    let first = server.post("/v1/sessions", session("a")).await;
    let other = json!({"sessionId": "a", "language": "de", "metadata": {"x": 1}});
    let second = server.post("/v1/sessions", other).await;
    assert_eq!(second.status, 200);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(second.body, first.body);
    assert_eq!(first.header("idempotent-replayed"), "");
}

#[tokio::test]
async fn a_patch_merges_metadata_and_makes_a_version_only_if_it_changes_something() {
    let server = Server::new();
    let body = json!({"sessionId": "a", "language": "en", "metadata": {"a": 1, "b": 2}});
    server.post("/v1/sessions", body).await;
    let patch = json!({"metadata": {"a": null, "c": 3}, "language": "de"});
    let patched = server.patch("/v1/sessions/a", patch).await;
    assert_eq!(patched.header("etag"), "\"2\"");
    let patched = patched.json();
    assert_eq!(patched["session"]["metadata"], json!({"b": 2, "c": 3}));
    assert_eq!(patched["session"]["language"], "de");
    assert_eq!(patched["session"]["eventCount"], 0);
    let same = server
        .patch("/v1/sessions/a", json!({"metadata": {"c": 3}}))
        .await;
    assert_eq!(same.header("etag"), "\"2\"");
    let cleared = server
        .patch("/v1/sessions/a", json!({"metadata": null}))
        .await;
    assert_eq!(cleared.json()["session"]["metadata"], json!({}));
    let refused = server
        .patch("/v1/sessions/a", json!({"language": null, "x": 1}))
        .await;
    assert_eq!(refused.places(), ["/x", "/language"]);
}

#[tokio::test]
async fn a_patch_may_not_leave_too_much_metadata_behind() {
    let limits = Limits {
        metadata_bytes: 20,
        ..Limits::default()
    };
    let server = Server::with(limits, Timing::default());
    let body = json!({"sessionId": "a", "language": "en", "metadata": {"a": "12345678"}});
    server.post("/v1/sessions", body).await;
    let grown = server
        .patch("/v1/sessions/a", json!({"metadata": {"b": 1}}))
        .await;
    assert_eq!(grown.places(), ["/metadata"]);
    let replaced = json!({"metadata": {"a": null, "something": 1, "b": null}});
    assert_eq!(server.patch("/v1/sessions/a", replaced).await.status, 200);
}

#[tokio::test]
async fn a_patch_with_if_match_needs_one_of_its_versions() {
    let server = Server::new();
    server.post("/v1/sessions", session("a")).await;
    let patch = async |if_match: &str, media_type: &str| {
        let request = request("PATCH", "/v1/sessions/a")
            .header("if-match", if_match)
            .header("content-type", media_type);
        let body = r#"{"language":"de"}"#;
        server.send(request.body(body.into()).unwrap()).await
    };
    let json = "application/json";
    let merge_patch = "application/merge-patch+json";
    for stale in ["\"2\"", "W/\"1\"", "\"01\""] {
        let answer = patch(stale, json).await;
        assert_eq!(answer.problem(), problem(412, "precondition-failed"));
    }
    assert_eq!(patch("1", json).await.places(), ["If-Match"]);
    assert_eq!(
        patch("\"9\", \"1\"", merge_patch).await.header("etag"),
        "\"2\""
    );
    assert_eq!(patch("*", merge_patch).await.header("etag"), "\"2\"");
}

#[tokio::test]
async fn a_session_is_closed_once_with_one_end() {
    let server = Server::new();
    server.with_events("a", 2).await;
    let reason = "x".repeat(1024);
    let closed = server
        .post("/v1/sessions/a/fail", json!({"reason": reason}))
        .await;
    assert_eq!(closed.status, 200);
    assert_eq!(closed.header("etag"), "\"2\"");
    let session = &closed.json()["session"];
    assert_eq!(session["status"], "failed");
    assert_eq!(session["endedAt"], NOW);
    assert_eq!(session["endReason"], reason);
    assert_eq!(session["eventCount"], 2);
    let again = server
        .post("/v1/sessions/a/fail", json!({"reason": "other"}))
        .await;
    assert_eq!(again.body, closed.body);
    let otherwise = server.post("/v1/sessions/a/complete", "{}").await;
    assert_eq!(otherwise.problem(), problem(409, "closed-otherwise"));
    let long = server
        .post("/v1/sessions/a/fail", json!({"reason": "x".repeat(1025)}))
        .await;
    assert_eq!(long.places(), ["/reason"]);
    let patched = server
        .patch("/v1/sessions/a", json!({"metadata": {"a": 1}}))
        .await;
    assert_eq!(patched.header("etag"), "\"3\"");
}

#[tokio::test]
async fn a_closed_session_takes_no_new_event_but_answers_a_stored_one() {
    let server = Server::new();
    server.with_events("a", 1).await;
    server.post("/v1/sessions/a/complete", "").await;
    let stored = server.post("/v1/sessions/a/events", event("e1")).await;
    assert_eq!(stored.status, 200);
    assert_eq!(stored.header("idempotent-replayed"), "true");
    let new = server.post("/v1/sessions/a/events", event("e2")).await;
    assert_eq!(new.problem(), problem(409, "session-closed"));
}

#[tokio::test]
async fn an_append_is_refused_where_it_conflicts() {
    let server = Server::new();
    server.with_events("a", 2).await;
    let mut other = event("e1");
    other["payload"] = json!({"text": "Bye"});
    let taken = server.post("/v1/sessions/a/events", &other).await;
    assert_eq!(taken.problem(), problem(409, "event-id-taken"));
    let mut expected = event("e3");
    expected["expectedSeq"] = json!(2);
    let not_next = server.post("/v1/sessions/a/events", &expected).await;
    assert_eq!(not_next.problem(), problem(409, "seq-not-next"));
    assert_eq!(not_next.json()["nextSeq"], 3);
    expected["expectedSeq"] = json!(3);
    let appended = server.post("/v1/sessions/a/events", &expected).await;
    assert_eq!(appended.status, 201);
    let absent = server.post("/v1/sessions/b/events", event("e1")).await;
    assert_eq!(absent.problem(), problem(404, "session-not-found"));
}

#[tokio::test]
async fn an_event_is_answered_alone_or_missed() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let found = server
        .get("/v1/sessions/a/events/e1?consistency=eventual")
        .await;
    assert_eq!(
        found.body,
        "{\"event\":{\"sessionId\":\"a\",\"seq\":1,\"eventId\":\"e1\",\"type\":\"user_speech\",\
        \"payload\":{\"text\":\"Hello\"},\"timestamp\":\"2026-11-25T09:30:00.000Z\",\
        \"recordedAt\":\"2026-11-25T09:30:00.000Z\"}}"
    );
    let missed = server.get("/v1/sessions/a/events/e2").await;
    assert_eq!(missed.problem(), problem(404, "event-not-found"));
    let missed = server.get("/v1/sessions/b/events/e1").await;
    assert_eq!(missed.problem(), problem(404, "session-not-found"));
}

#[tokio::test]
async fn every_call_on_an_erased_session_but_delete_is_gone() {
    let server = Server::new();
    server.with_events("a", 1).await;
    assert_eq!(server.delete("/v1/sessions/a").await.status, 204);
    assert_eq!(server.delete("/v1/sessions/a").await.status, 204);
    let absent = server.delete("/v1/sessions/b").await;
    assert_eq!(absent.problem(), problem(404, "session-not-found"));
    for answer in [
        server.post("/v1/sessions", session("a")).await,
        server.get("/v1/sessions/a").await,
        server.patch("/v1/sessions/a", "{}").await,
        server.get("/v1/sessions/a/events").await,
        server.get("/v1/sessions/a/events/e1").await,
        server.post("/v1/sessions/a/events", event("e1")).await,
        server
            .post("/v1/sessions/a/events:batch", json!({"events": [{}]}))
            .await,
        server.get("/v1/sessions/a/stream?after=9").await,
        server.post("/v1/sessions/a/complete", "").await,
        server.post("/v1/sessions/a/fail", "").await,
    ] {
        assert_eq!(answer.problem(), problem(410, "session-erased"));
    }
    assert_eq!(
        server.get("/v1/sessions").await.json()["sessions"],
        json!([])
    );
}

//! How bodies are refused: media type, size, JSON, fields, in this order.

use super::*;

/// Every route that takes a body.
const ROUTES: [(&str, &str); 7] = [
    ("POST", "/v1/sessions"),
    ("PATCH", "/v1/sessions/a"),
    ("POST", "/v1/sessions/a/events"),
    ("POST", "/v1/sessions/a/events:batch"),
    ("POST", "/v1/events:batch"),
    ("POST", "/v1/sessions/a/complete"),
    ("POST", "/v1/sessions/a/fail"),
];

fn small() -> Server {
    let limits = Limits {
        body_bytes: 100,
        batch_body_bytes: 100,
        ..Limits::default()
    };
    Server::with(limits, Timing::default())
}

#[tokio::test]
async fn a_body_without_a_known_media_type_is_refused() {
    let server = Server::new();
    for (method, path) in ROUTES {
        let none = request(method, path);
        let plain = request(method, path).header("content-type", "text/plain");
        for request in [none, plain] {
            let answer = server.send(request.body("{".into()).unwrap()).await;
            assert_eq!(answer.problem(), problem(415, "unsupported-media-type"));
        }
    }
    let patch = server
        .send(request("PATCH", "/v1/sessions/a").body("{".into()).unwrap())
        .await;
    assert_eq!(
        patch.header("accept-patch"),
        "application/merge-patch+json, application/json"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_judged() {
    let server = small();
    for (method, path) in ROUTES {
        let answer = server.send_json(method, path, "x".repeat(101)).await;
        assert_eq!(answer.problem(), problem(413, "body-too-large"));
        let answer = server.send_json(method, path, "x".repeat(100)).await;
        assert_eq!(answer.problem(), problem(400, "bad-json"));
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told_where_it_is_wrong() {
    let server = Server::new();
    let bomb = "[".repeat(500_000);
    for (method, path) in ROUTES {
        for body in ["{\"a\":1,}", "\u{feff}{}", "nope", bomb.as_str()] {
            let answer = server.send_json(method, path, body).await;
            assert_eq!(answer.problem(), problem(400, "bad-json"), "{path}");
        }
        let bad_utf8 = request(method, path).header("content-type", "application/json");
        let bad_utf8 = bad_utf8.body(Body::from(&b"{\"a\":\"\xff\"}"[..])).unwrap();
        let answer = server.send(bad_utf8).await;
        assert_eq!(answer.json()["detail"], "invalid UTF-8 at byte 6");
    }
}

#[tokio::test]
async fn a_missing_body_is_bad_json_but_for_a_closing() {
    let server = Server::new();
    server.with_events("a", 0).await;
    for (method, path) in ROUTES {
        let answer = server
            .send(request(method, path).body(Body::empty()).unwrap())
            .await;
        match path {
            "/v1/sessions/a/complete" => assert_eq!(answer.status, 200),
            "/v1/sessions/a/fail" => assert_eq!(answer.status, 409),
            _ => assert_eq!(answer.problem(), problem(400, "bad-json")),
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_told_so() {
    let server = Server::new();
    for (method, path) in ROUTES {
        for body in ["null", "[]", "\"a\"", "1"] {
            let answer = server.send_json(method, path, body).await;
            assert_eq!(answer.places(), [""], "{path} {body}");
        }
    }
}

#[tokio::test]
async fn parameters_are_judged_before_the_body() {
    let server = Server::new();
    for (method, path) in ROUTES {
        let request = request(method, &format!("{path}?x"))
            .body("{".into())
            .unwrap();
        assert_eq!(server.send(request).await.places(), ["x"]);
    }
}

#[tokio::test]
async fn everything_wrong_with_a_session_is_told_at_once() {
    let server = Server::new();
    let body = r#"{"sessionId":" a","language":"english language","metadata":{"a":[1e999],
        "b\u0000":1},"startedAt":"2026-02-30T00:00:00Z","status":"active","language":"en"}"#;
    let answer = server.post("/v1/sessions", body).await;
    assert_eq!(
        answer.places(),
        [
            "/status",
            "/language",
            "/sessionId",
            "/language",
            "/metadata/a/0",
            "/metadata/b\0",
            "/startedAt"
        ]
    );
    let answer = server.post("/v1/sessions", "{}").await;
    assert_eq!(answer.places(), ["/sessionId", "/language"]);
}

#[tokio::test]
async fn everything_wrong_with_an_event_is_told_at_once() {
    let server = Server::new();
    let body =
        r#"{"eventId":"","type":"speech","payload":[],"timestamp":1,"expectedSeq":0,"x":{}}"#;
    let answer = server.post("/v1/sessions/a/events", body).await;
    assert_eq!(
        answer.places(),
        [
            "/x",
            "/eventId",
            "/type",
            "/payload",
            "/timestamp",
            "/expectedSeq"
        ]
    );
    let answer = server.post("/v1/sessions/a/events", "{}").await;
    assert_eq!(answer.places(), ["/eventId", "/type", "/payload"]);
}

#[tokio::test]
async fn null_is_absent_only_for_what_may_be_absent() {
    let server = Server::new();
    let session = r#"{"sessionId":"a","language":"en","metadata":null,"startedAt":null}"#;
    let created = server.post("/v1/sessions", session).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["session"]["metadata"], json!({}));
    let event =
        r#"{"eventId":"e","type":"system","payload":{},"timestamp":null,"expectedSeq":null}"#;
    let appended = server.post("/v1/sessions/a/events", event).await;
    assert_eq!(appended.status, 201);
    let event = r#"{"eventId":null,"type":null,"payload":null}"#;
    let refused = server.post("/v1/sessions/a/events", event).await;
    assert_eq!(refused.places(), ["/eventId", "/type", "/payload"]);
    let closed = server
        .post("/v1/sessions/a/complete", r#"{"reason":null}"#)
        .await;
    assert_eq!(closed.json()["session"]["endReason"], Value::Null);
}

#[tokio::test]
async fn documents_come_back_as_they_were_sent_in_compact_form() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let payload = r#"{"z":1.0,"a":9223372036854775807,"-":-0.0,"":{"$set":[1e2,0.1]},"a.b":"é\n"}"#;
    let body = format!(r#"{{"eventId":"e","type":"system","payload": {payload} }}"#);
    let appended = server.post("/v1/sessions/a/events", body).await;
    let stored = payload.replace("1e2", "100.0");
    assert!(appended.body.contains(&format!("\"payload\":{stored},")));
    let page = server.get("/v1/sessions/a/events").await;
    assert!(page.body.contains(&stored));
}

//! Refusals: which status, which headers, which form. That every refusal of the whole suite is a
//! proper problem is asserted by the client.

use reqwest::Method;
use serde_json::json;
use sessionstore_e2e::{
    client::Api,
    sample::{self, event},
};

async fn send(api: &Api, method: &str, path: &str) -> sessionstore_e2e::client::Reply {
    api.send(api.request(method.parse::<Method>().unwrap(), path))
        .await
}

#[tokio::test]
async fn a_route_that_is_none_is_404() {
    let api = Api::shared().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/sessions",
        "/v1/session",
        "/v1/sessionsx",
        "/V1/sessions",
        "/v1/sessions/a/b",
        "/v1/sessions/a/events/b/c",
        "/v1/events",
        "/livez",
        "/metrics",
        "/favicon.ico",
        "/v1/sessions/a/complete/now",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            send(&api, method, path).await.problem(404);
        }
    }
}

#[tokio::test]
async fn a_missing_route_and_a_missing_session_can_be_told_apart() {
    let api = Api::shared().await;
    let route = send(&api, "GET", "/v1/nothing").await.problem(404);
    let session = api
        .session(sample::fresh("never"))
        .get(&[])
        .await
        .problem(404);
    assert_ne!(route.kind, session.kind);
}

#[tokio::test]
async fn a_method_that_a_route_has_not_is_405_and_says_which_it_has() {
    let api = Api::shared().await;
    let routes: [(&str, &[&str]); 9] = [
        ("/v1/sessions", &["GET", "POST"]),
        ("/v1/sessions/s", &["DELETE", "GET", "PATCH"]),
        ("/v1/sessions/s/events", &["GET", "POST"]),
        ("/v1/sessions/s/events:batch", &["POST"]),
        ("/v1/events:batch", &["POST"]),
        ("/v1/sessions/s/events/e", &["GET"]),
        ("/v1/sessions/s/stream", &["GET"]),
        ("/v1/sessions/s/complete", &["POST"]),
        ("/v1/sessions/s/fail", &["POST"]),
    ];
    for (path, methods) in routes {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"] {
            if methods.contains(&method) {
                continue;
            }
            let reply = send(&api, method, path).await;
            reply.problem(405);
            let allow = reply
                .header("allow")
                .unwrap_or_else(|| panic!("{method} {path}: no Allow"));
            let mut allowed: Vec<_> = allow.split(',').map(str::trim).collect();
            // Answering HEAD where there is a GET is a server's own business.
            allowed.retain(|method| *method != "HEAD" && *method != "OPTIONS");
            allowed.sort_unstable();
            assert_eq!(allowed, methods, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_is_415() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    session.append(&event("e1")).await.expect(201);
    let routes = [
        (
            Method::POST,
            "/v1/sessions".to_owned(),
            sample::session(&sample::fresh("media")),
        ),
        (Method::PATCH, session.path(""), json!({ "language": "fr" })),
        (Method::POST, session.path("/events"), event("media")),
        (
            Method::POST,
            session.path("/events:batch"),
            json!({ "events": [event("media")] }),
        ),
        (
            Method::POST,
            "/v1/events:batch".to_owned(),
            json!({ "events": [] }),
        ),
        (Method::POST, session.path("/complete"), json!({})),
        (
            Method::POST,
            session.path("/fail"),
            json!({ "reason": "media" }),
        ),
    ];
    let media_types = [
        None,
        Some("text/plain"),
        Some("application/xml"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/jsonx"),
        Some("json"),
        Some("*/*"),
    ];
    for (method, path, body) in routes {
        for media_type in media_types {
            let mut request = api.request(method.clone(), &path).body(body.to_string());
            if let Some(media_type) = media_type {
                request = request.header("content-type", media_type);
            }
            let reply = api.send(request).await;
            assert_eq!(
                reply.status, 415,
                "{method} {path} with {media_type:?}: {}",
                reply.text
            );
        }
    }
    assert_eq!(session.log().await.len(), 1);
    assert_eq!(session.current().await["status"], "active");
}

#[tokio::test]
async fn a_media_type_may_have_parameters_and_any_case() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    for (n, media_type) in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;charset=\"utf-8\"",
    ]
    .into_iter()
    .enumerate()
    {
        let request = api
            .request(Method::POST, &session.path("/events"))
            .header("content-type", media_type)
            .body(event(&format!("e{n}")).to_string());
        api.send(request).await.expect(201);
    }
}

#[tokio::test]
async fn all_faults_are_named_at_once() {
    let api = Api::shared().await;
    let body = r#"{"language":"","metadata":5,"startedAt":"soon","Meta":1,"a/b":2,"c~d":3}"#;
    api.post_text("/v1/sessions", body)
        .await
        .problem(400)
        .names(&[
            "/sessionId",
            "/language",
            "/metadata",
            "/startedAt",
            "/Meta",
            "/a~1b",
            "/c~0d",
        ]);

    let session = api.new_session().await;
    let body =
        r#"{"eventId":"","type":1,"payload":{"x":{"n":1e999}},"timestamp":0,"expectedSeq":"1"}"#;
    session.append_text(body).await.problem(400).names(&[
        "/eventId",
        "/type",
        "/payload/x/n",
        "/timestamp",
        "/expectedSeq",
    ]);

    let query = [
        ("limit", "0"),
        ("order", "up"),
        ("type", "x"),
        ("colour", "red"),
    ];
    let problem = session.events(&query).await.problem(400);
    problem.names(&["?limit", "?order", "?type", "?colour"]);
}

#[tokio::test]
async fn several_faults_of_one_payload_are_all_named() {
    let session = Api::shared().await.new_session().await;
    let payload = r#"{"a":1e999,"b":[9223372036854775808,{"c":1,"c":2}]}"#;
    let body = sample::event_text("e", payload);
    let problem = session.append_text(&body).await.problem(400);
    problem.names(&["/payload/a", "/payload/b/0", "/payload/b/1/c"]);
}

#[tokio::test]
async fn the_request_id_is_the_callers_or_a_new_one() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let given = sample::fresh("request");
    let with_id = |path: &str| {
        api.request(Method::GET, &session.path(path))
            .header("x-request-id", &given)
    };
    let good = api.send(with_id("")).await.expect(200);
    assert_eq!(good.header("x-request-id"), Some(&*given));
    let bad = api.send(with_id("/events/never")).await;
    bad.problem(404);
    assert_eq!(bad.header("x-request-id"), Some(&*given));

    let made = session.get(&[]).await;
    let made_again = session.get(&[]).await;
    assert_ne!(
        made.header("x-request-id"),
        made_again.header("x-request-id")
    );
}

#[tokio::test]
async fn a_request_id_that_cannot_be_one_does_no_harm() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let long = "x".repeat(4000);
    for id in [
        "",
        " ",
        "a b",
        "\"quoted\"",
        "{\"json\":1}",
        "é",
        "<b>",
        &long,
    ] {
        let id = reqwest::header::HeaderValue::from_bytes(id.as_bytes()).unwrap();
        let request = api
            .request(Method::GET, &session.path(""))
            .header("x-request-id", id.clone());
        api.send(request).await.expect(200);
        let request = api
            .request(Method::GET, "/v1/nothing")
            .header("x-request-id", id);
        api.send(request).await.problem(404);
    }
}

#[tokio::test]
async fn a_trace_context_of_any_kind_does_no_harm() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    for traceparent in [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-0000000000000000-00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "garbage",
        "",
    ] {
        let request = api
            .request(Method::GET, &session.path(""))
            .header("traceparent", traceparent)
            .header("tracestate", "vendor=1,=,,");
        api.send(request).await.expect(200);
    }
}

#[tokio::test]
async fn one_kind_of_problem_has_one_type_and_title() {
    let api = Api::shared().await;
    let (one, other) = (
        api.session(sample::fresh("never")),
        api.session(sample::fresh("never")),
    );
    let first = one.get(&[]).await;
    let second = other.append(&event("e")).await;
    assert_eq!(first.problem(404).kind, second.problem(404).kind);
    assert_eq!(first.at("/title"), second.at("/title"));
    assert_ne!(first.at("/instance"), second.at("/instance"));
}

//! Which requests reach an endpoint at all.

use serde_json::json;

use super::*;

/// Every route, with the methods it takes.
const ROUTES: [(&str, &str); 12] = [
    ("/v1/sessions", "GET, HEAD, POST"),
    ("/v1/sessions/a", "GET, HEAD, PATCH, DELETE"),
    ("/v1/sessions/a/events", "GET, HEAD, POST"),
    ("/v1/sessions/a/events:batch", "POST"),
    ("/v1/events:batch", "POST"),
    ("/v1/sessions/a/events/b", "GET, HEAD"),
    ("/v1/sessions/a/stream", "GET, HEAD"),
    ("/v1/sessions/a/complete", "POST"),
    ("/v1/sessions/a/fail", "POST"),
    ("/openapi.json", "GET, HEAD"),
    ("/docs", "GET, HEAD"),
    ("/docs/start.js", "GET, HEAD"),
];

#[tokio::test]
async fn a_path_that_is_no_route_is_a_problem() {
    let server = Server::new();
    for path in [
        "/",
        "/v1",
        "/v2/sessions",
        "/v1/sessions/",
        "/v1/sessions/a/",
        "/v1/sessions/a/events/",
        "/v1/sessions/a/events/b/",
        "/v1/sessions/a/stream/",
        "/v1/sessions/a/unknown",
        "/v1/events",
        "/docs/",
        "/docs/unknown.js",
        "/openapi.json/",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.problem(), problem(404, "route-not-found"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_told_those_it_takes() {
    let server = Server::new();
    for (path, allow) in ROUTES {
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            if !allow.split(", ").any(|allowed| allowed == method) {
                let answer = server.send_json(method, path, json!({})).await;
                assert_eq!(answer.problem(), problem(405, "method-not-allowed"));
                assert_eq!(answer.header("allow"), allow, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    let server = Server::new();
    server.with_events("a", 1).await;
    for path in [
        "/v1/sessions",
        "/v1/sessions/a",
        "/v1/sessions/a/events",
        "/v1/sessions/a/events/e1",
        "/v1/sessions/a/stream",
        "/openapi.json",
        "/docs",
    ] {
        let head = request("HEAD", path).body(Body::empty()).unwrap();
        let head = server.send(head).await;
        assert_eq!((head.status.as_u16(), &*head.body), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn every_route_refuses_unknown_query_parameters() {
    let server = Server::new();
    server.with_events("a", 1).await;
    for (path, allow) in ROUTES {
        for method in allow.split(", ").filter(|method| *method != "HEAD") {
            let path = format!("{path}?unknown=1&un%6Bnown");
            let answer = server.send_json(method, &path, json!({})).await;
            assert_eq!(answer.places(), ["unknown", "unknown"], "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_invalid_id_in_a_path_is_told_by_its_parameter() {
    let server = Server::new();
    let long = "x".repeat(257);
    for id in [
        "%zz", "%", "%ff", "%20a", "a%20", "a%00b", "%2E", "%2e%2E", &long,
    ] {
        for (route, allow) in ROUTES.iter().filter(|(route, _)| route.contains("/a")) {
            let path = route.replacen("/a", &format!("/{id}"), 1);
            let method = allow.split(", ").next().unwrap();
            let answer = server.send_json(method, &path, json!({})).await;
            assert_eq!(answer.places(), ["sessionId"], "{method} {path}");
        }
        let answer = server.get(&format!("/v1/sessions/a/events/{id}")).await;
        assert_eq!(answer.places(), ["eventId"]);
    }
}

#[tokio::test]
async fn ids_of_any_text_are_reached_by_the_location_of_their_answer() {
    let server = Server::new();
    for id in ["a/b", "50% off?", "é #1", "events:batch", "...", "a\\b\"c"] {
        let session = json!({"sessionId": id, "language": "en"});
        let created = server.post("/v1/sessions", session).await;
        let path = created.header("location").to_owned();
        assert_eq!(server.get(&path).await.json()["session"]["sessionId"], id);
        let appended = server.post(&format!("{path}/events"), event(id)).await;
        let read = server.get(appended.header("location")).await;
        assert_eq!(read.body, appended.body);
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503_that_can_be_retried() {
    let server = Server::new();
    server.with_events("a", 1).await;
    server.store.set_down(true);
    for path in ["/v1/sessions", "/v1/sessions/a", "/v1/sessions/a/stream"] {
        let answer = server.get(path).await;
        assert_eq!(answer.problem(), problem(503, "unavailable"));
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.body.contains("the test took it down"));
    }
}

//! What is refused when the queue of writes is full.

use super::*;

/// A server with room for one write, which waits in vain.
async fn full_server() -> Server {
    let settings = Settings {
        queue_items: 1,
        ..Settings::default()
    };
    let server = Server::over(Limits::default(), Timing::default(), settings);
    server.with_events("s", 0).await;
    // The append comes second, and what has happened cannot be looked up.
    server.store.append_unannounced("s", "another");
    server.store.set_down(true);
    let waiting = request("POST", "/v1/sessions/s/events")
        .header("content-type", "application/json")
        .body(Body::from(event("e1").to_string()))
        .unwrap();
    tokio::spawn(server.router.clone().oneshot(waiting));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!server.log.has_room(), "the append waits");
    server
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_before_a_body_is_judged_and_says_when_to_come_back() {
    let server = full_server().await;
    for path in ["/v1/sessions", "/v1/sessions/s/events"] {
        let refused = server.post(path, "no JSON").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(refused.headers["retry-after"], "1");
        assert!(refused.body.contains("overloaded"), "{}", refused.body);
    }
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_place_in_the_queue_is_judged_as_always() {
    let server = full_server().await;
    let patched = server.patch("/v1/sessions/s", "no JSON").await;
    assert_eq!(patched.status, StatusCode::BAD_REQUEST);
    let unknown = server.get("/v1/nothing").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

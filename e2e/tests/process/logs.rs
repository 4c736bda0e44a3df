//! What a server writes: one line for a failed request and none for a good one.

use reqwest::Method;
use sessionstore_e2e::{log::Log, sample::fresh, server::Server};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn lines_with(log: &Log, text: &str) -> Vec<String> {
    let mut lines = log.lines();
    lines.retain(|line| line.contains(text));
    lines
}

#[tokio::test]
async fn a_failed_request_is_one_line_with_its_ids_and_a_good_one_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    let session = api.new_session().await;
    session.fill(3).await;
    let (good, bad) = (fresh("good"), fresh("bad"));
    let get = |path: &str, request_id: &str| {
        api.request(Method::GET, path)
            .header("x-request-id", request_id)
            .header("traceparent", format!("00-{TRACE_ID}-00f067aa0ba902b7-01"))
    };

    api.send(get(&session.path(""), &good)).await.expect(200);
    api.send(get("/v1/sessions?limit=0", &bad))
        .await
        .problem(400);

    let line = server
        .log()
        .wait_for(|line| line.contains(&bad))
        .await
        .expect("a line");
    assert!(line.contains(TRACE_ID), "{line}");
    assert!(line.contains("400"), "{line}");
    assert!(
        serde_json::from_str::<serde_json::Value>(&line).is_ok(),
        "{line}"
    );
    server.signal(sessionstore_e2e::server::Signal::TERM);
    let log = server.log().clone();
    server.exit().await;
    assert_eq!(lines_with(&log, &bad).len(), 1);
    assert_eq!(lines_with(&log, &good), [""; 0]);
    assert_eq!(lines_with(&log, &session.id), [""; 0]);
}

#[tokio::test]
async fn no_line_breaks_out_of_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    api.get("/v1/%0A%7B%22level%22%3A%22INFO%22%7D", &[])
        .await
        .problem(404);
    api.session("a\nb\u{1b}[31m").get(&[]).await.problem(400);
    let request = api
        .request(Method::GET, "/v1/nothing")
        .header("x-request-id", "\"},{\"a\":\"");
    api.send(request).await.problem(404);
    server.signal(sessionstore_e2e::server::Signal::TERM);
    let exit = server.exit().await;
    for line in exit.stderr.lines() {
        let parsed = serde_json::from_str::<serde_json::Value>(line);
        assert!(
            parsed.is_ok_and(|line| line.is_object()),
            "no JSON object: {line}"
        );
    }
}

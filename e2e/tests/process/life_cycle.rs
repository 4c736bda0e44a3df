//! From start to exit: ready, told to stop, drained, gone.

use std::sync::atomic::{AtomicUsize, Ordering};

use sessionstore_e2e::{
    all_at_once,
    raw::{Connection, head},
    sample::event,
    server::{Server, Signal, run, serve_command},
    sse::Frame,
    until,
};

#[tokio::test]
async fn a_server_that_says_it_serves_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    server.api().admin("/readyz").await.expect(200);
    server.api().new_session().await;
}

#[tokio::test]
async fn an_idle_server_that_is_told_to_stop_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path()).await;
        server.api().new_session().await.fill(3).await;
        server.signal(signal);
        let exit = server.exit().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn a_request_that_is_under_way_is_finished_while_readiness_fails() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    let session = api.new_session().await;
    let body = event("under way").to_string();
    let length = format!("Content-Length: {}", body.len());
    let line = format!("POST {} HTTP/1.1", session.path("/events"));

    let mut request = Connection::open(api.target()).await;
    request
        .write(&head(&line, &["Content-Type: application/json", &length]))
        .await;
    request.write(&body.as_bytes()[..10]).await;
    until("request under way", async || {
        let metrics = api.admin("/metrics").await.text;
        let active = metrics
            .lines()
            .filter(|line| line.starts_with("http_server_active_requests"));
        active
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>()
            >= 1.0
    })
    .await;

    server.signal(Signal::TERM);
    until("failing readiness", async || {
        api.admin("/readyz").await.status == 503
    })
    .await;
    request.write(&body.as_bytes()[10..]).await;

    let reply = request
        .answer()
        .await
        .expect("the request is answered")
        .expect(201);
    let exit = server.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let server = Server::start(folder.path()).await;
    let stored = server
        .api()
        .session(&session.id)
        .event("under way")
        .await
        .expect(200);
    assert_eq!(stored.at("/event"), reply.at("/event"));
}

#[tokio::test]
async fn streams_end_with_a_hint_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.api().new_session().await;
    session.fill(2).await;
    let mut stream = session.stream(&[]).await;

    server.signal(Signal::TERM);

    let mut frames = Vec::new();
    while let Some(frame) = stream.frame().await {
        frames.push(frame);
    }
    assert!(
        frames.iter().any(|frame| matches!(frame, Frame::Retry(_))),
        "{frames:?}"
    );
    let events = frames
        .iter()
        .filter(|frame| matches!(frame, Frame::Message(_)))
        .count();
    assert_eq!(events, 2, "an open session does not end with its server");
    let exit = server.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn what_was_acknowledged_under_load_while_stopping_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    let session = api.new_session().await;
    let acknowledged = AtomicUsize::new(0);
    let appending = all_at_once(32, async |writer| {
        let mut stored = Vec::new();
        for n in 0.. {
            let body = event(&format!("{writer}-{n}"));
            let request = api
                .request(reqwest::Method::POST, &session.path("/events"))
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
    });
    let stopping = async {
        until("load", async || acknowledged.load(Ordering::Relaxed) >= 200).await;
        server.signal(Signal::TERM);
        server.exit().await
    };
    let (stored, exit) = tokio::join!(appending, stopping);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);

    let server = Server::start(folder.path()).await;
    let log = server.api().session(&session.id).log().await;
    for event in stored.into_iter().flatten() {
        let seq = usize::try_from(event["seq"].as_u64().unwrap()).unwrap();
        assert_eq!(log[seq - 1], event);
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused_with_a_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.api().new_session().await;

    let second = run(serve_command(folder.path()), "").await;

    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    let folder_name = folder.path().display().to_string();
    assert!(second.stderr.contains(&folder_name), "{}", second.stderr);
    assert!(!second.stderr.contains("panicked"), "{}", second.stderr);
    session.fill(1).await;
    assert_eq!(session.log().await.len(), 1);
}

#[tokio::test]
async fn a_folder_is_free_again_once_its_server_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path()).await;
    first.kill().await;
    Server::start(folder.path()).await;
}

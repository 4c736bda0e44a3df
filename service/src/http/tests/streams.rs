//! Streams: what is stored, then what comes, and every way to end.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;

use super::*;

const PATH: &str = "/v1/sessions/a/stream";

/// A stream that is read piece by piece.
struct Reader {
    body: BodyDataStream,
    text: String,
}

impl Reader {
    async fn open(server: &Server, path: &str, last_event_id: Option<&str>) -> Self {
        let mut request = request("GET", path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = server.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        let mut reader = Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        };
        assert_eq!(reader.frame().await, "retry: 1000");
        reader
    }

    /// The next frame, comments included.
    async fn frame(&mut self) -> String {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let frame = frame.to_owned();
                self.text = rest.to_owned();
                return frame;
            }
            let piece = self.body.next().await.unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// `id` of the next event, which is the stored one.
    async fn event(&mut self, server: &Server) -> u64 {
        let frame = self.frame().await;
        let (id, data) = frame.split_once('\n').unwrap();
        let seq = id.strip_prefix("id: ").unwrap().parse().unwrap();
        let path = format!("/v1/sessions/a/events?limit=1&afterSeq={}", seq - 1);
        let stored = server.get(&path).await.json()["events"][0].clone();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data, stored);
        assert_eq!(data["seq"], seq);
        seq
    }

    /// Nothing comes after what was read.
    async fn is_over(&mut self) -> bool {
        self.text.is_empty() && self.body.next().await.is_none()
    }
}

async fn append(server: &Server, event_id: &str) {
    let appended = server.post("/v1/sessions/a/events", event(event_id)).await;
    assert_eq!(appended.status, 201);
}

#[tokio::test]
async fn a_stream_tells_what_is_stored_then_what_comes_then_the_end() {
    let server = Server::new();
    server.with_events("a", 2).await;
    let mut reader = Reader::open(&server, PATH, None).await;
    assert_eq!(reader.event(&server).await, 1);
    assert_eq!(reader.event(&server).await, 2);
    append(&server, "e3").await;
    assert_eq!(reader.event(&server).await, 3);
    server
        .post("/v1/sessions/a/complete", json!({"reason": "done"}))
        .await;
    assert_eq!(
        reader.frame().await,
        format!(
            "event: end\nid: 4\n\
            data: {{\"status\":\"completed\",\"endedAt\":\"{NOW}\",\"reason\":\"done\"}}"
        )
    );
    assert!(reader.is_over().await);
}

#[tokio::test]
async fn a_stream_is_not_buffered_or_stored_on_its_way() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let request = request("GET", PATH).body(Body::empty()).unwrap();
    let response = server.answer(request).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-accel-buffering"), "no");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_id_which_beats_after() {
    let server = Server::new();
    server.with_events("a", 3).await;
    let after = format!("{PATH}?after=2");
    let mut reader = Reader::open(&server, &after, None).await;
    assert_eq!(reader.event(&server).await, 3);
    let mut reader = Reader::open(&server, &after, Some("1")).await;
    assert_eq!(reader.event(&server).await, 2);
    let mut reader = Reader::open(&server, PATH, Some("5")).await;
    for number in 4..=6 {
        append(&server, &format!("e{number}")).await;
    }
    assert_eq!(reader.event(&server).await, 6);
}

#[tokio::test]
async fn what_is_no_seq_is_refused_in_both_places() {
    let server = Server::new();
    server.with_events("a", 1).await;
    for wrong in ["x", "-1", "1.0", "9223372036854775808", ""] {
        let path = format!("{PATH}?after={wrong}");
        let request = request("GET", &path).header("last-event-id", wrong);
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.places(), ["after", "Last-Event-ID"], "{wrong}");
    }
    let answer = server.get(&format!("{PATH}?consistency=strong")).await;
    assert_eq!(answer.places(), ["consistency"]);
    let absent = server.get("/v1/sessions/b/stream").await;
    assert_eq!(absent.problem(), problem(404, "session-not-found"));
}

#[tokio::test]
async fn a_closed_session_that_was_seen_to_its_end_has_no_stream() {
    let server = Server::new();
    server.with_events("a", 2).await;
    server.post("/v1/sessions/a/fail", "").await;
    for after in ["3", "4", "9223372036854775807"] {
        let answer = server.get(&format!("{PATH}?after={after}")).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (204, ""));
    }
    let end = format!("event: end\nid: 3\ndata: {{\"status\":\"failed\",\"endedAt\":\"{NOW}\"}}");
    let mut reader = Reader::open(&server, PATH, Some("2")).await;
    assert_eq!(reader.frame().await, end);
    assert!(reader.is_over().await);
}

#[tokio::test]
async fn a_stream_beyond_the_tail_ends_with_the_session() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("100")).await;
    server.post("/v1/sessions/a/complete", "").await;
    assert!(reader.frame().await.starts_with("event: end\nid: 2\n"));
    assert!(reader.is_over().await);
}

#[tokio::test]
async fn an_erased_session_ends_its_streams() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("1")).await;
    server.delete("/v1/sessions/a").await;
    assert_eq!(
        reader.frame().await,
        "event: end\nid: 2\ndata: {\"status\":\"erased\",\"endedAt\":null}"
    );
    assert!(reader.is_over().await);
}

#[tokio::test]
async fn a_log_of_many_pages_is_streamed_without_gap_or_repetition() {
    let limits = Limits {
        page_limit: 3,
        ..Limits::default()
    };
    let server = Server::with(limits, Timing::default());
    server.with_events("a", 20).await;
    let mut reader = Reader::open(&server, PATH, None).await;
    for seq in 1..=10 {
        assert_eq!(reader.event(&server).await, seq);
    }
    append(&server, "e21").await;
    server.post("/v1/sessions/a/complete", "").await;
    for seq in 11..=21 {
        assert_eq!(reader.event(&server).await, seq);
    }
    assert!(reader.frame().await.starts_with("event: end\nid: 22\n"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_is_alive() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let mut reader = Reader::open(&server, PATH, None).await;
    let opened = tokio::time::Instant::now();
    for beat in 1..=3 {
        assert_eq!(reader.frame().await, ": heartbeat");
        assert_eq!(opened.elapsed().as_secs(), beat * 15);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_finds_what_it_was_not_told_of() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("1")).await;
    server.store.append_unannounced("a", "e2");
    assert_eq!(reader.frame().await, ": heartbeat");
    assert_eq!(reader.event(&server).await, 2);
}

#[tokio::test]
async fn a_stream_reads_when_the_store_announces_what_it_has_not_told_and_only_then() {
    let server = Server::new();
    server.with_events("a", 2).await;
    let mut reader = Reader::open(&server, PATH, None).await;
    reader.event(&server).await;
    reader.event(&server).await;
    let before = server.store.page_reads();
    server.store.announce("a", 1);
    server.store.announce("a", 2);
    append(&server, "e3").await;
    server.store.announce("a", 3);
    server.store.append_unannounced("a", "e4");
    server.store.announce("a", 4);
    assert!(reader.frame().await.starts_with("id: 3\n"));
    assert!(reader.frame().await.starts_with("id: 4\n"));
    assert_eq!(server.store.page_reads() - before, 1);
}

#[tokio::test]
async fn what_this_process_commits_is_told_as_it_is_stored_without_a_read() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut readers = [
        Reader::open(&server, PATH, Some("1")).await,
        Reader::open(&server, PATH, Some("1")).await,
    ];
    let before = server.store.page_reads();
    let mut told = Vec::new();
    for event_id in ["e2", "e3"] {
        append(&server, event_id).await;
        for reader in &mut readers {
            told.push(reader.frame().await);
        }
    }
    assert_eq!(server.store.page_reads(), before);
    let mut late = Reader::open(&server, PATH, Some("1")).await;
    for told in told.chunks(2) {
        let stored = late.frame().await;
        assert_eq!(told, [stored.clone(), stored]);
    }
}

#[tokio::test]
async fn a_slow_reader_misses_nothing() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let mut reader = Reader::open(&server, PATH, None).await;
    for number in 1..=30 {
        append(&server, &format!("e{number}")).await;
        if number % 10 == 0 {
            assert_eq!(reader.event(&server).await, number / 10);
        }
    }
    for seq in 4..=30 {
        assert_eq!(reader.event(&server).await, seq);
    }
}

#[tokio::test]
async fn what_a_slow_reader_has_not_been_told_when_the_session_is_erased_is_never_told() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("1")).await;
    append(&server, "e2").await;
    append(&server, "e3").await;
    server.delete("/v1/sessions/a").await;
    assert!(reader.frame().await.starts_with("id: 2\n"));
    assert!(reader.frame().await.contains("\"status\":\"erased\""));
    assert!(reader.is_over().await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_could_not_read_tells_nothing_before_it_can() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("1")).await;
    let before = server.store.page_reads();
    server.store.set_down(true);
    server.store.announce("a", 7);
    while server.store.page_reads() == before {
        tokio::task::yield_now().await;
    }
    append(&server, "e2").await;
    server.store.erase_unannounced("a");
    server.store.set_down(false);
    assert!(reader.frame().await.contains("\"status\":\"erased\""));
    assert!(reader.is_over().await);
}

#[tokio::test(start_paused = true)]
async fn a_stream_outlives_a_store_that_is_down_for_a_while() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("1")).await;
    append(&server, "e2").await;
    server.store.set_down(true);
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.store.set_down(false);
    assert_eq!(reader.event(&server).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_is_dropped() {
    let limits = Limits {
        page_limit: 1,
        ..Limits::default()
    };
    let server = Server::with(limits, Timing::default());
    server.with_events("a", 5).await;
    let mut reader = Reader::open(&server, PATH, None).await;
    assert_eq!(open_streams(&server), 1);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(open_streams(&server), 0);
    // What was under way still arrives, the rest does not, and the end is no clean one.
    let mut end = Ok(());
    while let Some(piece) = reader.body.next().await {
        match piece {
            Ok(piece) => reader.text.push_str(std::str::from_utf8(&piece).unwrap()),
            Err(error) => end = Err(error),
        }
    }
    assert!(end.is_err());
    assert!(!reader.text.contains("id: 5"));
}

#[tokio::test]
async fn streams_are_counted_until_their_reader_is_gone() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let first = Reader::open(&server, PATH, None).await;
    let second = Reader::open(&server, PATH, None).await;
    assert_eq!(open_streams(&server), 2);
    drop((first, second));
    while open_streams(&server) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stopping_server_ends_its_streams_with_a_hint_to_connect_again() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut reader = Reader::open(&server, PATH, Some("1")).await;
    server.stopping.cancel();
    let hint = ": the server stops, connect again\nretry: 1000";
    assert_eq!(reader.frame().await, hint);
    assert!(reader.is_over().await);
    server.log.drained().await;
}

fn open_streams(server: &Server) -> u64 {
    let families = server.metrics.gather();
    let mut found = families
        .iter()
        .filter(|family| family.name() == "sessionstore_streams_open");
    let gauge = found.next().unwrap().get_metric()[0]
        .get_gauge()
        .get_value();
    format!("{gauge}").parse().unwrap()
}

//! `GET /v1/sessions/{sessionId}/stream`: what is stored, then live, without gap or duplicate.

use serde_json::{Value, json};
use sessionstore_e2e::{
    all_at_once,
    client::Api,
    sample::{self, event, with},
    session::Session,
    sse::{EventSource, Frame, Message},
    until,
};

async fn append(session: &Session, ids: std::ops::RangeInclusive<usize>) {
    for n in ids {
        session.append(&event(&format!("e{n}"))).await.expect(201);
    }
}

fn ids(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.id).collect()
}

async fn count(session: &Session) -> u64 {
    session
        .get(&[])
        .await
        .expect(200)
        .number_at("/session/eventCount")
}

/// Asserts that these are all events from `first` on and then the end, and returns the end's data.
#[track_caller]
fn assert_whole(messages: &[Message], first: u64) -> Value {
    let (end, events) = messages.split_last().expect("a stream ends with its end");
    assert!(end.is_end());
    assert!(events.iter().all(|event| !event.is_end()));
    assert!(
        ids(messages).into_iter().eq(first..=end.id),
        "{:?}",
        ids(messages)
    );
    end.json()
}

#[tokio::test]
async fn a_stream_brings_what_is_stored_and_then_what_comes() {
    let session = Api::shared().await.new_session().await;
    append(&session, 1..=3).await;

    let mut stream = session.stream(&[]).await;
    let mut messages = stream.take(3).await;
    append(&session, 4..=5).await;
    messages.extend(stream.take(2).await);

    assert_eq!(ids(&messages), [1, 2, 3, 4, 5]);
    let data: Vec<_> = messages.iter().map(Message::json).collect();
    assert_eq!(data, session.log().await);
}

#[tokio::test]
async fn a_stream_of_a_session_without_events_waits_for_the_first() {
    let session = Api::shared().await.new_session().await;
    let mut stream = session.stream(&[]).await;
    append(&session, 1..=1).await;
    assert_eq!(ids(&stream.take(1).await), [1]);
}

#[tokio::test]
async fn a_completed_session_ends_its_streams() {
    let session = Api::shared().await.new_session().await;
    let mut stream = session.stream(&[]).await;
    append(&session, 1..=2).await;
    let closed = session
        .complete_with(&json!({ "reason": "hung up" }))
        .await
        .expect(200);

    let end = assert_whole(&stream.rest().await, 1);

    assert_eq!(end["status"], "completed");
    assert_eq!(end["endedAt"], closed.at("/session/endedAt"));
    assert_eq!(end["reason"], "hung up");
}

#[tokio::test]
async fn the_end_has_no_reason_when_there_is_none() {
    let session = Api::shared().await.new_session().await;
    let mut stream = session.stream(&[]).await;
    let closed = session.fail().await.expect(200);
    let messages = stream.rest().await;
    assert_eq!(
        ids(&messages),
        [1],
        "the end takes the seq after the last event"
    );
    let end = assert_whole(&messages, 1);
    assert_eq!(end["status"], "failed");
    assert_eq!(end["endedAt"], closed.at("/session/endedAt"));
    assert!(end.get("reason").is_none_or(Value::is_null));
}

#[tokio::test]
async fn a_closed_session_streams_its_past_and_ends() {
    let session = Api::shared().await.new_session().await;
    session.fill(700).await;
    session.complete().await.expect(200);
    let messages = session.stream(&[]).await.rest().await;
    assert_eq!(messages.len(), 701);
    assert_whole(&messages, 1);
}

#[tokio::test]
async fn a_stream_goes_on_after_a_seq() {
    let session = Api::shared().await.new_session().await;
    append(&session, 1..=4).await;
    for after in 0..=4 {
        let mut stream = session.stream(&[("after", &after.to_string())]).await;
        let stored: Vec<_> = (after + 1..=4).collect();
        let count = stored.len();
        assert_eq!(ids(&stream.take(count).await), stored);
    }
    let mut by_header = session.resume(3).await;
    assert_eq!(ids(&by_header.take(1).await), [4]);
    append(&session, 5..=5).await;
    assert_eq!(ids(&by_header.take(1).await), [5]);
}

#[tokio::test]
async fn the_last_event_id_beats_after() {
    let session = Api::shared().await.new_session().await;
    append(&session, 1..=4).await;
    for (after, last, first) in [("1", "3", 4), ("3", "1", 2)] {
        let request = session
            .stream_request()
            .query(&[("after", after)])
            .header("last-event-id", last);
        let mut stream = EventSource::open(request).await;
        assert_eq!(stream.message().await.unwrap().id, first);
    }
}

#[tokio::test]
async fn a_resume_point_that_is_no_integer_is_400() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    append(&session, 1..=2).await;
    for text in [
        "abc",
        "1.5",
        "1e3",
        "0x1",
        "1 2",
        "99999999999999999999999",
        "one",
    ] {
        session
            .no_stream(&[("after", text)])
            .await
            .problem(400)
            .names(&["?after"]);
        let request = session.stream_request().header("last-event-id", text);
        api.send(request)
            .await
            .problem(400)
            .names(&["last-event-id:"]);
        let request = session
            .stream_request()
            .query(&[("after", text)])
            .header("last-event-id", "1");
        api.send(request).await.problem(400).names(&["?after"]);
    }
}

#[tokio::test]
async fn a_stream_from_beyond_the_tail_waits_for_it() {
    let session = Api::shared().await.new_session().await;
    append(&session, 1..=2).await;
    let mut stream = session.stream(&[("after", "4")]).await;
    append(&session, 3..=6).await;
    assert_eq!(ids(&stream.take(2).await), [5, 6]);
}

#[tokio::test]
async fn nothing_will_ever_come_after_the_end() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    append(&session, 1..=2).await;
    session.complete().await.expect(200);
    assert_eq!(
        ids(&session.stream(&[("after", "2")]).await.rest().await),
        [3]
    );
    for after in ["3", "4", "1000000"] {
        assert_eq!(
            session
                .no_stream(&[("after", after)])
                .await
                .expect(204)
                .text,
            ""
        );
        api.send(session.stream_request().header("last-event-id", after))
            .await
            .expect(204);
    }
}

#[tokio::test]
async fn an_erased_session_ends_its_streams() {
    let session = Api::shared().await.new_session().await;
    append(&session, 1..=2).await;
    let mut stream = session.stream(&[]).await;
    stream.take(2).await;
    session.delete().await.expect(204);
    let end = stream.message().await.expect("the erasure is told");
    assert!(end.is_end());
    assert_eq!(end.json()["status"], "erased");
    assert_eq!(stream.message().await, None);
}

#[tokio::test]
async fn an_idle_stream_is_kept_alive_by_comments() {
    let session = Api::shared().await.new_session().await;
    let mut stream = session.stream(&[]).await;
    let mut frame = stream.frame().await;
    if let Some(Frame::Retry(_)) = frame {
        frame = stream.frame().await;
    }
    assert!(matches!(frame, Some(Frame::Comment(_))));
    append(&session, 1..=1).await;
    assert_eq!(ids(&stream.take(1).await), [1]);
}

#[tokio::test]
async fn a_refused_event_is_not_streamed() {
    let session = Api::shared().await.new_session().await;
    let mut stream = session.stream(&[]).await;
    append(&session, 1..=1).await;
    session.append(&event("e1")).await.expect(200);
    session
        .append(&with(event("e1"), "type", json!("system")))
        .await
        .problem(409);
    session
        .append(&with(event("late"), "expectedSeq", json!(9)))
        .await
        .problem(409);
    session.complete().await.expect(200);
    session.append(&event("late")).await.problem(409);
    assert_eq!(stream.rest().await.len(), 2);
}

#[tokio::test]
async fn every_stream_gets_everything_whenever_it_was_opened() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let streaming = all_at_once(24, async |n| {
        // Each opens when the log has another length.
        until("log of this length", async || {
            count(&session).await >= n as u64 * 6
        })
        .await;
        let messages = session.stream(&[]).await.rest().await;
        assert_whole(&messages, 1);
        messages
    });
    let appending = async {
        all_at_once(4, async |writer| {
            for n in 0..50 {
                session
                    .append(&event(&format!("{writer}-{n}")))
                    .await
                    .expect(201);
            }
        })
        .await;
        session.complete().await.expect(200);
    };
    let (streamed, ()) = tokio::join!(streaming, appending);
    let log = session.log().await;
    for messages in streamed {
        assert_eq!(messages.len(), 201);
        let data: Vec<_> = messages[..200].iter().map(Message::json).collect();
        assert_eq!(data, log);
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_off_and_resumed_again_and_again_misses_nothing() {
    let session = Api::shared().await.new_session().await;
    let streaming = async {
        let mut seen: Vec<Message> = Vec::new();
        for patience in 1_usize.. {
            let mut stream = session.resume(seen.last().map_or(0, |last| last.id)).await;
            for _ in 0..=patience % 7 {
                let message = stream
                    .message()
                    .await
                    .expect("the stream goes on to its end");
                let is_end = message.is_end();
                seen.push(message);
                if is_end {
                    return seen;
                }
            }
        }
        unreachable!("the loop ends with the stream")
    };
    let appending = async {
        for n in 0..30 {
            let batch: Vec<_> = (0..4).map(|m| event(&format!("{n}-{m}"))).collect();
            session.append_batch(&batch).await.expect(200);
        }
        session.fail().await.expect(200);
    };
    let (seen, ()) = tokio::join!(streaming, appending);
    assert_eq!(seen.len(), 121);
    assert_whole(&seen, 1);
}

#[tokio::test]
async fn streams_of_many_sessions_do_not_mix() {
    let api = Api::shared().await;
    all_at_once(16, async |n| {
        let session = api.session(format!("{}-{n}", sample::fresh("stream")));
        session.create().await.expect(201);
        let mut stream = session.stream(&[]).await;
        append(&session, 1..=10).await;
        session.complete().await.expect(200);
        let messages = stream.rest().await;
        assert_whole(&messages, 1);
        for message in &messages[..10] {
            assert_eq!(message.json()["sessionId"], json!(session.id));
        }
    })
    .await;
}

#[tokio::test]
async fn large_events_and_odd_text_survive_a_stream() {
    let session = Api::shared().await.new_session().await;
    let payloads = [
        json!({ "lines": "a\nb\r\nc\rd\n\n: e\ndata: f" }),
        json!({ "\n": "\u{2028}\u{85}" }),
        sample::payload_of(256 * 1024),
    ];
    let mut stream = session.stream(&[]).await;
    for (n, payload) in payloads.iter().enumerate() {
        let body = with(event(&format!("e{n}")), "payload", payload.clone());
        session.append(&body).await.expect(201);
    }
    for (message, payload) in stream.take(3).await.iter().zip(&payloads) {
        assert_eq!(&message.json()["payload"], payload);
    }
}

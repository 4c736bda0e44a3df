//! A stream of one process brings what the others store.

use serde_json::{Value, json};
use sessionstore_e2e::{
    all_at_once,
    processes::Processes,
    sample::event,
    session::numbers,
    sse::{EventSource, Message},
};

/// The seqs of these messages, of which the last is the end.
#[track_caller]
fn seqs_to_the_end(messages: &[Message]) -> Vec<u64> {
    let (end, events) = messages.split_last().expect("a stream ends with its end");
    assert!(end.is_end() && events.iter().all(|event| !event.is_end()));
    messages.iter().map(|message| message.id).collect()
}

fn data(messages: &[Message]) -> Vec<Value> {
    messages.iter().map(Message::json).collect()
}

#[tokio::test]
async fn streams_of_every_process_bring_what_all_processes_append() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;
    let on = |process| processes.process(process).session(&session.id);
    let mut open: Vec<EventSource> = Vec::new();
    for process in 0..6 {
        open.push(on(process).stream(&[]).await);
    }

    let reading = futures::future::join_all(open.iter_mut().map(EventSource::rest));
    let appending = async {
        all_at_once(6, async |writer| {
            for n in 0..20 {
                let body = event(&format!("{writer}-{n}"));
                on(writer).append(&body).await.expect(201);
            }
        })
        .await;
        on(1).complete().await.expect(200)
    };
    let (streamed, closed) = tokio::join!(reading, appending);

    let log = session.log().await;
    for messages in streamed {
        let seqs = seqs_to_the_end(&messages);
        assert!(seqs.iter().copied().eq(1..=121), "{seqs:?}");
        assert_eq!(data(&messages[..120]), log);
        let end = messages[120].json();
        assert_eq!(end["endedAt"], closed.at("/session/endedAt"));
    }
}

#[tokio::test]
async fn an_idle_stream_hears_of_a_single_event_of_another_process() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;
    let mut stream = session.stream(&[]).await;
    // One at a time, so that each has to be announced by itself.
    for n in 1..=20 {
        let other = processes.process(1 + n % 2).session(&session.id);
        let stored = other.append(&event(&format!("e{n}"))).await.expect(201);
        let message = stream.message().await.expect("the stream goes on");
        assert_eq!(message.json(), stored.at("/event"));
    }
}

#[tokio::test]
async fn an_erasure_by_one_process_ends_the_streams_of_the_others() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;
    session.fill(2).await;
    let mut streams = Vec::new();
    for process in 0..3 {
        let mut stream = processes
            .process(process)
            .session(&session.id)
            .stream(&[])
            .await;
        stream.take(2).await;
        streams.push(stream);
    }
    session.delete().await.expect(204);
    for mut stream in streams {
        let end = stream.message().await.expect("the erasure is told");
        assert!(end.is_end());
        assert_eq!(end.json()["status"], "erased");
        assert_eq!(stream.message().await, None);
    }
}

#[tokio::test]
async fn a_stream_that_is_resumed_on_the_next_process_again_and_again_misses_nothing() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;
    let reading = async {
        let mut seen: Vec<Message> = Vec::new();
        for process in 0_usize.. {
            let last = seen.last().map_or(0, |message| message.id);
            let mut stream = processes
                .process(process)
                .session(&session.id)
                .resume(last)
                .await;
            for _ in 0..=process % 5 {
                let message = stream.message().await.expect("the stream goes on");
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
        for n in 0..40 {
            let other = processes.process(n).session(&session.id);
            let events = [event(&format!("{n}-a")), event(&format!("{n}-b"))];
            other.append_batch(&events).await.expect(200);
        }
        processes
            .process(2)
            .session(&session.id)
            .fail()
            .await
            .expect(200);
    };
    let (seen, ()) = tokio::join!(reading, appending);

    assert!(seqs_to_the_end(&seen).into_iter().eq(1..=81));
    let log = session.log().await;
    assert_eq!(data(&seen[..80]), log);
    assert_eq!(numbers(&log, "seq").last(), Some(&80));
    assert_eq!(seen[80].json()["status"], json!("failed"));
}

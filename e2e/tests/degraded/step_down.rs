//! Streams, writes and reads through three processes while the primary hands over, dies or hangs.

use serde_json::Value;
use sessionstore_e2e::{
    all_at_once,
    processes::Processes,
    sample::event,
    sse::{EventSource, Message},
};
use sessionstore_replica_set::ReplicaSet;

use crate::to_hurt;

/// Appends through all processes while streams of all of them are open and `hurt` is done to the
/// set; asserts that no request failed and that every stream brought the log.
async fn assert_streams_survive(set: &ReplicaSet, hurt: impl AsyncFn()) {
    const WRITERS: usize = 6;
    const EVENTS: usize = 60;
    let processes = Processes::start(3, &set.fresh_database().await.unwrap()).await;
    let session = processes.process(0).new_session().await;
    let on = |process| processes.process(process).session(&session.id);
    let mut open: Vec<EventSource> = Vec::new();
    for process in 0..3 {
        open.push(on(process).stream(&[]).await);
    }

    let reading = futures::future::join_all(open.iter_mut().map(EventSource::rest));
    let appending = async {
        all_at_once(WRITERS, async |writer| {
            for n in 0..EVENTS {
                if writer == 0 && n == EVENTS / 3 {
                    hurt().await;
                }
                let body = event(&format!("{writer}-{n}"));
                // What was stored while its answer was lost is answered as stored before.
                let status = on(writer).append(&body).await.status;
                assert!([200, 201].contains(&status), "{status}");
            }
        })
        .await;
        on(1).complete().await.expect(200);
    };
    let (streamed, ()) = tokio::join!(reading, appending);

    let log = session.log().await;
    assert_eq!(log.len(), WRITERS * EVENTS);
    for messages in streamed {
        let (end, events) = messages.split_last().expect("a stream ends with its end");
        assert!(end.is_end());
        let data: Vec<Value> = events.iter().map(Message::json).collect();
        assert_eq!(data, log);
    }
}

#[tokio::test]
async fn streams_of_all_processes_have_no_gap_and_no_duplicate_while_the_primary_steps_down() {
    let set = to_hurt().await;
    assert_streams_survive(&set, async || {
        set.step_down().await.unwrap();
        set.primary().await.unwrap();
        set.step_down().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn streams_of_all_processes_have_no_gap_and_no_duplicate_when_the_primary_is_killed() {
    let set = to_hurt().await;
    assert_streams_survive(&set, async || {
        let primary = set.primary().await.unwrap();
        set.member(primary).kill().await.unwrap();
        set.member(primary).restart().await.unwrap();
    })
    .await;
    set.wait_until_healthy().await.unwrap();
}

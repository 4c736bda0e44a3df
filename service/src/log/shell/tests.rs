use std::sync::atomic::Ordering;

use prometheus::Registry;

use super::*;
use crate::domain::{Document, EventId, EventType, NewEvent, SessionId, Timestamp};
use crate::log::fake_store::FakeStore;
use crate::log::{Appended, Log};

fn log_over(store: &Arc<FakeStore>) -> Log {
    let metrics = LogMetrics::register(&Registry::new()).unwrap();
    Log::new(
        Arc::clone(store) as Arc<dyn Store>,
        Settings::default(),
        metrics,
    )
}

fn session() -> SessionId {
    SessionId::from_stored("s")
}

fn event(event_id: &str) -> NewEvent {
    NewEvent {
        session_id: session(),
        event_id: EventId::from_stored(event_id),
        kind: EventType::BotSpeech,
        payload: Document::empty(),
        timestamp: None,
        expected_seq: None,
        received_at: Timestamp::from_millis(0),
    }
}

async fn until_a_commit_begins(store: &FakeStore) {
    let mut commits = store.commits.subscribe();
    commits
        .wait_for(|commits| !commits.is_empty())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_append_is_stored_and_answered() {
    let store = FakeStore::with_sessions(["s"]);
    let Appended { event, replayed } = log_over(&store).append(event("a")).await.unwrap();
    assert_eq!((event.seq.get(), replayed), (1, false));
    assert_eq!(store.stored(&session()), ["a"]);
}

#[tokio::test]
async fn requests_handed_in_at_once_go_into_one_batch() {
    let store = FakeStore::with_sessions(["s"]);
    let log = log_over(&store);
    let events: Vec<_> = (1..=40).map(|n| event(&format!("e{n}"))).collect();
    let answers = log.append_all(events).await;
    let places: Vec<_> = answers
        .into_iter()
        .map(|appended| appended.unwrap().event.seq.get())
        .collect();
    assert_eq!(places, (1..=40).collect::<Vec<_>>());
    assert_eq!(*store.commits.borrow(), [40]);
}

#[tokio::test]
async fn a_caller_that_hangs_up_cancels_nothing() {
    let store = FakeStore::with_sessions(["s"]);
    store.shut_gate();
    let log = log_over(&store);
    let caller = tokio::spawn({
        let log = log.clone();
        async move { log.append(event("a")).await }
    });
    until_a_commit_begins(&store).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    store.gate.add_permits(1);
    log.drained().await;
    assert_eq!(store.stored(&session()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_call_that_panics_is_an_unknown_outcome_and_is_settled() {
    let store = FakeStore::with_sessions(["s"]);
    store.panics_after_commit.store(1, Ordering::SeqCst);
    store.panics_in_look_up.store(1, Ordering::SeqCst);
    let appended = log_over(&store).append(event("a")).await.unwrap();
    assert_eq!((appended.event.seq.get(), appended.replayed), (1, true));
    assert_eq!(store.stored(&session()), ["a"]);
}

#[tokio::test]
async fn drained_waits_for_what_is_in_flight() {
    let store = FakeStore::with_sessions(["s"]);
    store.shut_gate();
    let log = log_over(&store);
    let answer = tokio::spawn({
        let log = log.clone();
        async move { log.append(event("a")).await }
    });
    until_a_commit_begins(&store).await;
    assert_eq!(log.drained().now_or_never(), None);
    store.gate.add_permits(1);
    log.drained().await;
    assert_eq!(store.stored(&session()), ["a"]);
    assert!(answer.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_log_without_work_is_drained_at_once() {
    let store = FakeStore::with_sessions(["s"]);
    assert_eq!(log_over(&store).drained().now_or_never(), Some(()));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_at_its_deadline_although_the_store_hangs() {
    let store = FakeStore::with_sessions(["s"]);
    store.shut_gate();
    let log = log_over(&store);
    let began = Instant::now();
    assert_eq!(log.append(event("a")).await, Err(Refusal::TimedOut));
    // The paused clock only moves to the next timer; tokio's has a granularity of 1 ms.
    let waited = began.elapsed();
    let deadline = Settings::default().deadline;
    assert!(waited >= deadline && waited <= deadline + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_is_repeated_after_a_delay() {
    let store = FakeStore::with_sessions(["s"]);
    store.failing_look_ups.store(3, Ordering::SeqCst);
    let appended = log_over(&store).append(event("a")).await.unwrap();
    assert_eq!(appended.event.seq.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_timer_serves_a_deadline_that_comes_while_it_waits_for_a_later_one() {
    let store = FakeStore::with_sessions(["s"]);
    let log = log_over(&store);
    store.shut_gate();
    let first = log.append(event("a"));
    let second = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        log.append(event("b")).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (first, second),
        (Err(Refusal::TimedOut), Err(Refusal::TimedOut))
    );
}

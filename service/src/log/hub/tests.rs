use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;

use super::*;
use crate::domain::{Document, EventId, EventType, NewEvent, Timestamp};
use crate::log::fake_store::FakeStore;
use crate::log::{Log, LogMetrics, Settings};

fn hub_over(store: &Arc<FakeStore>) -> Hub {
    Hub::new(Arc::clone(store) as Arc<dyn Store>)
}

fn session(name: &str) -> SessionId {
    SessionId::from_stored(name)
}

/// Whether there is news right now.
fn has_news(follower: &mut Follower) -> bool {
    follower.news().now_or_never().is_some()
}

async fn until_nobody_subscribes(store: &FakeStore) {
    let mut subscribers = store.subscribers.subscribe();
    subscribers.wait_for(|held| *held == 0).await.unwrap();
}

fn has_ended(hub: &Hub) -> bool {
    let state = hub.lock();
    state.foreign.as_ref().is_some_and(JoinHandle::is_finished)
}

#[tokio::test]
async fn every_follower_of_a_session_is_told_and_nobody_else() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut first = hub.follow(&session("a"));
    let mut second = hub.follow(&session("a"));
    let mut other = hub.follow(&session("b"));
    hub.announce(&session("a"));
    assert!(has_news(&mut first));
    assert!(has_news(&mut second));
    assert!(!has_news(&mut other));
}

#[tokio::test]
async fn many_announcements_between_two_looks_are_one_piece_of_news() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut follower = hub.follow(&session("a"));
    hub.announce(&session("a"));
    hub.announce(&session("a"));
    assert!(has_news(&mut follower));
    assert!(!has_news(&mut follower));
}

#[tokio::test]
async fn a_follower_is_not_told_what_came_before_it() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut early = hub.follow(&session("a"));
    hub.announce(&session("a"));
    let mut late = hub.follow(&session("a"));
    assert!(!has_news(&mut late));
    assert!(has_news(&mut early));
}

#[tokio::test]
async fn one_that_leaves_does_not_take_the_others_along() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let gone = hub.follow(&session("a"));
    let mut staying = hub.follow(&session("a"));
    drop(gone);
    hub.announce(&session("a"));
    assert!(has_news(&mut staying));
    drop(staying);
    assert!(hub.lock().followed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_other_processes_commit_is_pumped_only_while_somebody_follows() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    assert_eq!(*store.subscribers.borrow(), 0);

    let mut first = hub.follow(&session("a"));
    let second = hub.follow(&session("b"));
    assert_eq!(*store.subscribers.borrow(), 1);
    store.commit_elsewhere(session("a"));
    first.news().await;

    drop(second);
    store.commit_elsewhere(session("a"));
    first.news().await;

    drop(first);
    until_nobody_subscribes(&store).await;

    let mut again = hub.follow(&session("a"));
    assert_eq!(*store.subscribers.borrow(), 1);
    store.commit_elsewhere(session("a"));
    again.news().await;
}

#[tokio::test(start_paused = true)]
async fn followers_that_come_and_go_share_one_stream_of_announcements() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    for _ in 0..100 {
        drop(hub.follow(&session("a")));
        tokio::time::sleep(LINGER / 2).await;
    }
    assert_eq!(store.subscriptions.load(Ordering::SeqCst), 1);
    // It is the one that was opened first, and it still works.
    let mut follower = hub.follow(&session("a"));
    store.commit_elsewhere(session("a"));
    follower.news().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_announcements_lingers_after_the_last_follower_left_however_much_comes() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let first = hub.follow(&session("a"));
    tokio::time::sleep(LINGER * 3 / 2).await;
    drop(first);
    let left = Instant::now();
    for _ in 0..9 {
        tokio::time::sleep(LINGER / 10).await;
        store.commit_elsewhere(session("a"));
    }
    assert_eq!(*store.subscribers.borrow(), 1);
    until_nobody_subscribes(&store).await;
    // The paused clock only moves to the next timer; tokio's has a granularity of 1 ms.
    assert!(left.elapsed() <= LINGER + Duration::from_millis(1));
}

#[tokio::test]
async fn every_follower_is_told_when_announcements_may_have_been_missed() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let mut first = hub.follow(&session("a"));
    let mut second = hub.follow(&session("b"));
    store.miss_announcements();
    first.news().await;
    second.news().await;
}

#[tokio::test]
async fn a_stream_of_announcements_that_ended_is_opened_again_by_the_next_follower() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let _early = hub.follow(&session("a"));
    store.cut_off();
    until_nobody_subscribes(&store).await;
    // The stream is dropped inside the last poll of the task that held it.
    while !has_ended(&hub) {
        tokio::task::yield_now().await;
    }

    let mut late = hub.follow(&session("b"));
    store.commit_elsewhere(session("b"));
    late.news().await;
}

#[tokio::test]
async fn followers_hear_of_commits_and_erasures_of_their_own_process() {
    let store = FakeStore::with_sessions(["s"]);
    let metrics = LogMetrics::register(&prometheus::Registry::new()).unwrap();
    let log = Log::new(store, Settings::default(), metrics);
    let mut follower = log.follow(&session("s"));
    let event = NewEvent {
        session_id: session("s"),
        event_id: EventId::from_stored("a"),
        kind: EventType::System,
        payload: Document::empty(),
        timestamp: None,
        expected_seq: None,
        received_at: Timestamp::from_millis(0),
    };
    log.append(event).await.unwrap();
    assert!(has_news(&mut follower));
    log.erase(&session("s"), Timestamp::from_millis(1))
        .await
        .unwrap();
    assert!(has_news(&mut follower));
}

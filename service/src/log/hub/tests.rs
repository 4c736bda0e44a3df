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

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn grown(name: &str, number: u64) -> Announcement {
    Announcement::Grown(session(name), seq(number))
}

/// The news right now for a follower that has seen so much.
fn news(follower: &mut Follower, seen: u64) -> Option<News> {
    follower.news(seen).now_or_never()
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
    hub.changed(&session("a"));
    assert_eq!(news(&mut first, 0), Some(News::Look));
    assert_eq!(news(&mut second, 0), Some(News::Look));
    assert_eq!(news(&mut other, 0), None);
}

#[tokio::test]
async fn many_announcements_between_two_looks_are_one_piece_of_news() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut follower = hub.follow(&session("a"));
    hub.changed(&session("a"));
    hub.changed(&session("a"));
    assert_eq!(news(&mut follower, 0), Some(News::Look));
    assert_eq!(news(&mut follower, 0), None);
}

#[tokio::test]
async fn a_follower_is_not_told_what_came_before_it() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut early = hub.follow(&session("a"));
    hub.changed(&session("a"));
    let mut late = hub.follow(&session("a"));
    assert_eq!(news(&mut late, 0), None);
    assert_eq!(news(&mut early, 0), Some(News::Look));
}

#[tokio::test]
async fn one_that_leaves_does_not_take_the_others_along() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let gone = hub.follow(&session("a"));
    let mut staying = hub.follow(&session("a"));
    drop(gone);
    hub.changed(&session("a"));
    assert_eq!(news(&mut staying, 0), Some(News::Look));
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
    store.announce(Announcement::Changed(session("a")));
    first.news(0).await;

    drop(second);
    store.announce(Announcement::Changed(session("a")));
    first.news(0).await;

    drop(first);
    until_nobody_subscribes(&store).await;

    let mut again = hub.follow(&session("a"));
    assert_eq!(*store.subscribers.borrow(), 1);
    store.announce(Announcement::Changed(session("a")));
    again.news(0).await;
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
    store.announce(Announcement::Changed(session("a")));
    follower.news(0).await;
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
        store.announce(Announcement::Changed(session("a")));
    }
    assert_eq!(*store.subscribers.borrow(), 1);
    until_nobody_subscribes(&store).await;
    // The paused clock only moves to the next timer; tokio's has a granularity of 1 ms.
    assert!(left.elapsed() <= LINGER + Duration::from_millis(1));
}

#[tokio::test]
async fn every_follower_looks_when_announcements_may_have_been_missed() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let mut first = hub.follow(&session("a"));
    let mut second = hub.follow(&session("b"));
    store.announce(Announcement::Everything);
    first.news(0).await;
    second.news(0).await;
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
    store.announce(Announcement::Changed(session("b")));
    late.news(0).await;
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
    assert_eq!(news(&mut follower, 0), Some(News::Look));
    log.erase(&session("s"), Timestamp::from_millis(1))
        .await
        .unwrap();
    assert_eq!(news(&mut follower, 0), Some(News::Look));
}

#[tokio::test]
async fn only_who_has_not_seen_that_far_looks() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let mut behind = hub.follow(&session("a"));
    let mut caught_up = hub.follow(&session("a"));
    store.announce(grown("a", 7));
    assert_eq!(behind.news(6).await, News::Look);
    assert_eq!(news(&mut caught_up, 7), None);
}

#[tokio::test]
async fn what_was_told_before_is_told_to_nobody_again() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let mut follower = hub.follow(&session("a"));
    hub.grown(&session("a"), seq(7));
    assert_eq!(news(&mut follower, 6), Some(News::Look));
    hub.grown(&session("a"), seq(7));
    hub.grown(&session("a"), seq(6));
    assert!(follower.receiver.is_empty());
    hub.grown(&session("a"), seq(8));
    assert_eq!(news(&mut follower, 7), Some(News::Look));
}

#[tokio::test]
async fn a_follower_that_missed_something_looks_once() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut follower = hub.follow(&session("a"));
    for number in 1..=10 * WAITING as u64 {
        hub.grown(&session("a"), seq(number));
    }
    // However much it has seen: what it missed may be anything.
    assert_eq!(news(&mut follower, 10 * WAITING as u64), Some(News::Look));
    assert_eq!(news(&mut follower, 0), None);
}

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;

use super::followed::WAITING;
use super::*;
use crate::domain::{Document, Event, EventId, EventType, NewEvent, Timestamp};
use crate::log::fake_store::FakeStore;
use crate::log::{Log, LogMetrics, Settings};

fn hub_over(store: &Arc<FakeStore>) -> Hub {
    Hub::new(Arc::clone(store) as Arc<dyn Store>)
}

fn session(name: &str) -> SessionId {
    SessionId::from_stored(name)
}

pub(super) fn seq(number: u64) -> Seq {
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

fn log_over(store: &Arc<FakeStore>) -> Log {
    let metrics = LogMetrics::register(&prometheus::Registry::new()).unwrap();
    Log::new(store.clone(), Settings::default(), metrics)
}

fn new_event(name: &str) -> NewEvent {
    NewEvent {
        session_id: session(name),
        event_id: EventId::from_stored("a"),
        kind: EventType::System,
        payload: Document::empty(),
        timestamp: None,
        expected_seq: None,
        received_at: Timestamp::from_millis(0),
    }
}

#[tokio::test]
async fn followers_hear_of_commits_and_erasures_of_their_own_process() {
    let log = log_over(&FakeStore::with_sessions(["s"]));
    let mut follower = log.follow(&session("s"));
    let appended = log.append(new_event("s")).await.unwrap();
    let told = News::Events(vec![appended.event]);
    assert_eq!(news(&mut follower, 0), Some(told));
    log.erase(&session("s"), Timestamp::from_millis(1))
        .await
        .unwrap();
    assert_eq!(news(&mut follower, 0), Some(News::Look));
}

#[tokio::test]
async fn an_echo_that_is_faster_than_the_answer_of_the_store_is_no_news() {
    let store = FakeStore::with_sessions(["s"]);
    let log = log_over(&store);
    let mut follower = log.follow(&session("s"));
    let mut other = log.follow(&session("t"));
    store.shut_gate();
    let appending = tokio::spawn({
        let log = log.clone();
        async move { log.append(new_event("s")).await.unwrap() }
    });
    let mut commits = store.commits.subscribe();
    commits.wait_for(|begun| !begun.is_empty()).await.unwrap();

    store.announce(grown("s", 1));
    store.announce(Announcement::Changed(session("t")));
    other.news(0).await;
    assert_eq!(news(&mut follower, 0), None);

    store.gate.add_permits(1);
    let told = News::Events(vec![appending.await.unwrap().event]);
    assert_eq!(news(&mut follower, 0), Some(told));
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

/// The record at this place.
pub(super) fn record(name: &str, number: u64) -> Record {
    Record::Event(Event {
        session_id: session(name),
        seq: seq(number),
        event_id: EventId::from_stored(&format!("e{number}")),
        kind: EventType::System,
        payload: Document::empty(),
        timestamp: Timestamp::from_millis(0),
        recorded_at: Timestamp::from_millis(0),
    })
}

/// The seqs of the events that are told from memory to one who has seen so much.
fn told(follower: &mut Follower, seen: u64) -> Vec<u64> {
    match news(follower, seen) {
        Some(News::Events(events)) => events.iter().map(|event| event.seq.get()).collect(),
        other => panic!("expected events, got {other:?}"),
    }
}

#[tokio::test]
async fn every_follower_is_told_what_was_committed_and_it_has_not_seen() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut first = hub.follow(&session("a"));
    let mut second = hub.follow(&session("a"));
    hub.committed(&[record("a", 1), record("a", 2)]);
    hub.committed(&[record("a", 3)]);
    assert_eq!(told(&mut first, 0), [1, 2, 3]);
    assert_eq!(told(&mut second, 1), [2, 3]);
}

#[tokio::test]
async fn a_follower_that_lags_behind_what_is_committed_looks() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut follower = hub.follow(&session("a"));
    for number in 1..=WAITING as u64 + 1 {
        hub.committed(&[record("a", number)]);
    }
    assert_eq!(news(&mut follower, 0), Some(News::Look));
    hub.committed(&[record("a", 6)]);
    assert_eq!(told(&mut follower, 5), [6]);
}

#[tokio::test]
async fn an_echo_of_what_was_committed_here_wakes_nobody() {
    let store = FakeStore::with_sessions([]);
    let hub = hub_over(&store);
    let mut follower = hub.follow(&session("a"));
    hub.committed(&[record("a", 1)]);
    assert_eq!(told(&mut follower, 0), [1]);
    store.announce(grown("a", 1));
    store.announce(grown("a", 2));
    assert_eq!(follower.news(1).await, News::Look);
    assert!(follower.receiver.is_empty());
}

#[tokio::test]
async fn what_was_committed_before_an_erasure_is_not_told_after_it() {
    let hub = hub_over(&FakeStore::with_sessions([]));
    let mut follower = hub.follow(&session("a"));
    hub.committed(&[record("a", 1)]);
    hub.changed(&session("a"));
    assert_eq!(news(&mut follower, 0), Some(News::Look));
    assert_eq!(news(&mut follower, 0), None);
}

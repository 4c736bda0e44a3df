//! One deadline for each operation, whatever the store does, and writes that go on without it.

use std::sync::atomic::Ordering;

use futures::FutureExt;
use tokio::time::{Instant, sleep};

use super::*;
use crate::domain::{Language, Limits, SessionFilter};
use crate::log::fake_store::FakeStore;

fn log_over(store: &Arc<FakeStore>) -> Log {
    let metrics = LogMetrics::register(&prometheus::Registry::new()).unwrap();
    Log::new(
        Arc::clone(store) as Arc<dyn Store>,
        Settings::default(),
        metrics,
    )
}

fn session() -> SessionId {
    SessionId::from_stored("s")
}

fn at() -> Timestamp {
    Timestamp::from_millis(1)
}

fn in_german() -> SessionPatch {
    SessionPatch {
        language: Some(Language::from_stored("de")),
        metadata: None,
    }
}

async fn patch(log: &Log) -> Result<Session, PatchError> {
    log.patch(&session(), &in_german(), |_| true, 16_384, at())
        .await
}

/// Longer than any deadline.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);

/// What an operation returns, which it does in time. The paused clock only moves to the next
/// timer; tokio's has a granularity of 1 ms.
async fn in_time<T>(operation: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let result = operation.await;
    let latest = Settings::default().deadline + Deadline::GRACE + Duration::from_millis(1);
    assert!(began.elapsed() <= latest, "after {:?}", began.elapsed());
    result
}

#[tokio::test(start_paused = true)]
async fn every_read_is_answered_in_time_although_the_store_hangs() {
    let store = FakeStore::with_sessions(["s"]);
    store.slow_down(FOR_EVER);
    let log = log_over(&store);
    let page = PageQuery::following(0, &Limits::default());
    let list = SessionListQuery {
        filter: SessionFilter::default(),
        after: None,
        limit: 1,
        consistency: Consistency::Strong,
    };
    let id = session();
    let event_id = EventId::from_stored("a");
    let late = ReadError::Store(StoreError::TimedOut);

    let read = log.session(&id, Consistency::Strong);
    assert_eq!(in_time(read).await, Err(late.clone()));
    let read = log.events(&id, &page);
    assert_eq!(in_time(read).await, Err(late.clone()));
    let read = log.session_with_events(&id, &page);
    assert_eq!(in_time(read).await, Err(late.clone()));
    let read = log.event(&id, &event_id, Consistency::Strong);
    assert_eq!(in_time(read).await, Err(late));
    assert_eq!(in_time(log.list(&list)).await, Err(StoreError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn closing_a_session_and_reading_it_back_share_one_deadline() {
    let store = FakeStore::with_sessions(["s"]);
    store.shut_gate();
    store.slow_down(Duration::from_secs(8));
    let log = log_over(&store);
    let opening = async {
        sleep(Duration::from_secs(8)).await;
        store.gate.add_permits(1);
    };
    let closing = log.close(session(), ClosingStatus::Completed, None, at());
    let (closed, ()) = tokio::join!(in_time(closing), opening);
    let late = ReadError::Store(StoreError::TimedOut);
    assert_eq!(closed, Err(CloseError::Read(late)));
}

#[tokio::test(start_paused = true)]
async fn a_patch_reads_and_writes_within_one_deadline_and_the_write_goes_on() {
    let store = FakeStore::with_sessions(["s"]);
    store.slow_down(Duration::from_secs(8));
    let log = log_over(&store);
    let late = ReadError::Store(StoreError::TimedOut);
    assert_eq!(in_time(patch(&log)).await, Err(PatchError::Read(late)));
    assert_eq!(*store.ended.borrow(), 0);
    log.drained().await;
    assert_eq!(*store.ended.borrow(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_others_are_always_faster_than_is_given_up_in_time() {
    let store = FakeStore::with_sessions(["s"]);
    store.lost_updates.store(usize::MAX, Ordering::SeqCst);
    // The third round's read is under way when time is up.
    store.slow_down(Duration::from_millis(2_200));
    let given_up = in_time(patch(&log_over(&store))).await;
    assert_eq!(given_up, Err(PatchError::Contended));
    assert_eq!(*store.begun.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_patch_that_lost_to_others_is_tried_again() {
    let store = FakeStore::with_sessions(["s"]);
    store.lost_updates.store(3, Ordering::SeqCst);
    let patched = patch(&log_over(&store)).await.unwrap();
    assert_eq!(patched.language, Language::from_stored("de"));
    assert_eq!(*store.ended.borrow(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_erasure_that_takes_long_is_answered_in_time_and_goes_on() {
    let store = FakeStore::with_sessions(["s"]);
    store.slow_down(Duration::from_secs(60));
    let log = log_over(&store);
    let erased = in_time(log.erase(&session(), at())).await;
    assert_eq!(erased, Err(EraseError::Store(StoreError::TimedOut)));
    assert!(store.has(&session()));
    let mut follower = log.follow(&session());
    log.drained().await;
    assert!(!store.has(&session()));
    assert!(follower.news(0).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_does_not_break_an_erasure_off() {
    let store = FakeStore::with_sessions(["s"]);
    store.slow_down(Duration::from_secs(1));
    let log = log_over(&store);
    let caller = tokio::spawn({
        let log = log.clone();
        async move { log.erase(&session(), at()).await }
    });
    let mut begun = store.begun.subscribe();
    begun.wait_for(|begun| *begun == 1).await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert!(store.has(&session()));

    log.drained().await;
    assert!(!store.has(&session()));
}

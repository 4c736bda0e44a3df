//! Opening a store again keeps everything.

use sessionstore::domain::{ClosingStatus, Consistency, Document, MetadataPatch, SessionPatch};
use sessionstore::log::Refusal;
use sessionstore::store::{LogState, ReadError};

use crate::backend::{Backend, Subject};
use crate::sample::{at, id, look_up, new_event, new_session, stored_log};

pub(crate) async fn everything_is_there_after_the_store_was_opened_again<B: Backend>() {
    let subject = Subject::<B>::fresh().await;
    for (number, name) in (1..).zip(["open", "closed", "patched", "erased", "empty"]) {
        subject.log.create(new_session(name, number)).await.unwrap();
    }
    for session in ["open", "closed", "erased"] {
        let events = (0..50).map(|number| new_event(session, &format!("e{number}")));
        let appended = subject.log.append_all(events.collect()).await;
        assert!(appended.iter().all(Result::is_ok));
    }
    let closed = subject
        .log
        .close(
            id("closed"),
            ClosingStatus::Completed,
            Some("done".into()),
            at(5_000),
        )
        .await
        .unwrap();
    let patch = SessionPatch {
        language: None,
        metadata: Some(MetadataPatch::Merge(Document::from_stored(r#"{"a":[1]}"#))),
    };
    let patched = subject
        .log
        .patch(&id("patched"), &patch, |_| true, 16_384, at(6_000))
        .await
        .unwrap();
    subject.log.erase(&id("erased"), at(7_000)).await.unwrap();
    let before = stored_log(&*subject.store, "open").await;
    let empty = subject
        .store
        .session(&id("empty"), Consistency::Strong)
        .await;

    let subject = subject.reopen().await;
    let store = &*subject.store;
    assert_eq!(stored_log(store, "open").await, before);
    assert_eq!(stored_log(store, "closed").await.len(), 50);
    let read = async |name| store.session(&id(name), Consistency::Strong).await;
    assert_eq!(read("closed").await, Ok(closed));
    assert_eq!(read("patched").await, Ok(patched));
    assert_eq!(read("erased").await, Err(ReadError::Erased));
    assert_eq!(read("empty").await, empty);
}

pub(crate) async fn a_log_goes_on_where_it_was_after_the_store_was_opened_again<B: Backend>() {
    let mut subject = Subject::<B>::fresh().await;
    subject.log.create(new_session("s", 1)).await.unwrap();
    for round in 1..=4_u64 {
        let appended = subject
            .log
            .append(new_event("s", &format!("e{round}")))
            .await
            .unwrap();
        assert_eq!(appended.event.seq.get(), round);
        subject = subject.reopen().await;
    }
    let again = subject.log.append(new_event("s", "e2")).await.unwrap();
    assert_eq!((again.event.seq.get(), again.replayed), (2, true));
    assert_eq!(stored_log(&*subject.store, "s").await.len(), 4);
}

pub(crate) async fn what_is_closed_or_erased_stays_so_after_the_store_was_opened_again<
    B: Backend,
>() {
    let subject = Subject::<B>::fresh().await;
    subject.log.create(new_session("closed", 1)).await.unwrap();
    subject.log.create(new_session("erased", 2)).await.unwrap();
    let closing = subject
        .log
        .close(id("closed"), ClosingStatus::Failed, None, at(5_000));
    closing.await.unwrap();
    subject.log.erase(&id("erased"), at(5_000)).await.unwrap();

    let subject = subject.reopen().await;
    let late = subject.log.append(new_event("closed", "late")).await;
    assert!(matches!(late, Err(Refusal::Closed(_))), "{late:?}");
    let late = subject.log.append(new_event("erased", "late")).await;
    assert_eq!(late, Err(Refusal::Erased));
    let create = subject.log.create(new_session("erased", 3)).await;
    assert_eq!(create, Err(Refusal::Erased));
    let known = look_up(&*subject.store, "erased", &[]).await;
    assert_eq!(known.log, LogState::Erased);
}

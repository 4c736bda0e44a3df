//! Many tasks at once, judged by what is stored afterwards.

use std::collections::HashSet;

use sessionstore::domain::{
    ClosingStatus, Consistency, Document, MetadataPatch, NewEvent, SessionPatch, SessionStatus,
    Version,
};
use sessionstore::log::{Appended, CloseError, Created, PatchError, Refusal};
use sessionstore::store::{LogState, ReadError};
use tokio::task::JoinSet;

use crate::backend::{Backend, Subject};
use crate::sample::{at, id, look_up, new_event, new_session, stored_log};

/// Runs all of them at once; results in the order of the tasks.
async fn all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut running = JoinSet::new();
    for (number, task) in tasks.into_iter().enumerate() {
        running.spawn(async move { (number, task.await) });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

async fn with_session<B: Backend>(name: &str) -> Subject<B> {
    let subject = Subject::<B>::fresh().await;
    let created = subject.log.create(new_session(name, 1)).await;
    assert!(created.is_ok());
    subject
}

async fn append_all_at_once<B: Backend>(
    subject: &Subject<B>,
    events: impl IntoIterator<Item = NewEvent>,
) -> Vec<Result<Appended, Refusal>> {
    all(events.into_iter().map(|event| {
        let log = subject.log.clone();
        async move { log.append(event).await }
    }))
    .await
}

pub(crate) async fn of_64_creations_of_one_id_one_creates_it<B: Backend>() {
    let subject = Subject::<B>::fresh().await;
    let created = all((0..64).map(|number| {
        let log = subject.log.clone();
        async move { log.create(new_session("s", number)).await.unwrap() }
    }))
    .await;
    let new: Vec<&Created> = created.iter().filter(|it| !it.replayed).collect();
    assert_eq!(new.len(), 1);
    let stored = subject.store.session(&id("s"), Consistency::Strong).await;
    assert_eq!(stored.as_ref(), Ok(&new[0].session));
    assert!(created.iter().all(|it| it.session == new[0].session));
}

pub(crate) async fn of_64_appends_of_one_event_one_stores_it<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let events = (0..64).map(|_| new_event("s", "e"));
    let appended = append_all_at_once(&subject, events).await;
    let appended: Vec<_> = appended.into_iter().map(Result::unwrap).collect();
    assert_eq!(appended.iter().filter(|it| !it.replayed).count(), 1);
    let stored = stored_log(&*subject.store, "s").await;
    assert_eq!(stored.len(), 1);
    assert!(appended.iter().all(|it| it.event == stored[0]));
}

pub(crate) async fn of_64_contents_for_one_event_id_one_is_stored<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let events = (0..64).map(|number| NewEvent {
        payload: Document::from_stored(&format!(r#"{{"n":{number}}}"#)),
        ..new_event("s", "e")
    });
    let answers = append_all_at_once(&subject, events).await;
    assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 1);
    let refused = answers.iter().filter_map(|it| it.as_ref().err());
    assert!(refused.clone().all(|it| *it == Refusal::EventIdTaken));
    assert_eq!(refused.count(), 63);
    assert_eq!(stored_log(&*subject.store, "s").await.len(), 1);
}

pub(crate) async fn of_64_appends_to_one_session_each_has_its_own_place<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let events = (0..64).map(|number| new_event("s", &format!("e{number}")));
    let appended = append_all_at_once(&subject, events).await;
    let stored = stored_log(&*subject.store, "s").await;
    assert_eq!(stored.len(), 64);
    for it in appended.into_iter().map(Result::unwrap) {
        assert!(!it.replayed);
        let place = usize::try_from(it.event.seq.get()).unwrap();
        assert_eq!(stored[place - 1], it.event);
    }
}

pub(crate) async fn of_64_appends_that_expect_the_same_place_one_gets_it<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let events = (0..64).map(|number| NewEvent {
        expected_seq: sessionstore::domain::Seq::new(1),
        ..new_event("s", &format!("e{number}"))
    });
    let answers = append_all_at_once(&subject, events).await;
    assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 1);
    let mut refused = answers.iter().filter_map(|it| it.as_ref().err());
    assert!(refused.all(|it| matches!(it, Refusal::NotNext { next } if next.get() == 2)));
    assert_eq!(stored_log(&*subject.store, "s").await.len(), 1);
}

pub(crate) async fn appends_that_race_a_closing_are_before_it_or_refused<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let closing = {
        let log = subject.log.clone();
        tokio::spawn(async move {
            log.close(id("s"), ClosingStatus::Completed, None, at(5_000))
                .await
        })
    };
    let events = (0..80).map(|number| new_event("s", &format!("e{number}")));
    let answers = append_all_at_once(&subject, events).await;
    let closed = closing.await.unwrap().unwrap();

    let stored = stored_log(&*subject.store, "s").await;
    let LogState::Closed(terminal) = look_up(&*subject.store, "s", &[]).await.log else {
        panic!("the log is open");
    };
    assert_eq!(terminal.event_count(), stored.len() as u64);
    assert_eq!(closed.event_count, Some(stored.len() as u64));
    let mut acknowledged = 0;
    for answer in answers {
        match answer {
            Ok(it) => {
                acknowledged += 1;
                assert!(stored.contains(&it.event));
            }
            Err(refusal) => assert_eq!(refusal, Refusal::Closed(terminal.clone())),
        }
    }
    assert_eq!(acknowledged, stored.len());
}

pub(crate) async fn closings_that_race_have_one_outcome_and_one_end<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let closed = all((0..64_i64).map(|number| {
        let log = subject.log.clone();
        let status = if number % 2 == 0 {
            ClosingStatus::Completed
        } else {
            ClosingStatus::Failed
        };
        let reason = Some(format!("reason {number}").into());
        async move {
            let session = log.close(id("s"), status, reason, at(5_000 + number)).await;
            (status, session)
        }
    }))
    .await;
    let LogState::Closed(terminal) = look_up(&*subject.store, "s", &[]).await.log else {
        panic!("the log is open");
    };
    for (status, answer) in closed {
        match answer {
            Ok(session) => {
                assert_eq!(status, terminal.status);
                assert_eq!(session.status, SessionStatus::from(terminal.status));
                assert_eq!(session.ended_at, Some(terminal.at));
                assert_eq!(session.end_reason, terminal.reason);
                assert_eq!(session.version, Version(2));
            }
            Err(error) => {
                assert_ne!(status, terminal.status);
                let refusal = Refusal::ClosedOtherwise(terminal.clone());
                assert_eq!(error, CloseError::Refused(refusal));
            }
        }
    }
    assert_eq!(stored_log(&*subject.store, "s").await, []);
}

pub(crate) async fn appends_that_race_an_erasure_leave_nothing_behind<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let erasure = {
        let log = subject.log.clone();
        tokio::spawn(async move { log.erase(&id("s"), at(5_000)).await })
    };
    let events = || (0..80).map(|number| new_event("s", &format!("e{number}")));
    let answers = append_all_at_once(&subject, events()).await;
    erasure.await.unwrap().unwrap();

    let mut places = HashSet::new();
    for answer in answers {
        match answer {
            Ok(it) => assert!(places.insert(it.event.seq)),
            Err(refusal) => assert_eq!(refusal, Refusal::Erased),
        }
    }
    assert_eq!(
        look_up(&*subject.store, "s", &["e0"]).await.log,
        LogState::Erased
    );
    for again in append_all_at_once(&subject, events()).await {
        assert_eq!(again, Err(Refusal::Erased));
    }
    assert_eq!(
        subject.log.create(new_session("s", 2)).await,
        Err(Refusal::Erased)
    );
    let read = subject.store.session(&id("s"), Consistency::Strong).await;
    assert_eq!(read, Err(ReadError::Erased));
}

/// A patch that adds one key to the metadata.
fn adding(number: usize) -> SessionPatch {
    let merge = Document::from_stored(&format!(r#"{{"k{number}":{number}}}"#));
    SessionPatch {
        language: None,
        metadata: Some(MetadataPatch::Merge(merge)),
    }
}

pub(crate) async fn patches_that_race_lose_no_change<B: Backend>() {
    let subject = with_session::<B>("s").await;
    all((0..16).map(|number| {
        let log = subject.log.clone();
        async move {
            loop {
                let patch = adding(number);
                match log
                    .patch(&id("s"), &patch, |_| true, 16_384, at(6_000))
                    .await
                {
                    Ok(_) => break,
                    // Too many others at once: the client is asked to repeat it.
                    Err(error) => assert_eq!(error, PatchError::Contended),
                }
            }
        }
    }))
    .await;
    let session = subject.store.session(&id("s"), Consistency::Strong).await;
    let session = session.unwrap();
    let metadata = session.metadata.to_value();
    for number in 0..16 {
        assert_eq!(metadata[format!("k{number}")], number);
    }
    assert_eq!(metadata["kept"], true);
    assert_eq!(session.version, Version(17));
}

pub(crate) async fn of_patches_for_one_version_one_is_done<B: Backend>() {
    let subject = with_session::<B>("s").await;
    let results = all((0..16).map(|number| {
        let log = subject.log.clone();
        async move {
            let patch = adding(number);
            let is_first = |version| version == Version::FIRST;
            log.patch(&id("s"), &patch, is_first, 16_384, at(6_000))
                .await
        }
    }))
    .await;
    let mut refused = results.iter().filter_map(|it| it.as_ref().err());
    assert!(refused.all(|error| *error == PatchError::PreconditionFailed));
    assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 1);
    let session = subject.store.session(&id("s"), Consistency::Strong).await;
    assert_eq!(session.unwrap().version, Version(2));
}

pub(crate) async fn a_patch_and_a_closing_that_race_both_take_effect<B: Backend>() {
    for round in 0..20 {
        let subject = with_session::<B>("s").await;
        let closing = {
            let log = subject.log.clone();
            tokio::spawn(async move {
                log.close(id("s"), ClosingStatus::Failed, None, at(5_000))
                    .await
            })
        };
        let patch = adding(round);
        let session_id = id("s");
        let patched = subject
            .log
            .patch(&session_id, &patch, |_| true, 16_384, at(6_000));
        assert!(patched.await.is_ok());
        assert!(closing.await.unwrap().is_ok());
        let session = subject.store.session(&id("s"), Consistency::Strong).await;
        let session = session.unwrap();
        assert_eq!(session.status, SessionStatus::Failed);
        assert_eq!(session.version, Version(3));
        assert_eq!(session.metadata.to_value()[format!("k{round}")], round);
    }
}

pub(crate) async fn batches_that_are_repeated_at_once_are_stored_once_in_order<B: Backend>() {
    let subject = Subject::<B>::fresh().await;
    for (number, name) in (1..).zip(["a", "b", "c"]) {
        let created = subject.log.create(new_session(name, number)).await;
        assert!(created.is_ok());
    }
    let batches = (0..24).map(|number| {
        let batch: Vec<_> = (0..9)
            .map(|item| {
                let session = ["a", "b", "c"][item % 3];
                new_event(session, &format!("{}-{item}", number / 3))
            })
            .collect();
        let log = subject.log.clone();
        async move { log.append_all(batch).await }
    });
    let answers = all(batches).await;
    assert!(answers.iter().flatten().all(Result::is_ok));
    let new = answers.iter().flatten().flatten();
    assert_eq!(new.filter(|it| !it.replayed).count(), 72);
    for name in ["a", "b", "c"] {
        let stored = stored_log(&*subject.store, name).await;
        assert_eq!(stored.len(), 24);
        for batch in 0..8 {
            let of_batch = |it: &&str| it.starts_with(&format!("{batch}-"));
            let ids = stored.iter().map(|event| event.event_id.as_str());
            let items: Vec<_> = ids.filter(of_batch).collect();
            assert!(items.is_sorted(), "{items:?}");
        }
    }
}

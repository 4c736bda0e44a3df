//! What the trait promises, asked of the store directly.

use std::sync::Arc;

use sessionstore::domain::{
    ClosingStatus, Consistency, Document, Language, Seq, SessionStatus, Terminal, Version,
};
use sessionstore::store::{
    CommitOutcome, CreateOutcome, EraseError, LogState, ReadError, Record, SessionChange, Store,
    UpdateError,
};

use crate::backend::{Backend, Subject};
use crate::sample::{at, id, look_up, new_event, new_session, record, stored_log};

async fn commit<const N: usize>(store: &dyn Store, records: [Record; N]) -> Vec<CommitOutcome> {
    store.commit(Arc::from(records)).await
}

async fn with_session<B: Backend>(name: &str) -> Subject<B> {
    let subject = Subject::<B>::fresh().await;
    subject.store.create(vec![new_session(name, 1)]).await;
    subject
}

fn terminal(seq: u64) -> Terminal {
    Terminal {
        seq: Seq::after(seq - 1),
        status: ClosingStatus::Failed,
        at: at(9_000),
        reason: Some("it broke".into()),
    }
}

fn change(base: u64) -> SessionChange {
    SessionChange {
        base: Version(base),
        language: Language::from_stored("de"),
        metadata: Document::from_stored(r#"{"changed":1}"#),
        at: at(7_000),
    }
}

pub(crate) async fn the_first_creation_of_an_id_wins_within_a_batch_too<B: Backend>() {
    let subject = Subject::<B>::fresh().await;
    let attempts = vec![
        new_session("a", 1),
        new_session("b", 2),
        new_session("a", 3),
    ];
    let outcomes = subject.store.create(attempts.clone()).await;
    let [
        CreateOutcome::Created(first),
        CreateOutcome::Created(other),
        CreateOutcome::Existing(again),
    ] = &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!(first, again);
    assert_eq!(first.creation_id, attempts[0].creation_id);
    assert_eq!(other.session_id, id("b"));
    assert_eq!(
        (first.status, first.event_count, first.version),
        (SessionStatus::Initiated, Some(0), Version::FIRST)
    );
}

pub(crate) async fn a_creation_that_is_sent_again_recognises_its_own_session<B: Backend>() {
    let subject = Subject::<B>::fresh().await;
    let attempt = vec![new_session("a", 1)];
    let first = subject.store.create(attempt.clone()).await;
    assert!(matches!(first[..], [CreateOutcome::Created(_)]));
    assert_eq!(subject.store.create(attempt).await, first);
    let other = subject.store.create(vec![new_session("a", 2)]).await;
    assert!(matches!(other[..], [CreateOutcome::Existing(_)]));
}

pub(crate) async fn records_are_stored_under_their_keys_and_found_by_them<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    let (one, two) = (new_event("a", "one"), new_event("a", "two"));
    let outcomes = commit(store, [record(1, &one), record(2, &two)]).await;
    assert_eq!(outcomes, [CommitOutcome::Stored; 2]);

    let known = look_up(store, "a", &["two", "none", "one"]).await;
    assert_eq!(known.log, LogState::Open(2));
    let found: Vec<_> = known
        .events
        .into_iter()
        .map(|event| event.map(Record::Event))
        .collect();
    assert_eq!(found, [Some(record(2, &two)), None, Some(record(1, &one))]);
}

pub(crate) async fn a_taken_place_and_a_taken_event_id_are_refused<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    commit(store, [record(1, &new_event("a", "one"))]).await;
    let taken_place = commit(store, [record(1, &new_event("a", "two"))]).await;
    assert_eq!(taken_place, [CommitOutcome::Refused]);
    let taken_id = commit(store, [record(2, &new_event("a", "one"))]).await;
    assert_eq!(taken_id, [CommitOutcome::Refused]);
    assert_eq!(stored_log(store, "a").await.len(), 1);
}

pub(crate) async fn nothing_is_stored_after_a_refused_record_of_its_session<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    store.create(vec![new_session("b", 2)]).await;
    commit(store, [record(1, &new_event("a", "one"))]).await;
    let outcomes = commit(
        store,
        [
            record(2, &new_event("a", "two")),
            record(3, &new_event("a", "one")),
            record(4, &new_event("a", "four")),
            record(1, &new_event("b", "one")),
        ],
    )
    .await;
    assert_eq!(
        outcomes[..3],
        [
            CommitOutcome::Stored,
            CommitOutcome::Refused,
            CommitOutcome::NotTried
        ]
    );
    assert_eq!(stored_log(store, "a").await.len(), 2);
    // The other session may go on or stop with it, but must be told the truth.
    let is_stored = outcomes[3] == CommitOutcome::Stored;
    assert_eq!(stored_log(store, "b").await.len(), usize::from(is_stored));
}

pub(crate) async fn the_same_event_id_may_be_stored_in_two_sessions<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    store.create(vec![new_session("b", 2)]).await;
    let outcomes = commit(
        store,
        [
            record(1, &new_event("a", "one")),
            record(1, &new_event("b", "one")),
        ],
    )
    .await;
    assert_eq!(outcomes, [CommitOutcome::Stored; 2]);
}

pub(crate) async fn a_terminal_record_closes_the_session_document_too<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    let closing = Record::Terminal(id("a"), terminal(2));
    let outcomes = commit(store, [record(1, &new_event("a", "one")), closing]).await;
    assert_eq!(outcomes, [CommitOutcome::Stored; 2]);
    assert_eq!(
        look_up(store, "a", &[]).await.log,
        LogState::Closed(terminal(2))
    );
    let session = store.session(&id("a"), Consistency::Strong).await.unwrap();
    assert_eq!(session.status, SessionStatus::Failed);
    assert_eq!(session.ended_at, Some(at(9_000)));
    assert_eq!(session.end_reason.as_deref(), Some("it broke"));
    assert_eq!(session.event_count, Some(1));
    assert_eq!(session.version, Version(2));
    assert_eq!(session.updated_at, at(9_000));
}

pub(crate) async fn the_first_event_makes_a_session_active_in_the_same_version<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    commit(store, [record(1, &new_event("a", "one"))]).await;
    let session = store.session(&id("a"), Consistency::Strong).await.unwrap();
    assert_eq!(session.status, SessionStatus::Active);
    assert_eq!(session.version, Version::FIRST);
    assert_eq!(session.event_count, Some(1));
}

pub(crate) async fn a_change_needs_the_version_it_builds_on<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    let changed = store.update(&id("a"), change(1)).await.unwrap();
    assert_eq!(changed.version, Version(2));
    assert_eq!(changed.language, Language::from_stored("de"));
    assert_eq!(changed.metadata.as_str(), r#"{"changed":1}"#);
    assert_eq!(changed.updated_at, at(7_000));
    let late = store.update(&id("a"), change(1)).await;
    assert_eq!(late, Err(UpdateError::Moved));
    let read = store.session(&id("a"), Consistency::Strong).await;
    assert_eq!(read, Ok(changed));
    let absent = store.update(&id("b"), change(1)).await;
    assert_eq!(absent, Err(UpdateError::Absent));
}

pub(crate) async fn an_erased_session_is_gone_for_every_call_and_its_id_is_spent<B: Backend>() {
    let subject = with_session::<B>("a").await;
    let store = &*subject.store;
    commit(store, [record(1, &new_event("a", "one"))]).await;
    store.erase(&id("a"), at(8_000)).await.unwrap();
    store.erase(&id("a"), at(8_001)).await.unwrap();

    assert_eq!(look_up(store, "a", &["one"]).await.log, LogState::Erased);
    let read = store.session(&id("a"), Consistency::Strong).await;
    assert_eq!(read, Err(ReadError::Erased));
    let one = new_event("a", "one").event_id;
    let event = store.event(&id("a"), &one, Consistency::Strong).await;
    assert_eq!(event, Err(ReadError::Erased));
    let update = store.update(&id("a"), change(1)).await;
    assert_eq!(update, Err(UpdateError::Erased));
    let create = store.create(vec![new_session("a", 5)]).await;
    assert_eq!(create, [CreateOutcome::Erased]);
    // Its end is at place 2, so no writer's tail, however old, leads beyond it.
    for seq in [1, 2] {
        let late = commit(store, [record(seq, &new_event("a", "late"))]).await;
        assert_eq!(late, [CommitOutcome::Refused], "at place {seq}");
    }
}

pub(crate) async fn a_session_that_never_was_is_absent_for_every_call<B: Backend>() {
    let subject = Subject::<B>::fresh().await;
    let store = &*subject.store;
    assert_eq!(look_up(store, "a", &["one"]).await.log, LogState::Absent);
    let read = store.session(&id("a"), Consistency::Strong).await;
    assert_eq!(read, Err(ReadError::Absent));
    let erase = store.erase(&id("a"), at(1)).await;
    assert_eq!(erase, Err(EraseError::Absent));
    // And asking for it, erasing it included, has not brought it about.
    assert_eq!(look_up(store, "a", &[]).await.log, LogState::Absent);
}

//! A log that is closed, or has begun, and a session document that does not know it.

use mongodb::bson::Bson;
use sessionstore::domain::{
    ClosingStatus, Consistency, EventId, SessionFilter, SessionStatus, Version,
};
use sessionstore::log::{CloseError, Refusal};
use sessionstore::store::{CreateOutcome, LogState, LookUp};

use super::{ENDED, EVENTS, Scene, int64};
use crate::process::Process;
use crate::sample::{after_seq, all_sessions, at, change, create, id, new_event, new_session};
use crate::set::{field, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_of_a_half_closed_session_tells_what_its_log_says() {
    let scene = Scene::new().await;
    let (closed, after) = scene.half_closed("s").await;
    assert_eq!(
        (closed.status, closed.version),
        (SessionStatus::Completed, Version(2))
    );
    assert_eq!(
        (closed.ended_at, closed.event_count),
        (Some(at(ENDED)), Some(EVENTS))
    );
    assert_eq!(int64(&after.session, "eventCount"), Some(3));

    for consistency in [
        Consistency::Strong,
        Consistency::Linearizable,
        Consistency::Eventual,
    ] {
        let store = scene.store();
        assert_eq!(store.session(&id("s"), consistency).await.unwrap(), closed);
        let query = after_seq(0, consistency);
        let (session, page) = store.session_with_events(&id("s"), &query).await.unwrap();
        assert_eq!(session, closed);
        assert_eq!(page.terminal.map(|it| it.at), Some(at(ENDED)));
        assert_eq!((page.total, page.events.len()), (EVENTS, 3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_repairs_a_half_closed_session() {
    let scene = Scene::new().await;
    let (_, after) = scene.half_closed("s").await;
    let question = LookUp {
        session_id: id("s"),
        event_ids: vec![EventId::from_stored("e2")],
    };
    let known = scene.store().look_up(vec![question]).await.unwrap();
    assert!(matches!(&known[0].log, LogState::Closed(it) if it.at == at(ENDED)));
    assert!(known[0].events[0].is_some());
    scene.assert_stored("s", &after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_repairs_a_half_closed_session() {
    let scene = Scene::new().await;
    let (closed, after) = scene.half_closed("s").await;
    let outcome = scene.store().create(vec![new_session("s")]).await;
    assert_eq!(outcome, [CreateOutcome::Existing(closed)]);
    scene.assert_stored("s", &after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_repairs_a_half_closed_session_and_keeps_its_end() {
    let scene = Scene::new().await;
    for (name, log) in [("s", &scene.process.log), ("t", &scene.early.log)] {
        let (closed, after) = scene.half_closed(name).await;
        let again = log.close(id(name), ClosingStatus::Completed, None, at(9_000));
        assert_eq!(again.await.unwrap(), closed);
        scene.assert_stored(name, &after).await;
    }
    let (_, after) = scene.half_closed("other").await;
    let other = scene
        .early
        .log
        .close(id("other"), ClosingStatus::Failed, None, at(9_000));
    let refused = other.await.unwrap_err();
    assert!(
        matches!(refused, CloseError::Refused(Refusal::ClosedOtherwise(_))),
        "{refused}"
    );
    scene.assert_stored("other", &after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_shows_a_half_closed_session_as_it_is_and_repairs_it() {
    let scene = Scene::new().await;
    let (closed, after) = scene.half_closed("s").await;
    let everything = all_sessions(SessionFilter::default());
    let page = scene.store().list(&everything).await.unwrap();
    assert_eq!(page.sessions, [closed]);
    scene.assert_stored("s", &after).await;

    let (_, after) = scene.half_closed("t").await;
    let active = all_sessions(SessionFilter {
        status: Some(SessionStatus::Active),
        ..SessionFilter::default()
    });
    assert_eq!(scene.store().list(&active).await.unwrap().sessions, []);
    scene.assert_stored("t", &after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_a_half_closed_session_repairs_it_and_counts_each_change_once() {
    let scene = Scene::new().await;
    // Made from what the session was before it was closed.
    let (closed, _) = scene.half_closed("s").await;
    let changed = scene.store().update(&id("s"), change(1)).await.unwrap();
    assert_eq!(
        (changed.version, changed.ended_at),
        (Version(3), closed.ended_at)
    );
    let session = scene.base.stored("s").await.session;
    assert_eq!(int64(&session, "version"), Some(3));
    assert_eq!(
        field(&session, "status").and_then(Bson::as_str),
        Some("completed")
    );

    let (closed, after) = scene.half_closed("t").await;
    let changed = scene.store().update(&id("t"), change(2)).await.unwrap();
    assert_eq!(
        (changed.version, changed.ended_at),
        (Version(3), closed.ended_at)
    );
    let mut expected = after;
    expected.session.insert("language", "de");
    expected.session.insert("version", 3_i64);
    expected
        .session
        .insert("updatedAt", mongodb::bson::DateTime::from_millis(7_000));
    scene.assert_stored("t", &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_remembers_an_old_tail_loses_to_a_half_done_closing() {
    let scene = Scene::new().await;
    let (_, after) = scene.half_closed("s").await;
    let refused = scene.early.log.append(new_event("s", "late")).await;
    assert!(matches!(refused, Err(Refusal::Closed(it)) if it.at == at(ENDED)));
    // Whoever is told that it is closed is told what is stored.
    scene.assert_stored("s", &after).await;

    let (_, after) = scene.half_closed("t").await;
    let stored_before = scene.early.log.append(new_event("t", "e2")).await.unwrap();
    assert!(stored_before.replayed);
    scene.assert_nothing_fits("t").await;
    assert_eq!(scene.base.stored("t").await.records, after.records);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_repairs_what_nobody_asks_for() {
    let scene = Scene::new().await;
    scene.open("closed").await;
    let active = scene.base.stored("closed").await;
    scene.close("closed").await;
    let after_closing = scene.base.stored("closed").await;

    create(scene.store(), "begun").await;
    let fresh = scene.base.stored("begun").await;
    scene
        .process
        .log
        .append(new_event("begun", "e1"))
        .await
        .unwrap();
    let after_beginning = scene.base.stored("begun").await;

    create(scene.store(), "empty").await;
    let open = scene.base.stored("empty").await;
    scene.close("empty").await;
    let after_empty = scene.base.stored("empty").await;

    let Scene {
        base,
        process,
        early,
        ..
    } = scene;
    // What sweeps ends with its process.
    drop((process, early));
    for before in [active, fresh, open] {
        base.put_session(&before.session).await;
    }
    let _new = Process::serving(&base.url).await;
    for (name, after) in [
        ("closed", after_closing),
        ("begun", after_beginning),
        ("empty", after_empty),
    ] {
        until("a repair", async || {
            (base.stored(name).await == after).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_does_not_know_that_it_has_begun_is_active_for_everybody() {
    let scene = Scene::new().await;
    let begin = async |name: &'static str| {
        create(scene.store(), name).await;
        let fresh = scene.base.stored(name).await;
        scene.early.log.append(new_event(name, "e1")).await.unwrap();
        let after = scene.base.stored(name).await;
        scene.base.put_session(&fresh.session).await;
        after
    };
    begin("read").await;
    let read = scene
        .store()
        .session(&id("read"), Consistency::Strong)
        .await
        .unwrap();
    assert_eq!(
        (read.status, read.version),
        (SessionStatus::Active, Version(1))
    );

    let after = begin("created").await;
    let outcome = scene
        .store()
        .create(vec![new_session("created")])
        .await
        .remove(0);
    assert!(matches!(outcome, CreateOutcome::Existing(it) if it.status == SessionStatus::Active));
    scene.assert_stored("created", &after).await;

    let after = begin("listed").await;
    let initiated = all_sessions(SessionFilter {
        status: Some(SessionStatus::Initiated),
        ..SessionFilter::default()
    });
    assert_eq!(scene.store().list(&initiated).await.unwrap().sessions, []);
    scene.assert_stored("listed", &after).await;

    begin("closed").await;
    let closed = scene.close("closed").await;
    assert_eq!((closed.version, closed.event_count), (Version(2), Some(1)));
    let session = scene.base.stored("closed").await.session;
    assert_eq!(int64(&session, "version"), Some(2));
}

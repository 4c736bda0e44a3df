//! What a crash between any two steps of closing or erasing leaves, and who repairs it.
//!
//! The steps are done for real; then the documents of those that were not to happen are taken
//! back to what they were.

use mongodb::bson::{Bson, Document, doc};
use sessionstore::domain::{ClosingStatus, Session, SessionStatus, Version};
use sessionstore::domain::{Consistency, EventId, SessionFilter};
use sessionstore::log::{CloseError, Refusal};
use sessionstore::store::CommitOutcome::Refused;
use sessionstore::store::{
    CreateOutcome, EraseError, LogState, LookUp, ReadError, Store, UpdateError,
};

use crate::process::Process;
use crate::sample::{
    after_seq, all_sessions, at, change, commit, create, event, id, new_event, new_session,
    terminal,
};
use crate::set::{Base, Stored, field, unhurt, until};

const EVENTS: u64 = 3;
const ENDED: i64 = 4_000;
const ERASED: i64 = 6_000;

/// One process that meets what another one has left, and one that was there before and remembers
/// where the log ended.
struct Scene {
    base: Base,
    process: Process,
    early: Process,
}

impl Scene {
    async fn new() -> Self {
        let set = unhurt().await;
        let base = Base::fresh(&set).await;
        let process = Process::serving(&base.url).await;
        let early = Process::serving(&base.url).await;
        Self {
            base,
            process,
            early,
        }
    }

    fn store(&self) -> &dyn Store {
        &*self.process.store
    }

    /// An open session, whose tail `early` knows.
    async fn open(&self, name: &str) {
        create(self.store(), name).await;
        for number in 1..=EVENTS {
            let event = new_event(name, &format!("e{number}"));
            self.early.log.append(event).await.unwrap();
        }
    }

    async fn close(&self, name: &str) -> Session {
        let reason = Some("secret reason".into());
        let closing = self
            .process
            .log
            .close(id(name), ClosingStatus::Completed, reason, at(ENDED));
        closing.await.unwrap()
    }

    /// A session whose closing crashed between its two steps; what readers have to be told of it,
    /// and what is to be stored once it is repaired.
    async fn half_closed(&self, name: &str) -> (Session, Stored) {
        self.open(name).await;
        let before = self.base.stored(name).await;
        let closed = self.close(name).await;
        let after = self.base.stored(name).await;
        self.base.put_session(&before.session).await;
        (closed, after)
    }

    async fn assert_stored(&self, name: &str, expected: &Stored) {
        assert_eq!(&self.base.stored(name).await, expected);
    }

    /// What never can be stored any more, whatever a writer believes.
    async fn assert_nothing_fits(&self, name: &str) {
        for seq in 1..=EVENTS + 1 {
            let late = event(seq, &new_event(name, "late"));
            assert_eq!(commit(self.store(), late).await, Refused);
            let end = terminal(name, seq, ClosingStatus::Failed);
            assert_eq!(commit(self.store(), end).await, Refused);
        }
    }
}

fn int64(document: &Document, path: &str) -> Option<i64> {
    field(document, path).and_then(Bson::as_i64)
}

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

    use Consistency::{Eventual, Linearizable, Strong};
    for consistency in [Strong, Linearizable, Eventual] {
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
    assert_eq!(page.sessions, [closed.clone()]);
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

/// How far an erasure got before it crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Erasure {
    LogNotEnded,
    NothingReplaced,
    SomeReplaced,
    ReasonLeft,
    OnlyNotMarked,
}

const ERASURES: [Erasure; 5] = [
    Erasure::LogNotEnded,
    Erasure::NothingReplaced,
    Erasure::SomeReplaced,
    Erasure::ReasonLeft,
    Erasure::OnlyNotMarked,
];

/// A session that was erased, and what was stored of it before.
struct Erased {
    before: Stored,
    after: Stored,
}

impl Erased {
    /// An open log is ended by erasing, and then has no reason; the other one was closed before.
    async fn new(scene: &Scene, name: &str, is_closed: bool) -> Self {
        scene.open(name).await;
        if is_closed {
            scene.close(name).await;
        }
        let before = scene.base.stored(name).await;
        let erasing = scene.store().erase(&id(name), at(ERASED)).await;
        erasing.unwrap();
        let after = scene.base.stored(name).await;
        assert_erased(name, &after);
        Self { before, after }
    }

    async fn take_back(&self, base: &Base, crash: Erasure) {
        let (events, end) = self.before.records.split_at(3);
        let first_left = match crash {
            Erasure::LogNotEnded | Erasure::NothingReplaced => 0,
            Erasure::SomeReplaced => 2,
            Erasure::ReasonLeft | Erasure::OnlyNotMarked => 3,
        };
        for event in &events[first_left..] {
            base.put_record(event).await;
        }
        match crash {
            Erasure::LogNotEnded => base.take_record(&self.after.records[3]).await,
            Erasure::OnlyNotMarked => {}
            _ => base.put_record(&end[0]).await,
        }
        // Last, since a sweep looks for it.
        let mut tombstone = self.after.session.clone();
        let erased = tombstone.get_document_mut("erased").unwrap();
        erased.insert("purge", "pending");
        base.put_session(&tombstone).await;
    }
}

impl Erasure {
    /// Leaves a session as a crash there does.
    async fn leave(self, scene: &Scene, name: &str) {
        let erased = Erased::new(scene, name, self != Self::LogNotEnded).await;
        erased.take_back(&scene.base, self).await;
    }
}

/// An erased session is stored as its tombstone, a stub for each event, and an end that says
/// nothing but when.
fn assert_erased(name: &str, stored: &Stored) {
    let date = |millis| mongodb::bson::DateTime::from_millis(millis);
    let tombstone = doc! {
        "_id": stored.session.get("_id"),
        "sessionId": name,
        "erased": {"at": date(ERASED), "purge": "done"},
    };
    assert_eq!(stored.session, tombstone);
    let (end, stubs) = stored.records.split_last().unwrap();
    for (seq, stub) in (1_i64..).zip(stubs) {
        let key = doc! {"sessionId": name, "seq": seq};
        assert_eq!(*stub, doc! {"_id": key, "eventId": seq, "erased": true});
    }
    assert_eq!(int64(end, "_id.seq"), Some(stubs.len() as i64 + 1));
    assert!(field(end, "closed.at").is_some());
    assert_eq!(field(end, "closed.reason"), None);
    assert_eq!(end.keys().collect::<Vec<_>>(), ["_id", "closed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_tombstone_on_every_call_finds_a_session_erased() {
    let scene = Scene::new().await;
    for crash in ERASURES {
        let name = format!("{crash:?}");
        crash.leave(&scene, &name).await;
        let (store, log, id) = (scene.store(), &scene.process.log, id(&name));
        for consistency in [Consistency::Strong, Consistency::Linearizable] {
            let session = store.session(&id, consistency).await;
            assert_eq!(session, Err(ReadError::Erased), "{crash:?}");
            let page = store.events(&id, &after_seq(0, consistency)).await;
            assert_eq!(page, Err(ReadError::Erased), "{crash:?}");
            let event = store
                .event(&id, &EventId::from_stored("e1"), consistency)
                .await;
            assert_eq!(event, Err(ReadError::Erased), "{crash:?}");
        }
        let outcome = store.create(vec![new_session(&name)]).await;
        assert_eq!(outcome, [CreateOutcome::Erased], "{crash:?}");
        let append = log.append(new_event(&name, "e1")).await;
        assert_eq!(append, Err(Refusal::Erased), "{crash:?}");
        let close = log
            .close(id.clone(), ClosingStatus::Completed, None, at(9_000))
            .await;
        assert_eq!(
            close,
            Err(CloseError::Refused(Refusal::Erased)),
            "{crash:?}"
        );
        let question = LookUp {
            session_id: id.clone(),
            event_ids: vec![EventId::from_stored("e1")],
        };
        let known = store.look_up(vec![question]).await.unwrap();
        assert_eq!(
            (&known[0].log, known[0].events.len()),
            (&LogState::Erased, 0)
        );
        for base in [1, 2] {
            let changed = store.update(&id, change(base)).await;
            assert_eq!(changed, Err(UpdateError::Erased), "{crash:?}");
        }
        let everything = all_sessions(SessionFilter::default());
        assert_eq!(store.list(&everything).await.unwrap().sessions, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_erasure_finishes_a_half_done_one() {
    let scene = Scene::new().await;
    for crash in ERASURES {
        let name = format!("{crash:?}");
        crash.leave(&scene, &name).await;
        for _ in 0..2 {
            // The first one decided when.
            scene.store().erase(&id(&name), at(9_000)).await.unwrap();
            assert_erased(&name, &scene.base.stored(&name).await);
        }
    }
    let absent = scene.store().erase(&id("never"), at(ERASED)).await;
    assert_eq!(absent, Err(EraseError::Absent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_of_a_half_closed_session_leaves_nothing() {
    let scene = Scene::new().await;
    scene.half_closed("s").await;
    scene.store().erase(&id("s"), at(ERASED)).await.unwrap();
    assert_erased("s", &scene.base.stored("s").await);
    scene.assert_nothing_fits("s").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_process_finishes_every_half_done_erasure() {
    let scene = Scene::new().await;
    let mut erased = Vec::new();
    for crash in ERASURES {
        let name = format!("{crash:?}");
        erased.push(Erased::new(&scene, &name, crash != Erasure::LogNotEnded).await);
    }
    let Scene {
        base,
        process,
        early,
    } = scene;
    // What sweeps ends with its process.
    drop((process, early));
    for (crash, erased) in ERASURES.into_iter().zip(&erased) {
        erased.take_back(&base, crash).await;
    }
    let _new = Process::serving(&base.url).await;
    for crash in ERASURES {
        let name = format!("{crash:?}");
        until("an erasure to be finished", async || {
            let stored = base.stored(&name).await;
            let purge = field(&stored.session, "erased.purge").and_then(Bson::as_str);
            (purge == Some("done")).then_some(())
        })
        .await;
        assert_erased(&name, &base.stored(&name).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_remembers_an_old_tail_loses_to_a_half_done_erasure() {
    let scene = Scene::new().await;
    for crash in ERASURES {
        let name = format!("{crash:?}");
        crash.leave(&scene, &name).await;
        let append = scene.early.log.append(new_event(&name, "late")).await;
        // Until its log is ended, a writer that remembers the tail sees no tombstone.
        if crash != Erasure::LogNotEnded {
            assert_eq!(append, Err(Refusal::Erased), "{crash:?}");
        }
        scene.store().erase(&id(&name), at(ERASED)).await.unwrap();
        // What slipped in is erased with the rest.
        assert_erased(&name, &scene.base.stored(&name).await);
        scene.assert_nothing_fits(&name).await;
        let append = scene.early.log.append(new_event(&name, "later")).await;
        assert_eq!(append, Err(Refusal::Erased), "{crash:?}");
    }
}

//! Erasures that ended after any of their steps.

use mongodb::bson::{Bson, doc};
use sessionstore::domain::{ClosingStatus, Consistency, EventId, SessionFilter};
use sessionstore::log::{CloseError, Refusal};
use sessionstore::store::{CreateOutcome, EraseError, LogState, LookUp, ReadError, UpdateError};

use super::{ERASED, Scene, int64};
use crate::process::Process;
use crate::sample::{after_seq, all_sessions, at, change, id, new_event, new_session};
use crate::set::{Base, Stored, field, until};

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
    assert_eq!(int64(end, "_id.seq"), i64::try_from(stubs.len() + 1).ok());
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
        ..
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

/// Ways to be told that a session is erased.
#[derive(Clone, Copy, Debug)]
enum Asking {
    Session(Consistency),
    Page(Consistency),
    Create,
    Append,
    Update,
}

impl Asking {
    async fn ask(self, scene: &Scene, name: &str) {
        let (store, id) = (scene.store(), id(name));
        match self {
            Self::Session(consistency) => {
                let told = store.session(&id, consistency).await;
                assert_eq!(told, Err(ReadError::Erased), "{self:?}");
            }
            Self::Page(consistency) => {
                let told = store.events(&id, &after_seq(0, consistency)).await;
                assert_eq!(told, Err(ReadError::Erased), "{self:?}");
            }
            Self::Create => {
                let told = store.create(vec![new_session(name)]).await;
                assert_eq!(told, [CreateOutcome::Erased]);
            }
            Self::Append => {
                let told = scene.process.log.append(new_event(name, "e9")).await;
                assert_eq!(told, Err(Refusal::Erased));
            }
            Self::Update => {
                let told = store.update(&id, change(1)).await;
                assert_eq!(told, Err(UpdateError::Erased));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_somebody_was_told_that_a_session_is_erased_nobody_appends_to_it() {
    let scene = Scene::new().await;
    let all = [
        Asking::Session(Consistency::Strong),
        Asking::Session(Consistency::Linearizable),
        Asking::Session(Consistency::Eventual),
        Asking::Page(Consistency::Strong),
        Asking::Page(Consistency::Eventual),
        Asking::Create,
        Asking::Append,
        Asking::Update,
    ];
    for asking in all {
        let name = format!("{asking:?}");
        Erasure::LogNotEnded.leave(&scene, &name).await;
        asking.ask(&scene, &name).await;
        let append = scene.early.log.append(new_event(&name, "late")).await;
        assert_eq!(append, Err(Refusal::Erased), "{asking:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_remembers_an_old_tail_loses_to_a_half_done_erasure() {
    let scene = Scene::new().await;
    for crash in ERASURES {
        let name = format!("{crash:?}");
        crash.leave(&scene, &name).await;
        let append = scene.early.log.append(new_event(&name, "late")).await;
        // Until its log is ended or somebody asks, a writer that remembers the tail sees no
        // tombstone.
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

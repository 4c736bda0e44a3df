//! What readers are told while secondaries lag, hang or are all that is left.

use std::time::Duration;

use sessionstore::domain::{Consistency, EventId, SessionFilter, SessionStatus};
use sessionstore::log::Settings;
use sessionstore::store::{CommitOutcome, CreateOutcome, Health, Patience, ReadError, Store};
use sessionstore_replica_set::ReplicaSet;

use crate::process::{Process, impatient};
use crate::sample::{after_seq, all_sessions, commit, create, event, id, new_event, new_session};
use crate::set::{Base, hurting, until};

/// Appends and reads back, in two processes, again and again: no answer misses what was
/// acknowledged before it.
async fn assert_never_stale(writer: &Process, reader: &Process, rounds: std::ops::Range<u64>) {
    for tail in rounds {
        let event_id = format!("e{}", tail + 1);
        writer.log.append(new_event("s", &event_id)).await.unwrap();
        for process in [writer, reader] {
            let query = after_seq(0, Consistency::Strong);
            let page = process.store.events(&id("s"), &query).await.unwrap();
            assert_eq!((page.total, page.events.len() as u64), (tail + 1, tail + 1));
            let (id, event_id) = (id("s"), EventId::from_stored(&event_id));
            let found = process
                .store
                .event(&id, &event_id, Consistency::Strong)
                .await;
            assert!(found.unwrap().is_some());
        }
    }
}

/// Two processes, and a session that both can read from any member.
async fn two_processes(base: &Base) -> (Process, Process) {
    let (writer, reader) = (
        Process::serving(&base.url).await,
        Process::serving(&base.url).await,
    );
    create(&*writer.store, "s").await;
    (writer, reader)
}

/// A process without any counted page, whose secondaries have all the time in the world to answer
/// before the primary is asked, but not to catch up.
async fn one_that_waits_for_secondaries(base: &Base) -> Process {
    let patience = Patience {
        command: Duration::from_millis(500),
        hedge: Duration::from_secs(60),
        ..Patience::default()
    };
    let process = Process::start(&base.url, patience, Settings::default()).await;
    process.until_serving().await;
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_from_secondaries_that_keep_up() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, reader) = two_processes(&base).await;
        assert_never_stale(&writer, &reader, 0..50).await;
        assert!(writer.pages("secondary", "verified") > 0);
        assert!(reader.pages("secondary", "verified") > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secondary_that_lags_never_makes_an_answer_stale() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, reader) = two_processes(&base).await;
        for (rounds, held) in [0..50, 50..100]
            .into_iter()
            .zip(set.secondaries().await.unwrap())
        {
            set.member(held).hold_back().await.unwrap();
            assert_never_stale(&writer, &reader, rounds).await;
            set.member(held).let_go().await.unwrap();
        }
        for process in [writer, reader] {
            let replaced = process.pages("primary", "behind") + process.pages("primary", "slow");
            assert!(replaced > 0);
            assert_eq!(process.pages("primary", "failed"), 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_a_secondary_does_not_get_to_in_time_is_counted_as_behind() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, _) = two_processes(&base).await;
        let reader = one_that_waits_for_secondaries(&base).await;
        let held = set.secondaries().await.unwrap()[0];
        set.member(held).hold_back().await.unwrap();
        assert_never_stale(&writer, &reader, 0..4).await;
        assert!(reader.pages("primary", "behind") > 0);
        assert_eq!(reader.pages("primary", "slow"), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_majority_has_is_read_by_nobody_and_is_there_once_it_has() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, reader) = two_processes(&base).await;
        assert_never_stale(&writer, &reader, 0..1).await;
        for held in set.secondaries().await.unwrap() {
            set.member(held).hold_back().await.unwrap();
        }
        let late = event(2, &new_event("s", "late"));
        let waiting = tokio::spawn({
            let store = writer.store.clone();
            async move { commit(&*store, late).await }
        });
        // The primary has it, and nobody else.
        let stored = async || (base.stored("s").await.records.len() == 2).then_some(());
        until("the event to reach the primary", stored).await;
        for _ in 0..50 {
            for process in [&writer, &reader] {
                let query = after_seq(0, Consistency::Strong);
                let page = process.store.events(&id("s"), &query).await.unwrap();
                assert_eq!((page.total, page.events.len()), (1, 1));
            }
        }
        for held in set.secondaries().await.unwrap() {
            set.member(held).let_go().await.unwrap();
        }
        let outcome = waiting.await.unwrap();
        assert!(matches!(
            outcome,
            CommitOutcome::Stored | CommitOutcome::Unknown
        ));
        let seen = async || {
            let query = after_seq(1, Consistency::Strong);
            let page = reader.store.events(&id("s"), &query).await.unwrap();
            (page.events.len() == 1).then_some(())
        };
        until("the event to be read", seen).await;
    })
    .await;
}

/// Reads until the driver itself has noticed that a secondary is frozen, which takes it seconds.
/// Meanwhile there were many reads.
async fn reads_past_a_frozen_secondary(set: &ReplicaSet, consistency: Consistency) -> Process {
    let base = Base::fresh(set).await;
    let (writer, reader) = two_processes(&base).await;
    assert_never_stale(&writer, &reader, 0..1).await;
    let frozen = set.secondaries().await.unwrap()[0];
    set.member(frozen).freeze().await.unwrap();
    let mut reads = 0;
    while reader.store.health() == Health::Serving {
        let query = after_seq(0, consistency);
        let page = reader.store.events(&id("s"), &query).await.unwrap();
        assert_eq!(page.events.len(), 1);
        reads += 1;
    }
    assert!(reads > 20, "{reads} reads");
    set.member(frozen).thaw().unwrap();
    reader.until_serving().await;
    reader
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strong_reads_go_on_past_a_frozen_secondary() {
    hurting(async |set: &ReplicaSet| {
        let reader = reads_past_a_frozen_secondary(set, Consistency::Strong).await;
        assert!(reader.pages("primary", "slow") > 0);
        assert!(reader.pages("secondary", "verified") > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eventual_reads_go_on_past_a_frozen_secondary() {
    hurting(async |set: &ReplicaSet| {
        let reader = reads_past_a_frozen_secondary(set, Consistency::Eventual).await;
        assert!(reader.pages("secondary", "eventual") > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_session_is_asked_for_at_the_primary_before_it_is_absent() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, reader) = two_processes(&base).await;
        let held = set.secondaries().await.unwrap()[0];
        set.member(held).hold_back().await.unwrap();
        for number in 0..10 {
            let name = format!("new{number}");
            create(&*writer.store, &name).await;
            writer.log.append(new_event(&name, "e1")).await.unwrap();
            for consistency in [Consistency::Eventual, Consistency::Strong] {
                // More often than there are secondaries.
                for _ in 0..4 {
                    let session = reader.store.session(&id(&name), consistency).await.unwrap();
                    assert_eq!(session.session_id, id(&name));
                    let event_id = EventId::from_stored("e1");
                    let event = reader.store.event(&id(&name), &event_id, consistency).await;
                    assert!(event.unwrap().is_some());
                }
            }
            let again = reader.store.create(vec![new_session(&name)]).await;
            assert!(matches!(&again[0], CreateOutcome::Existing(_)));
        }
        let never = reader
            .store
            .session(&id("never"), Consistency::Eventual)
            .await;
        assert_eq!(never, Err(ReadError::Absent));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eventual_reads_go_on_without_a_primary() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, _) = two_processes(&base).await;
        let reader = Process::start(&base.url, impatient(), Settings::default()).await;
        reader.until_serving().await;
        assert_never_stale(&writer, &reader, 0..3).await;
        // Whoever is left has all of it.
        let secondaries = set.secondaries().await.unwrap();
        let query = after_seq(0, Consistency::Eventual);
        let all_caught_up = async || {
            let mut lengths = Vec::new();
            for _ in 0..2 * secondaries.len() {
                let page = reader.store.events(&id("s"), &query).await.unwrap();
                lengths.push(page.events.len());
            }
            lengths.iter().all(|it| *it == 3).then_some(())
        };
        until("the secondaries to catch up", all_caught_up).await;
        let primary = set.primary().await.unwrap();
        for gone in [primary, secondaries[0]] {
            set.member(gone).kill().await.unwrap();
        }
        let no_primary = |health: &Health| {
            matches!(health, Health::Degraded(reason) if reason.contains("has no primary"))
        };
        reader.until_health("no primary", no_primary).await;
        for _ in 0..50 {
            let (session, page) = reader.store.session_with_events(&id("s"), &query).await.unwrap();
            assert_eq!((session.status, page.events.len()), (SessionStatus::Active, 3));
        }
        let event_id = EventId::from_stored("e2");
        let event = reader.store.event(&id("s"), &event_id, Consistency::Eventual).await;
        assert!(event.unwrap().is_some());
        let mut sessions = all_sessions(SessionFilter::default());
        sessions.consistency = Consistency::Eventual;
        assert_eq!(reader.store.list(&sessions).await.unwrap().sessions.len(), 1);
        // Only a primary can say that something is not there.
        let unknown = reader.store.session(&id("never"), Consistency::Eventual).await;
        assert!(matches!(unknown, Err(ReadError::Store(_))), "{unknown:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_linearizable_read_sees_what_another_process_acknowledged_under_a_new_primary() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (writer, reader) = two_processes(&base).await;
        assert_never_stale(&writer, &reader, 0..1).await;
        let query = after_seq(0, Consistency::Linearizable);
        for tail in 2..=4 {
            let first = set.primary().await.unwrap();
            set.member(first).freeze().await.unwrap();
            let event = new_event("s", &format!("l{tail}"));
            until("an acknowledgement", async || {
                writer.log.append(event.clone()).await.ok()
            })
            .await;
            // It still believes to be the primary.
            set.member(first).thaw().unwrap();
            let page = reader.store.events(&id("s"), &query).await.unwrap();
            assert_eq!(
                (page.total, page.events.len()),
                (tail, usize::try_from(tail).unwrap())
            );
            set.wait_until_healthy().await.unwrap();
        }
    })
    .await;
}

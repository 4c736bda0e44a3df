//! Each degraded mode: what still works, what the store says of itself, and that it recovers by
//! itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use sessionstore::domain::{ClosingStatus, Consistency, SessionFilter, SessionStatus};
use sessionstore::log::{Refusal, Settings};
use sessionstore::store::{
    CommitOutcome, CreateOutcome, Health, Patience, ReadError, Store, UpdateError,
};
use sessionstore_replica_set::{Member, Options, ReplicaSet};

use crate::process::{Process, hasty, impatient, patient};
use crate::sample::{
    after_seq, all_sessions, at, change, commit, create, event, event_ids, id, new_event,
    new_session,
};
use crate::set::{Base, heal, hurting, unhurt, until};
use crate::standalone::Standalone;

/// A process that gives up soon, with session `s` of one event.
async fn impatient_process(base: &Base) -> Process {
    let process = Process::start(&base.url, impatient(), hasty()).await;
    process.until_serving().await;
    create(&*process.store, "s").await;
    process.log.append(new_event("s", "e1")).await.unwrap();
    process
}

fn is_degraded(health: &Health, words: &[&str]) -> bool {
    matches!(health, Health::Degraded(reason) if words.iter().all(|it| reason.contains(it)))
}

fn is_down(health: &Health, words: &[&str]) -> bool {
    matches!(health, Health::Down(reason) if words.iter().all(|it| reason.contains(it)))
}

/// Every operation that needs a primary waits and then fails, as its contract says.
async fn assert_nothing_is_done(process: &Process) {
    let (store, id) = (&process.store, id("s"));
    let (query, everything) = (
        after_seq(0, Consistency::Strong),
        all_sessions(SessionFilter::default()),
    );
    let (session, page, list, created, committed, appended, changed) = tokio::join!(
        store.session(&id, Consistency::Linearizable),
        store.events(&id, &query),
        store.list(&everything),
        store.create(vec![new_session("t")]),
        commit(&**store, event(2, &new_event("s", "e2"))),
        process.log.append(new_event("s", "e3")),
        store.update(&id, change(1)),
    );
    assert!(matches!(session, Err(ReadError::Store(_))), "{session:?}");
    assert!(matches!(page, Err(ReadError::Store(_))), "{page:?}");
    assert!(list.is_err(), "{list:?}");
    assert_eq!(created, [CreateOutcome::Unknown]);
    assert!(matches!(
        committed,
        CommitOutcome::NotTried | CommitOutcome::Unknown
    ));
    assert_eq!(appended, Err(Refusal::TimedOut));
    assert!(matches!(changed, Err(UpdateError::Store(_))), "{changed:?}");
}

/// Everything works.
async fn assert_all_is_done(process: &Process, name: &str) {
    let (store, log) = (&process.store, &process.log);
    log.create(new_session(name)).await.unwrap();
    log.append(new_event(name, "e1")).await.unwrap();
    assert_eq!(event_ids(&**store, name).await, ["e1"]);
    let closed = log
        .close(id(name), ClosingStatus::Completed, None, at(4_000))
        .await;
    assert_eq!(closed.unwrap().status, SessionStatus::Completed);
    log.erase(&id(name), at(5_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_primary_nothing_is_done_until_there_is_one_again() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let process = impatient_process(&base).await;
        let gone = [
            set.primary().await.unwrap(),
            set.secondaries().await.unwrap()[1],
        ];
        for member in gone {
            set.member(member).kill().await.unwrap();
        }
        let hosts = gone.map(|member| set.member(member).host());
        let words = ["the replica set has no primary", &hosts[0], &hosts[1]];
        process
            .until_health("a reason", |health| is_degraded(health, &words))
            .await;
        assert_nothing_is_done(&process).await;
        heal(set).await;
        process.until_serving().await;
        assert_all_is_done(&process, "u").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_all_members_gone_everything_waits_until_they_are_back() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let process = impatient_process(&base).await;
        for member in set.members() {
            member.kill().await.unwrap();
        }
        let hosts: Vec<String> = set.members().iter().map(Member::host).collect();
        let words: Vec<&str> = hosts.iter().map(String::as_str).collect();
        process
            .until_health("a reason", |health| is_degraded(health, &words))
            .await;
        assert_nothing_is_done(&process).await;
        let eventual = process.store.session(&id("s"), Consistency::Eventual).await;
        assert!(matches!(eventual, Err(ReadError::Store(_))), "{eventual:?}");
        heal(set).await;
        process.until_serving().await;
        // What was acknowledged is there; what was not, may be.
        assert_eq!(event_ids(&*process.store, "s").await[0], "e1");
        assert_all_is_done(&process, "u").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_secondary_gone_everything_works_and_it_is_named() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let process = impatient_process(&base).await;
        let gone = set.member(set.secondaries().await.unwrap()[0]);
        gone.kill().await.unwrap();
        let words = ["members that do not answer", &gone.host()];
        process
            .until_health("a reason", |health| is_degraded(health, &words))
            .await;
        assert_all_is_done(&process, "gone").await;
        gone.restart().await.unwrap();
        process.until_serving().await;
        gone.freeze().await.unwrap();
        process
            .until_health("a reason", |health| is_degraded(health, &words))
            .await;
        assert_all_is_done(&process, "frozen").await;
        gone.thaw().unwrap();
        process.until_serving().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_a_frozen_primary_took_along_are_stored_once() {
    hurting(async |set: &ReplicaSet| {
        let base = Base::fresh(set).await;
        let (patience, settings) = patient();
        let process = Process::start(&base.url, patience, settings).await;
        process.until_serving().await;
        create(&*process.store, "s").await;
        let first = set.member(set.primary().await.unwrap());
        // Some are acknowledged, some in flight, some wait when it freezes.
        let appends = (0..400).map(|number| {
            let log = process.log.clone();
            tokio::spawn(async move {
                for step in 0..5 {
                    let event = new_event("s", &format!("e{number}.{step}"));
                    log.append(event).await.unwrap();
                }
            })
        });
        let appends: Vec<_> = appends.collect();
        let begun = async || (!event_ids(&*process.store, "s").await.is_empty()).then_some(());
        until("some events", begun).await;
        first.freeze().await.unwrap();
        for append in appends {
            append.await.unwrap();
        }
        // All of it was acknowledged by another primary.
        let stored = event_ids(&*process.store, "s").await;
        first.thaw().unwrap();
        set.wait_until_healthy().await.unwrap();
        assert_eq!(event_ids(&*process.store, "s").await, stored);
        let mut distinct = stored.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!((stored.len(), distinct.len()), (2_000, 2_000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_named_at_once() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let (user, rest) = base.url.split_once('@').unwrap();
    let (user, _) = user.rsplit_once(':').unwrap();
    let url = format!("{user}:wrong@{rest}");
    // It would be a test of patience otherwise.
    let patience = Patience {
        deadline: Duration::from_secs(600),
        command: Duration::from_secs(600),
        ..Patience::default()
    };
    let process = Process::start(&url, patience, Settings::default()).await;
    process
        .until_health("a reason", |health| {
            is_down(health, &["uthentication failed"])
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_may_not_read_the_indexes_is_told_so() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let powerless = doc! {
        "createUser": "powerless", "pwd": "p", "roles": [],
        "writeConcern": {"w": 3, "wtimeout": 30_000},
    };
    base.database().run_command(powerless).await.unwrap();
    let (_, rest) = base.url.split_once('@').unwrap();
    let url = format!("mongodb://powerless:p@{rest}");
    let process = Process::start(&url, impatient(), hasty()).await;
    process
        .until_health("a reason", |health| is_down(health, &["not authorized"]))
        .await;
    assert_nothing_is_done(&process).await;
}

/// A database with everything in place and no process on it.
async fn prepared(set: &ReplicaSet) -> Base {
    let base = Base::fresh(set).await;
    let process = Process::serving(&base.url).await;
    create(&*process.store, "s").await;
    process.log.append(new_event("s", "e1")).await.unwrap();
    base
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_was_dropped_is_made_again_before_anything_is_served() {
    let set = unhurt().await;
    let base = prepared(&set).await;
    let events = base.database().collection::<Document>("events");
    events.drop_index("session_event").await.unwrap();
    let process = Process::serving(&base.url).await;
    let names = events.list_index_names().await.unwrap();
    assert!(names.contains(&"session_event".to_owned()), "{names:?}");
    let repeated = event(2, &new_event("s", "e1"));
    assert_eq!(
        commit(&*process.store, repeated).await,
        CommitOutcome::Refused
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_another_definition_is_named_and_nothing_is_served() {
    let set = unhurt().await;
    let base = prepared(&set).await;
    for (collection, name, keys) in [
        (
            "events",
            "session_event",
            doc! {"_id.sessionId": 1, "eventId": 1},
        ),
        ("sessions", "session", doc! {"sessionId": 1}),
    ] {
        let indexed = base.database().collection::<Document>(collection);
        indexed.drop_index(name).await.unwrap();
        // It promises less.
        let named = IndexOptions::builder().name(name.to_owned()).build();
        let index = IndexModel::builder().keys(keys).options(named).build();
        indexed.create_index(index).await.unwrap();

        let process = Process::start(&base.url, impatient(), hasty()).await;
        let remedy = format!("db.{collection}.dropIndex(\"{name}\")");
        process
            .until_health("a reason", |health| {
                is_down(health, &[name, collection, &remedy])
            })
            .await;
        assert_nothing_is_done(&process).await;
        // The remedy works, without a restart.
        indexed.drop_index(name).await.unwrap();
        process.until_serving().await;
        assert_eq!(event_ids(&*process.store, "s").await, ["e1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_cannot_be_made_is_named_and_nothing_is_served() {
    let set = unhurt().await;
    let base = prepared(&set).await;
    let sessions = base.database().collection::<Document>("sessions");
    sessions.drop_index("session").await.unwrap();
    let twin = sessions.insert_one(doc! {"sessionId": "s"}).await.unwrap();
    let process = Process::start(&base.url, impatient(), hasty()).await;
    let words = [
        "index session of collection sessions is missing",
        "duplicate key",
    ];
    process
        .until_health("a reason", |health| is_down(health, &words))
        .await;
    assert_nothing_is_done(&process).await;
    sessions
        .delete_one(doc! {"_id": twin.inserted_id})
        .await
        .unwrap();
    process.until_serving().await;
    assert_eq!(event_ids(&*process.store, "s").await, ["e1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_no_member_of_a_set_is_refused() {
    let server = Standalone::start().await;
    let process = Process::start(&server.url(), impatient(), hasty()).await;
    let words = ["no member of a replica set", "--replSet"];
    process
        .until_health("a reason", |health| is_down(health, &words))
        .await;
    assert_nothing_is_done(&process).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_when_the_disk_of_the_primary_is_full() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not tested: only root mounts a file system");
        return;
    }
    let options = Options {
        data_limit: Some(512 * 1024 * 1024),
        ..Options::default()
    };
    let set = ReplicaSet::start(options).await.unwrap();
    let base = Base::fresh(&set).await;
    let (patience, settings) = patient();
    let process = Process::start(&base.url, patience, settings).await;
    process.until_serving().await;
    create(&*process.store, "s").await;
    let mut acknowledged = 0;
    let mut append_more = async |more: u64| {
        for _ in 0..more {
            acknowledged += 1;
            let event = new_event("s", &format!("e{acknowledged}"));
            let appended = process.log.append(event).await.unwrap();
            assert_eq!(appended.event.seq.get(), acknowledged);
        }
    };
    append_more(20).await;
    let full = set.member(set.primary().await.unwrap());
    full.fill_disk().unwrap();
    // Journal files are made ahead, so the first writes may still find room.
    while full.is_running() {
        append_more(1).await;
    }
    append_more(20).await;
    let words = ["members that do not answer", &full.host()];
    process
        .until_health("a reason", |health| is_degraded(health, &words))
        .await;
    full.free_disk().unwrap();
    full.restart().await.unwrap();
    process.until_serving().await;
    append_more(20).await;
    let wanted: Vec<String> = (1..=acknowledged).map(|it| format!("e{it}")).collect();
    assert_eq!(event_ids(&*process.store, "s").await, wanted);
}

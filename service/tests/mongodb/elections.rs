//! Callers of the log wait while the primary changes, and nothing else.

use std::sync::Arc;

use sessionstore::store::Store;
use sessionstore_replica_set::ReplicaSet;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::process::{Process, patient};
use crate::sample::{create, event_ids, new_event};
use crate::set::{Base, hurting};

const WRITERS: usize = 64;

/// Everybody writes to this session as well as to one of their own.
const HOT: &str = "hot";

/// 64 writers that go on until they are stopped; an error to any of them fails the test.
struct Load {
    process: Process,
    acknowledged: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    writers: JoinSet<(usize, u64)>,
}

fn name(writer: usize) -> String {
    format!("w{writer}")
}

impl Load {
    async fn start(base: &Base) -> Self {
        let (patience, settings) = patient();
        let process = Process::start(&base.url, patience, settings).await;
        process.until_serving().await;
        create(&*process.store, HOT).await;
        let (count, acknowledged) = watch::channel(0);
        let count = Arc::new(count);
        let stop = watch::Sender::new(false);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            create(&*process.store, &name(writer)).await;
            let (log, count, stop) = (process.log.clone(), Arc::clone(&count), stop.subscribe());
            writers.spawn(async move {
                let mut number = 0;
                while !*stop.borrow() {
                    number += 1;
                    let own = new_event(&name(writer), &format!("e{number}"));
                    let appended = log.append(own).await.unwrap();
                    // It may say "replayed": where an answer was lost, the store was asked.
                    assert_eq!(appended.event.seq.get(), number);
                    let shared = new_event(HOT, &format!("w{writer} e{number}"));
                    log.append(shared).await.unwrap();
                    count.send_modify(|count| *count += 2);
                }
                (writer, number)
            });
        }
        Self {
            process,
            acknowledged,
            stop,
            writers,
        }
    }

    /// Waits for so many more acknowledgements.
    async fn goes_on(&self, more: u64) {
        let mut acknowledged = self.acknowledged.clone();
        let wanted = *acknowledged.borrow() + more;
        acknowledged
            .wait_for(|count| *count >= wanted)
            .await
            .unwrap();
    }

    /// Stops the writers and looks at what they have left.
    async fn end(mut self) {
        self.stop.send_replace(true);
        let store: &dyn Store = &*self.process.store;
        let mut written = Vec::new();
        while let Some(done) = self.writers.join_next().await {
            written.push(done.unwrap());
        }
        let hot = event_ids(store, HOT).await;
        let mut total = 0;
        for (writer, count) in written {
            let own: Vec<String> = (1..=count).map(|number| format!("e{number}")).collect();
            assert_eq!(event_ids(store, &name(writer)).await, own);
            // In the shared log, everybody's events are in the order in which they were written.
            let mark = format!("w{writer} ");
            let shared = hot.iter().filter_map(|it| it.strip_prefix(&mark));
            assert!(shared.eq(own.iter()));
            total += own.len();
        }
        assert_eq!(hot.len(), total);
    }
}

/// After each of three rounds of trouble, all goes on.
async fn three_times(set: &ReplicaSet, trouble: impl AsyncFn(&Load)) {
    let base = Base::fresh(set).await;
    let load = Load::start(&base).await;
    for _ in 0..3 {
        load.goes_on(500).await;
        trouble(&load).await;
    }
    load.goes_on(500).await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_notices_a_planned_hand_over() {
    hurting(async |set: &ReplicaSet| {
        three_times(set, async |_| set.step_down().await.unwrap()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_only_wait_while_a_killed_primary_is_replaced() {
    hurting(async |set: &ReplicaSet| {
        three_times(set, async |load| {
            let primary = set.member(set.primary().await.unwrap());
            primary.kill().await.unwrap();
            // With another primary.
            load.goes_on(500).await;
            primary.restart().await.unwrap();
            set.wait_until_healthy().await.unwrap();
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_only_wait_while_a_frozen_primary_is_replaced() {
    hurting(async |set: &ReplicaSet| {
        three_times(set, async |load| {
            let primary = set.member(set.primary().await.unwrap());
            primary.freeze().await.unwrap();
            load.goes_on(500).await;
            primary.thaw().unwrap();
            set.wait_until_healthy().await.unwrap();
        })
        .await;
    })
    .await;
}

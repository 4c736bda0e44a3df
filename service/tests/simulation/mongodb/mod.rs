//! The requests of simulated histories, played against a real replica set.
//!
//! What the clients of a seed asked of three committers is asked again of three logs, each over a
//! store of its own, all on one fresh database: every client in its order and of the same process,
//! what it handed in together together, and all clients at once. Time is real and nothing goes
//! wrong on purpose, so what comes of it differs from the simulation, and each time. What was
//! promised does not, and the same code judges:
//!
//! - the stored records, by their keys in the database: no gap, no event id twice, nothing after a
//!   terminal record, nothing without a session (`model`);
//! - every answer: true, durable, given to one as new only; a refusal has its reason (`checks`);
//! - the order: what was acknowledged before another began comes before it, a batch keeps its own
//!   (`checks`);
//! - strong reads, one through another process after each operation: they miss nothing that was
//!   acknowledged before they began (`reads`).
//!
//! With the whole history at hand only at the end, a refusal of an expected place is compared with
//! the range of places that can have been next. Erasures are no requests to a committer, so they
//! are not played. Crashes, lost answers and failovers of a real set are the matter of
//! `cargo xtask chaos`.
//!
//! `SESSIONSTORE_SIM_SEED=S` plays the requests of one seed. `cargo xtask sim` leaves this module
//! out.

mod play;
mod stored;

use std::collections::BTreeSet;

use ::mongodb::Database;
use ::mongodb::bson::{Document, doc};
use ::mongodb::options::{ClientOptions, DatabaseOptions, WriteConcern};
use sessionstore::log::{Request, Ticket};
use sessionstore_replica_set::ReplicaSet;

use crate::checks::{Judge, ToldNew};
use crate::figures::Figures;
use crate::history::Entry;
use crate::violation::{Violation, promise};
use crate::world;

use play::{PROCESSES, Played};

/// Each takes some seconds.
const SEEDS: usize = 6;

/// Answers that somebody gets, however the clients come to run beside each other.
const REACHED: [&str; 8] = [
    "appended",
    "appended before",
    "closed",
    "created",
    "created before",
    "refused: absent",
    "refused: closed",
    "refused: event id taken",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_simulated_clients_ask_for_mongodb_answers_as_promised() {
    let set = ReplicaSet::shared().await.expect("a set");
    let mut total = Figures::default();
    for (seed, requests) in histories() {
        let base = Base::fresh(set).await;
        let played = play::play(&base.url, &requests).await;
        if let Err(violation) = base.judge(&played).await {
            panic!("the requests of seed {seed}: {violation}");
        }
        total.seeds += 1;
        total.requests += played.history.entries().len() as u64;
        total.reads += played.reads.len() as u64;
        for answer in played.history.entries().iter().filter_map(Entry::answer) {
            total.answered(answer);
        }
    }
    println!("{total}");
    if total.seeds > 1 {
        for answer in REACHED {
            assert!(total.answers.contains_key(answer), "nobody was {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_event_that_is_missing_is_found() {
    let set = ReplicaSet::shared().await.expect("a set");
    let (_, mut requests) = histories().remove(0);
    requests.retain(|it| !matches!(it.request, Request::Close(_)));
    let base = Base::fresh(set).await;
    let played = play::play(&base.url, &requests).await;
    let judged = base.judge(&played).await;
    judged.expect("everything is well");
    let events = base.database.collection::<Document>("events");
    let last = events
        .find_one_and_delete(doc! {"_id.sessionId": "new0"})
        .sort(doc! {"_id": -1});
    let deleted = last.await.expect("an answer");
    assert!(deleted.is_some(), "the session has an event");
    let found = base.judge(&played).await.expect_err("a violation");
    let promises = ["acknowledged means durable", "a refusal is true"];
    assert!(promises.contains(&found.promise), "{found}");
}

/// The first seeds whose clients talk to all processes, or the one that is asked for, with what
/// they ask.
fn histories() -> Vec<(u64, Vec<Entry>)> {
    let requests = |seed| (seed, world::requests(seed).expect("the simulation holds"));
    if let Some(seed) = crate::setting("SESSIONSTORE_SIM_SEED") {
        return vec![requests(seed)];
    }
    let talk_to_all = |(_, requests): &(u64, Vec<Entry>)| {
        let processes: BTreeSet<usize> = requests.iter().map(|it| it.process).collect();
        processes.len() == PROCESSES
    };
    (0..)
        .map(requests)
        .filter(talk_to_all)
        .take(SEEDS)
        .collect()
}

/// A database of its own.
struct Base {
    url: String,
    database: Database,
}

impl Base {
    async fn fresh(set: &ReplicaSet) -> Self {
        let url = set.fresh_database().await.expect("a database");
        let options = ClientOptions::parse(&url).await.expect("a URL");
        let name = options.default_database.expect("a database in the URL");
        let majority = DatabaseOptions::builder()
            .write_concern(WriteConcern::majority())
            .build();
        let database = set.admin().database_with_options(&name, majority);
        Self { url, database }
    }

    async fn judge(&self, played: &Played) -> Result<(), Violation> {
        let history = &played.history;
        let cluster = stored::read(&self.database, &played.store, history).await?;
        let judge = Judge {
            history,
            cluster: &cluster,
            step: usize::MAX,
        };
        let mut told_new = ToldNew::default();
        for (ticket, entry) in (0..).map(Ticket).zip(history.entries()) {
            let answer = entry.answer().filter(|answer| world::is_final(answer));
            promise(
                "in a healthy system every request is done or refused for good",
                answer.is_some(),
                || format!("{entry:?}"),
            )?;
            if let Some(answer) = answer {
                judge.check_answer(ticket, answer, &mut told_new)?;
            }
        }
        judge.check_all()?;
        for (read, seen) in &played.reads {
            read.check(seen, history, &cluster)?;
        }
        Ok(())
    }
}

//! What the plain driver does on the same members, with documents of the same shape and the same
//! indexes: what a service without an idea of its own could reach.

use std::{
    cell::RefCell,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use futures::{TryStreamExt, future::try_join_all};
use mongodb::{
    Client, Collection,
    bson::{Document, doc},
    options::{ClientOptions, ReadConcern, WriteConcern},
};
use sessionstore_replica_set::ReplicaSet;

use crate::{
    ceiling::{CeilingKind, Drive, Sample, documents},
    figures,
};

/// One kind of call of the driver, on a database of its own.
#[derive(Debug, Clone)]
pub(crate) struct Mongo {
    kind: CeilingKind,
    url: String,
    /// Numbers that no document of an earlier round has.
    next: Arc<AtomicU64>,
}

/// Sessions that events are inserted into in turn.
const SESSIONS: u64 = 1_000;

/// Events in each session that is read from.
const STORED: i64 = 1_000;

/// Sessions that are read from in turn.
const READ: u64 = 20;

impl Mongo {
    /// Makes the indexes, and what is to be read.
    pub(super) async fn new(kind: CeilingKind, set: &ReplicaSet) -> anyhow::Result<Self> {
        let ceiling = Self {
            kind,
            url: set.fresh_database().await?,
            next: Arc::default(),
        };
        let collections = Collections::open(&ceiling.url).await?;
        collections.make_indexes().await?;
        if matches!(kind, CeilingKind::FindTwenty | CeilingKind::FindOne) {
            for session in 0..READ {
                let events = (1..=STORED).map(|seq| documents::event(session, seq));
                collections.events.insert_many(events).await?;
            }
        }
        Ok(ceiling)
    }

    /// On threads of its own, as many as the service has: what is measured is the database.
    pub(super) fn measure(&self, drive: Drive) -> anyhow::Result<Sample> {
        let ceiling = self.clone();
        let measuring = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(ceiling.drive(drive))
        });
        measuring
            .join()
            .map_err(|_| anyhow!("the thread of the plain driver panicked"))?
    }

    async fn drive(self, drive: Drive) -> anyhow::Result<Sample> {
        let collections = Collections::open(&self.url).await?;
        // The service has one batch in flight, so one is compared with it.
        let (callers, items) = if self.kind.is_batched() {
            (1, drive.batch)
        } else {
            (drive.connections, 1)
        };
        // Handshakes are no part of it.
        try_join_all((0..callers).map(|_| self.call(&collections, items))).await?;
        let start = Instant::now();
        let latencies = RefCell::new(figures::latencies()?);
        let caller = || async {
            while start.elapsed() < drive.time {
                let sent = Instant::now();
                self.call(&collections, items).await?;
                figures::record(&mut latencies.borrow_mut(), sent.elapsed());
            }
            anyhow::Ok(())
        };
        try_join_all((0..callers).map(|_| caller())).await?;
        Ok(sample(latencies.into_inner(), items, start.elapsed()))
    }

    async fn call(&self, collections: &Collections, items: u64) -> anyhow::Result<()> {
        let first = self.next.fetch_add(items, Ordering::Relaxed);
        let Collections { sessions, events } = collections;
        match self.kind {
            CeilingKind::InsertOne => {
                events.insert_one(numbered(first)?).await?;
            }
            CeilingKind::InsertMany => {
                let batch: Vec<Document> = (first..first + items)
                    .map(numbered)
                    .collect::<Result<_, _>>()?;
                events.insert_many(batch).ordered(true).await?;
            }
            CeilingKind::Upsert => {
                let session = documents::session(first);
                let filter = doc! {"sessionId": documents::session_id(first)};
                let update = doc! {"$setOnInsert": session};
                sessions.update_one(filter, update).upsert(true).await?;
            }
            CeilingKind::FindTwenty => {
                let session = documents::session_id(first % READ);
                let key = |seq: i64| doc! {"sessionId": &session, "seq": seq};
                let found = events
                    .find(doc! {"_id": {"$gte": key(0), "$lte": key(i64::MAX)}})
                    .sort(doc! {"_id": 1})
                    .limit(20);
                let found: Vec<Document> = found.await?.try_collect().await?;
                anyhow::ensure!(found.len() == 20, "a page of {}", found.len());
            }
            CeilingKind::FindOne => {
                let seq = i64::try_from(first / READ)? % STORED + 1;
                let key = doc! {"sessionId": documents::session_id(first % READ), "seq": seq};
                let found = events.find_one(doc! {"_id": key}).await?;
                anyhow::ensure!(found.is_some(), "an event is missing");
            }
            CeilingKind::Route | CeilingKind::Log => anyhow::bail!("not a call of the driver"),
        }
        Ok(())
    }
}

/// The event with this number, in turn of each session.
fn numbered(number: u64) -> anyhow::Result<Document> {
    let seq = i64::try_from(number / SESSIONS + 1)?;
    Ok(documents::event(number % SESSIONS, seq))
}

pub(super) fn sample(latencies: figures::Latencies, items: u64, elapsed: Duration) -> Sample {
    Sample {
        rate: figures::float(latencies.len() * items) / elapsed.as_secs_f64(),
        latencies,
    }
}

struct Collections {
    sessions: Collection<Document>,
    events: Collection<Document>,
}

impl Collections {
    /// With the promises that the service makes: what is acknowledged or read is with a majority.
    async fn open(url: &str) -> anyhow::Result<Self> {
        let mut options = ClientOptions::parse(url).await?;
        options.write_concern = Some(
            WriteConcern::builder()
                .w(mongodb::options::Acknowledgment::Majority)
                .journal(true)
                .build(),
        );
        options.read_concern = Some(ReadConcern::majority());
        let database = options.default_database.clone().context("no database")?;
        let database = Client::with_options(options)?.database(&database);
        Ok(Self {
            sessions: database.collection("sessions"),
            events: database.collection("events"),
        })
    }

    async fn make_indexes(&self) -> anyhow::Result<()> {
        let events = documents::indexes_of_events();
        self.events.create_indexes(events).await?;
        let sessions = documents::indexes_of_sessions();
        self.sessions.create_indexes(sessions).await?;
        Ok(())
    }
}

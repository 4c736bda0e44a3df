//! What the plain driver does on the same members, with documents of the same shape: the ceiling
//! that a service without an idea of its own could reach.

use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use futures::{TryStreamExt, future::try_join_all};
use mongodb::{
    Client, Collection,
    bson::{DateTime, Document, doc},
    options::{ClientOptions, ReadConcern, WriteConcern},
};
use sessionstore_replica_set::ReplicaSet;

use crate::ceiling::CeilingKind;

/// One kind of call of the driver.
#[derive(Debug, Clone)]
pub(crate) struct Ceiling {
    kind: CeilingKind,
    url: String,
    /// Numbers that no document of an earlier round has.
    next: Arc<AtomicU64>,
}

/// Events in the session that pages are read from.
const STORED: i64 = 1_000;

impl Ceiling {
    /// This kind of call, on a database of its own.
    pub(crate) async fn new(kind: CeilingKind, set: &ReplicaSet) -> anyhow::Result<Self> {
        let ceiling = Self {
            kind,
            url: set.fresh_database().await?,
            next: Arc::default(),
        };
        if kind == CeilingKind::FindTwenty {
            let events = ceiling.clone().events().await?;
            events
                .insert_many((1..=STORED).map(|seq| event(0, seq)))
                .await?;
        }
        Ok(ceiling)
    }

    /// Calls in a second, so many at the same time. On threads of its own, as many as the server
    /// has: what is measured is the database.
    pub(crate) fn measure(&self, concurrency: usize, time: Duration) -> anyhow::Result<f64> {
        let ceiling = self.clone();
        let measuring = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(ceiling.drive(concurrency, time))
        });
        measuring
            .join()
            .map_err(|_| anyhow!("the thread of the plain driver panicked"))?
    }

    async fn drive(self, concurrency: usize, time: Duration) -> anyhow::Result<f64> {
        let events = self.events().await?;
        // Handshakes are no part of it.
        try_join_all((0..concurrency).map(|_| async { self.call(&events).await })).await?;
        let start = Instant::now();
        let count = AtomicU64::new(0);
        try_join_all((0..concurrency).map(|_| async {
            while start.elapsed() < time {
                self.call(&events).await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }))
        .await?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let count = count.into_inner() as f64;
        Ok(count / start.elapsed().as_secs_f64())
    }

    async fn call(&self, events: &Collection<Document>) -> anyhow::Result<()> {
        match self.kind {
            CeilingKind::InsertOne => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let (session, seq) = (number % 1_000, number / 1_000 + 1);
                let event = event(session, i64::try_from(seq)?);
                events.insert_one(event).await?;
            }
            CeilingKind::FindTwenty => {
                let session = session_id(0);
                let first = doc! {"sessionId": &session, "seq": 0_i64};
                let last = doc! {"sessionId": &session, "seq": i64::MAX};
                let found = events
                    .find(doc! {"_id": {"$gte": first, "$lte": last}})
                    .sort(doc! {"_id": 1})
                    .limit(20);
                let found: Vec<Document> = found.await?.try_collect().await?;
                anyhow::ensure!(found.len() == 20, "a page of {}", found.len());
            }
        }
        Ok(())
    }

    async fn events(&self) -> anyhow::Result<Collection<Document>> {
        let mut options = ClientOptions::parse(&self.url).await?;
        options.write_concern = Some(WriteConcern::majority());
        options.read_concern = Some(ReadConcern::majority());
        let database = options.default_database.clone().context("no database")?;
        Ok(Client::with_options(options)?
            .database(&database)
            .collection("events"))
    }
}

fn session_id(number: u64) -> String {
    format!("session-{number}")
}

/// An event as the service stores it, of the size that the workloads send.
fn event(session: u64, seq: i64) -> Document {
    doc! {
        "_id": {"sessionId": session_id(session), "seq": seq},
        "eventId": format!("turn-{session:06}-{seq:06}"),
        "type": "user_speech",
        "payload": {
            "text": "Hello, I would like to move my appointment from Tuesday to Thursday, please.",
            "confidence": 0.875,
            "durationMs": 1_250,
            "channel": "phone",
            "model": "speech-2026-04",
        },
        "timestamp": DateTime::now(),
        "recordedAt": DateTime::now(),
    }
}

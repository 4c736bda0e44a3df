//! The one replica set of these tests, and databases on it.
//!
//! Tests that leave the members alone run beside each other. One that hurts them has the set for
//! itself, and it is whole again before anybody else gets it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use futures::FutureExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ClientOptions, WriteConcern};
use mongodb::{Collection, Database};
use sessionstore_replica_set::ReplicaSet;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard};

type Shared = RwLock<&'static ReplicaSet>;

async fn set() -> &'static Shared {
    static SET: OnceCell<Shared> = OnceCell::const_new();
    SET.get_or_init(|| async {
        let set = ReplicaSet::shared().await.unwrap();
        RwLock::new(set)
    })
    .await
}

/// The set, for a test that leaves its members alone.
pub(crate) async fn unhurt() -> RwLockReadGuard<'static, &'static ReplicaSet> {
    set().await.read().await
}

/// Runs a test that hurts members.
pub(crate) async fn hurting(test: impl AsyncFnOnce(&ReplicaSet)) {
    let set = set().await.write().await;
    let result = AssertUnwindSafe(test(&set)).catch_unwind().await;
    if result.is_err() {
        // What the members say of it, before it is mended.
        eprintln!("{:?}", set.status().await);
        for member in set.members() {
            eprintln!("{}: {}", member.host(), member.log_end());
        }
    }
    heal(&set).await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// Makes every member run and follow.
pub(crate) async fn heal(set: &ReplicaSet) {
    for member in set.members() {
        if member.is_running() {
            member.thaw().unwrap();
        } else {
            member.free_disk().unwrap();
            member.restart().await.unwrap();
        }
    }
    for member in set.members() {
        member.let_go().await.unwrap();
    }
    set.wait_until_healthy().await.unwrap();
}

/// Looks until there is something, a minute at most.
pub(crate) async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A database that a test has for itself: what is stored in it, and what only an administrator
/// can do to it.
pub(crate) struct Base {
    pub(crate) url: String,
    database: Database,
}

/// Everything that is stored of one session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) session: Document,
    /// In the order of the log.
    pub(crate) records: Vec<Document>,
}

impl Base {
    pub(crate) async fn fresh(set: &ReplicaSet) -> Self {
        let url = set.fresh_database().await.unwrap();
        let options = ClientOptions::parse(&url).await.unwrap();
        let name = options.default_database.unwrap();
        let majority = mongodb::options::DatabaseOptions::builder()
            .write_concern(WriteConcern::majority())
            .build();
        let database = set.admin().database_with_options(&name, majority);
        Self { url, database }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    fn sessions(&self) -> Collection<Document> {
        self.database.collection("sessions")
    }

    fn events(&self) -> Collection<Document> {
        self.database.collection("events")
    }

    pub(crate) async fn stored(&self, name: &str) -> Stored {
        let session = self.sessions().find_one(doc! {"sessionId": name}).await;
        let events = self.events();
        let records = events.find(doc! {"_id.sessionId": name});
        let mut records = records.sort(doc! {"_id": 1}).await.unwrap();
        let mut stored = Stored {
            session: session.unwrap().unwrap(),
            records: Vec::new(),
        };
        while records.advance().await.unwrap() {
            stored.records.push(records.deserialize_current().unwrap());
        }
        stored
    }

    /// Takes a session's document back to what it was.
    pub(crate) async fn put_session(&self, document: &Document) {
        let filter = doc! {"sessionId": document.get("sessionId")};
        let replaced = self.sessions().replace_one(filter, document).await.unwrap();
        assert_eq!(replaced.matched_count, 1);
    }

    /// Takes a record back to what it was.
    pub(crate) async fn put_record(&self, document: &Document) {
        let filter = doc! {"_id": document.get("_id")};
        let replaced = self.events().replace_one(filter, document).await.unwrap();
        assert_eq!(replaced.matched_count, 1);
    }

    /// Takes back that a record was stored.
    pub(crate) async fn take_record(&self, document: &Document) {
        let filter = doc! {"_id": document.get("_id")};
        let deleted = self.events().delete_one(filter).await.unwrap();
        assert_eq!(deleted.deleted_count, 1);
    }
}

/// A field, by its path.
pub(crate) fn field<'a>(document: &'a Document, path: &str) -> Option<&'a Bson> {
    let mut parts = path.split('.');
    let first = document.get(parts.next()?);
    parts.fold(first, |value, part| value?.as_document()?.get(part))
}

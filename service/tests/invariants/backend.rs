//! What the suite runs on: a backend that can be opened fresh and again, and the log over it.

use std::sync::Arc;

use prometheus::Registry;
use sessionstore::log::{Log, LogMetrics, Settings};
use sessionstore::store::{
    EmbeddedSettings, EmbeddedStore, MongoMetrics, MongoSettings, MongoStore, OpenError, Store,
};
use sessionstore_replica_set::ReplicaSet;
use tempfile::TempDir;

use crate::memory::MemoryStore;

/// A kind of store. Each value stands for data of its own, which lives as long as the value.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Makes room for data; there is none yet.
    fn fresh() -> Self;

    /// Opens the store on its data. What was opened before has been dropped.
    fn open(&self) -> impl Future<Output = Arc<dyn Store>> + Send;
}

/// The embedded store, in a folder that goes with it.
pub(crate) struct Embedded(TempDir);

impl Backend for Embedded {
    fn fresh() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    async fn open(&self) -> Arc<dyn Store> {
        loop {
            match EmbeddedStore::open(self.0.path(), EmbeddedSettings::default()) {
                // The one before is being closed, on a thread of its own: it flushes first.
                Err(OpenError::Locked(_)) => tokio::task::yield_now().await,
                opened => return Arc::new(opened.expect("the folder can be opened")),
            }
        }
    }
}

/// A database of its own on the replica set that the tests of this process share.
pub(crate) struct MongoDb {
    url: tokio::sync::OnceCell<String>,
}

impl Backend for MongoDb {
    fn fresh() -> Self {
        Self {
            url: tokio::sync::OnceCell::new(),
        }
    }

    async fn open(&self) -> Arc<dyn Store> {
        let fresh = async || {
            let set = ReplicaSet::shared().await.expect("a replica set");
            set.fresh_database().await.expect("a database")
        };
        let url = self.url.get_or_init(fresh).await;
        let metrics = MongoMetrics::register(&Registry::new()).expect("a registry of its own");
        let store = MongoStore::connect(url, MongoSettings::default(), metrics).await;
        Arc::new(store.expect("a connection string"))
    }
}

/// The model itself.
#[derive(Default)]
pub(crate) struct Memory(MemoryStore);

impl Backend for Memory {
    fn fresh() -> Self {
        Self::default()
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

/// A log over an open store.
pub(crate) struct Subject<B> {
    backend: B,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) log: Log,
}

impl<B: Backend> Subject<B> {
    pub(crate) async fn fresh() -> Self {
        Self::on(B::fresh()).await
    }

    async fn on(backend: B) -> Self {
        let store = backend.open().await;
        let metrics = LogMetrics::register(&Registry::new()).expect("a registry of its own");
        let log = Log::new(Arc::clone(&store), Settings::default(), metrics);
        Self {
            backend,
            store,
            log,
        }
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(self) -> Self {
        let Self {
            backend,
            store,
            log,
        } = self;
        log.drained().await;
        drop(log);
        let last = Arc::downgrade(&store);
        drop(store);
        // A task that has just answered may hold the store a moment longer.
        while last.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        Self::on(backend).await
    }
}

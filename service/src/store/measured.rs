//! Any store, with the time of its operations measured.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;
use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry};

use crate::domain::{
    Consistency, Event, EventId, NewSession, PageQuery, Session, SessionId, SessionListQuery,
    Timestamp,
};
use crate::store::{
    Announcement, CommitOutcome, CreateOutcome, EraseError, EventPage, Health, Known, LookUp,
    ReadError, Record, SessionChange, SessionPage, Store, StoreError, UpdateError,
};

/// The time of each operation of a store.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    create: Histogram,
    commit: Histogram,
    look_up: Histogram,
    session: Histogram,
    events: Histogram,
    session_with_events: Histogram,
    event: Histogram,
    list: Histogram,
    update: Histogram,
    erase: Histogram,
}

impl StoreMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When the name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let operations = HistogramVec::new(
            HistogramOpts::new(
                "sessionstore_store_operation_duration_seconds",
                "How long the store took for one operation; a commit is one batch of appends.",
            )
            // From a look-up in memory (some 10 µs) over a journal sync (0.1 to 10 ms) to the
            // default deadline of a request.
            .buckets(prometheus::exponential_buckets(0.000_01, 4.0, 11)?),
            &["operation"],
        )?;
        registry.register(Box::new(operations.clone()))?;
        let operation = |name: &str| operations.with_label_values(&[name]);
        Ok(Self {
            create: operation("create"),
            commit: operation("commit"),
            look_up: operation("look_up"),
            session: operation("session"),
            events: operation("events"),
            session_with_events: operation("session_with_events"),
            event: operation("event"),
            list: operation("list"),
            update: operation("update"),
            erase: operation("erase"),
        })
    }
}

/// A store whose operations are measured.
pub struct Measured {
    store: Arc<dyn Store>,
    metrics: StoreMetrics,
}

impl Measured {
    /// `store`, measured.
    pub fn new(store: Arc<dyn Store>, metrics: StoreMetrics) -> Self {
        Self { store, metrics }
    }
}

async fn timed<T>(histogram: &Histogram, operation: impl Future<Output = T>) -> T {
    let started = Instant::now();
    let result = operation.await;
    histogram.observe(started.elapsed().as_secs_f64());
    result
}

#[async_trait]
impl Store for Measured {
    async fn create(&self, sessions: Vec<NewSession>) -> Vec<CreateOutcome> {
        timed(&self.metrics.create, self.store.create(sessions)).await
    }

    async fn commit(&self, records: Arc<[Record]>) -> Vec<CommitOutcome> {
        timed(&self.metrics.commit, self.store.commit(records)).await
    }

    async fn look_up(&self, questions: Vec<LookUp>) -> Result<Vec<Known>, StoreError> {
        timed(&self.metrics.look_up, self.store.look_up(questions)).await
    }

    async fn session(
        &self,
        id: &SessionId,
        consistency: Consistency,
    ) -> Result<Session, ReadError> {
        timed(&self.metrics.session, self.store.session(id, consistency)).await
    }

    async fn events(&self, id: &SessionId, query: &PageQuery) -> Result<EventPage, ReadError> {
        timed(&self.metrics.events, self.store.events(id, query)).await
    }

    async fn session_with_events(
        &self,
        id: &SessionId,
        query: &PageQuery,
    ) -> Result<(Session, EventPage), ReadError> {
        let reading = self.store.session_with_events(id, query);
        timed(&self.metrics.session_with_events, reading).await
    }

    async fn event(
        &self,
        id: &SessionId,
        event_id: &EventId,
        consistency: Consistency,
    ) -> Result<Option<Event>, ReadError> {
        let reading = self.store.event(id, event_id, consistency);
        timed(&self.metrics.event, reading).await
    }

    async fn list(&self, query: &SessionListQuery) -> Result<SessionPage, StoreError> {
        timed(&self.metrics.list, self.store.list(query)).await
    }

    async fn update(&self, id: &SessionId, change: SessionChange) -> Result<Session, UpdateError> {
        timed(&self.metrics.update, self.store.update(id, change)).await
    }

    async fn erase(&self, id: &SessionId, at: Timestamp) -> Result<(), EraseError> {
        timed(&self.metrics.erase, self.store.erase(id, at)).await
    }

    fn subscribe(&self) -> Option<BoxStream<'static, Announcement>> {
        self.store.subscribe()
    }

    fn health(&self) -> Health {
        self.store.health()
    }
}

//! The way to the database: one command at a time, each with its limit, each run to its end.
//!
//! Nothing here knows what a session is. What it does know is when an answer may be trusted: a
//! write at the primary of one term, a `majority` read of a primary that has proven to know how
//! far the majority got.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use mongodb::bson::raw::cstr;
use mongodb::bson::{
    Bson, Document, RawArray, RawBsonRef, RawDocument, RawDocumentBuf, Timestamp, rawdoc,
};
use mongodb::options::{SelectionCriteria, ServerAddress};
use mongodb::raw_batch_cursor::RawBatch;
use mongodb::{Client, Database};
use tokio::time::{Instant, timeout_at};

use crate::store::mongo::codec::Garbled;
use crate::store::mongo::error::CallError;
use crate::store::mongo::metrics::MongoMetrics;
use crate::store::mongo::topology::{Term, Topology};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For an answer to a whole operation, whatever happens to the set meanwhile.
    pub deadline: Duration,
    /// For one command, at the server and here.
    pub command: Duration,
    /// For a page from a secondary, before the primary is asked too.
    pub hedge: Duration,
    /// For an answer that may be on its way, once another primary has come.
    pub grace: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            command: Duration::from_secs(4),
            hedge: Duration::from_millis(30),
            grace: Duration::from_millis(200),
        }
    }
}

/// For an index of a large collection that somebody has dropped.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// For connections ahead of the first requests.
const WARM_UP: Duration = Duration::from_secs(1);

/// Between two attempts that failed at once.
const PAUSE: Duration = Duration::from_millis(20);

/// See the module.
pub(super) struct Link {
    client: Client,
    database: Database,
    pub(super) topology: Topology,
    pub(super) patience: Patience,
    pub(super) metrics: MongoMetrics,
    /// The reign whose `majority` answers can be trusted.
    proven: Mutex<Option<Reign>>,
}

/// A term as the driver's monitors see it and, since they may be a moment late, as the answering
/// member itself says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reign {
    seen: Term,
    said: Option<i64>,
}

impl Reign {
    /// # Errors
    /// When the member that answered is no primary any more.
    fn of(seen: &Term, batch: &RawBatch) -> Result<Self, CallError> {
        let member = batch.as_raw_document().get_document("$replData").ok();
        if member.is_some_and(|member| matches!(member.get_bool("isPrimary"), Ok(false))) {
            return Err(CallError::NotDone("the primary changed".to_owned()));
        }
        Ok(Self {
            seen: seen.clone(),
            said: member.and_then(|member| member.get_i64("term").ok()),
        })
    }
}

/// What a member answered.
pub(super) struct Reply {
    batch: RawBatch,
    /// As which primary, if it was asked as one.
    reign: Option<Reign>,
}

impl Reply {
    /// The documents of the first batch, which is all that is ever asked for.
    pub(super) fn documents(
        &self,
    ) -> Result<impl Iterator<Item = Result<&RawDocument, Garbled>>, Garbled> {
        let documents: &RawArray = self
            .batch
            .doc_slices()
            .map_err(|_| Garbled::new("the reply's batch"))?;
        Ok(documents.into_iter().map(|document| {
            document
                .ok()
                .and_then(RawBsonRef::as_document)
                .ok_or_else(|| Garbled::new("a document of the reply"))
        }))
    }

    /// The first of them.
    pub(super) fn first(&self) -> Result<Option<&RawDocument>, Garbled> {
        self.documents()?.next().transpose()
    }

    /// Whether there is more: a batch ends at 16 MiB, whatever its size was to be.
    pub(super) fn is_cut(&self) -> bool {
        let cursor = self.batch.as_raw_document().get_document("cursor");
        let id = cursor.and_then(|cursor| cursor.get_i64("id"));
        !matches!(id, Ok(0))
    }

    /// As which primary the member answered. Answers of two reigns do not make one truth.
    pub(super) fn reign(&self) -> Option<&Reign> {
        self.reign.as_ref()
    }

    /// How far the log of the set had got, as far as this answer looked.
    pub(super) fn operation_time(&self) -> Option<Timestamp> {
        let reply = self.batch.as_raw_document();
        reply.get_timestamp("operationTime").ok()
    }
}

impl Link {
    pub(super) fn new(
        client: Client,
        database: Database,
        topology: Topology,
        patience: Patience,
        metrics: MongoMetrics,
    ) -> Self {
        Self {
            client,
            database,
            topology,
            patience,
            metrics,
            proven: Mutex::new(None),
        }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Opens connections ahead of the first requests.
    /// Waits for them a moment only: a pool that cannot connect may never say so.
    pub(super) async fn warm_up(&self) {
        let client = self.client.clone();
        let warming = tokio::spawn(async move { client.warm_connection_pool().await });
        if timeout_at(Instant::now() + WARM_UP, warming).await.is_err() {
            tracing::debug!("connections are not there yet");
        }
    }

    /// When an operation that begins now has to be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.patience.deadline
    }

    /// Sends one write to the primary, once.
    pub(super) async fn write(
        &self,
        name: &'static str,
        mut command: RawDocumentBuf,
        deadline: Instant,
    ) -> Result<Document, CallError> {
        let term = self.term(deadline).await?;
        let limit = self.patience.command;
        command.append(cstr!("writeConcern"), durable(limit));
        command.append(cstr!("maxTimeMS"), millis(limit));
        let database = self.database.clone();
        let call = async move { database.run_raw_command(command).await };
        self.call(name, Some(&term), deadline, call).await
    }

    /// Reads what a majority has, from a primary that is known to know. Tries until the deadline.
    pub(super) async fn read(
        &self,
        command: &RawDocument,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        self.read_at("majority", command, deadline).await
    }

    /// The same, all of it as it was at one moment: a long scan otherwise goes on in what has
    /// changed since it began.
    pub(super) async fn read_snapshot(
        &self,
        command: &RawDocument,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        self.read_at("snapshot", command, deadline).await
    }

    async fn read_at(
        &self,
        level: &str,
        command: &RawDocument,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let command = at_level(command, rawdoc! {"level": level});
        loop {
            match self.read_proven(&command, deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) => pause_after(error, deadline).await?,
            }
        }
    }

    async fn read_proven(
        &self,
        command: &RawDocument,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let term = self.term(deadline).await?;
        loop {
            // Noted before: what was read before the proof is not covered by it.
            let proven = self.lock_proven().clone();
            let reply = self.ask(None, command, Some(&term), deadline).await?;
            if proven.is_some() && proven == reply.reign {
                return Ok(reply);
            }
            if *self.lock_proven() != reply.reign {
                self.prove(&term, deadline).await?;
            }
        }
    }

    /// Reads from the primary in a way that proves that it still is one.
    pub(super) async fn read_linearizable(
        &self,
        command: &RawDocument,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let command = at_level(command, rawdoc! {"level": "linearizable"});
        loop {
            let term = self.term(deadline).await?;
            match self.ask(None, &command, Some(&term), deadline).await {
                Ok(reply) => return Ok(reply),
                Err(error) => pause_after(error, deadline).await?,
            }
        }
    }

    /// Reads what a majority has from one member, once: what it knows of it, or, with `at`, as it
    /// was at that time of the set. Not `afterClusterTime`: a member that has just taken back what
    /// no majority had was seen to answer from long before that.
    pub(super) async fn read_from(
        &self,
        member: &ServerAddress,
        command: &RawDocument,
        at: Option<Timestamp>,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let concern = if let Some(at) = at {
            rawdoc! {"level": "snapshot", "atClusterTime": at}
        } else {
            rawdoc! {"level": "majority"}
        };
        let command = at_level(command, concern);
        self.ask(Some(member), &command, None, deadline).await
    }

    /// The indexes of a collection; none if nobody has written to it yet.
    pub(super) async fn list_indexes(&self, collection: &str) -> Result<Vec<Document>, CallError> {
        let deadline = self.deadline();
        let term = self.term(deadline).await?;
        let collection = self.database.collection::<Document>(collection);
        let call = async move {
            let listed = async {
                collection
                    .list_indexes()
                    .await?
                    .with_type()
                    .try_collect()
                    .await
            };
            match listed.await {
                Err(error) if is_no_collection(&error) => Ok(Vec::new()),
                listed => listed,
            }
        };
        self.call("listIndexes", Some(&term), deadline, call).await
    }

    /// Builds an index, which takes as long as it takes.
    pub(super) async fn build(&self, command: Document) -> Result<(), CallError> {
        let deadline = Instant::now() + BUILD_LIMIT;
        let term = self.term(deadline).await?;
        let database = self.database.clone();
        let call = async move { database.run_command(command).await };
        let reply = self
            .call_until(deadline, "createIndexes", Some(&term), call)
            .await?;
        settled(&reply)
    }

    /// Makes sure that `majority` answers of this reign can be trusted from now on: a new primary
    /// may for a moment not know how far the majority had got under the one before it. A
    /// linearizable read is answered only when a majority has confirmed its own first write.
    async fn prove(&self, term: &Term, deadline: Instant) -> Result<(), CallError> {
        let command = rawdoc! {
            "find": "events",
            // No session has this name: it would be blank at both ends.
            "filter": {"_id": {"sessionId": " ", "seq": 0_i64}},
            "limit": 1,
            "singleBatch": true,
            "readConcern": {"level": "linearizable"},
        };
        let reply = self.ask(None, &command, Some(term), deadline).await?;
        *self.lock_proven() = reply.reign;
        Ok(())
    }

    fn lock_proven(&self) -> MutexGuard<'_, Option<Reign>> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn term(&self, deadline: Instant) -> Result<Term, CallError> {
        let term = self.topology.some_term(deadline).await;
        term.ok_or_else(|| CallError::NotDone("the replica set has no primary".to_owned()))
    }

    /// One question to one member, or to the primary.
    async fn ask(
        &self,
        member: Option<&ServerAddress>,
        command: &RawDocument,
        term: Option<&Term>,
        deadline: Instant,
    ) -> Result<Reply, CallError> {
        let name = name(command);
        let mut command = command.to_owned();
        let limit = self.patience.command.min(deadline - Instant::now());
        command.append(cstr!("maxTimeMS"), millis(limit).max(1));
        // The member then says what it believes to be, and in which term.
        command.append(cstr!("$replData"), 1);
        let database = self.database.clone();
        let member = member.cloned();
        let call = async move {
            let mut cursor = database.run_raw_cursor_command(command);
            if let Some(member) = member {
                let is_it = move |server: &mongodb::ServerInfo<'_>| *server.address() == member;
                let criteria = SelectionCriteria::Predicate(Arc::new(is_it));
                cursor = cursor.selection_criteria(criteria);
            }
            cursor.batch().await?.next().await.transpose()
        };
        let batch = self.call(name, term, deadline, call).await?;
        let batch = batch.ok_or_else(|| CallError::Lost("the reply has no batch".to_owned()))?;
        let reign = term.map(|term| Reign::of(term, &batch)).transpose()?;
        Ok(Reply { batch, reign })
    }

    /// Waits for a call until the deadline, and for one command's time at most.
    async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        term: Option<&Term>,
        deadline: Instant,
        call: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
    ) -> Result<T, CallError> {
        let limit = deadline.min(Instant::now() + self.patience.command);
        self.call_until(limit, name, term, call).await
    }

    /// Runs a call of the driver to its end, but waits for it only so long: until the limit, or
    /// until another primary has come.
    async fn call_until<T: Send + 'static>(
        &self,
        limit: Instant,
        name: &'static str,
        term: Option<&Term>,
        call: impl Future<Output = mongodb::error::Result<T>> + Send + 'static,
    ) -> Result<T, CallError> {
        let started = Instant::now();
        // A driver's future that is dropped halfway costs its connection.
        let running = tokio::spawn(call);
        let superseded = async {
            match term {
                Some(term) => self.topology.superseded(term, self.patience.grace).await,
                None => std::future::pending().await,
            }
        };
        let result = tokio::select! {
            result = timeout_at(limit, running) => match result {
                Ok(Ok(Ok(done))) => Ok(done),
                Ok(Ok(Err(error))) => Err(CallError::from(&error)),
                Ok(Err(panic)) => Err(CallError::Lost(panic.to_string())),
                Err(_) => Err(CallError::TimedOut),
            },
            () = superseded => Err(CallError::Lost("the primary changed".to_owned())),
        };
        self.metrics.observe(name, started.elapsed(), &result);
        result
    }
}

/// Between two attempts: returns when the next one may begin, or the error if it would not help
/// or come too late.
pub(super) async fn pause_after(error: CallError, deadline: Instant) -> Result<(), CallError> {
    if !error.is_passing() || Instant::now() + PAUSE >= deadline {
        return Err(error);
    }
    tracing::debug!(%error, "a call to the database is repeated");
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// Whether a majority has all of a write.
pub(super) fn settled(reply: &Document) -> Result<(), CallError> {
    let message = |error: &Document| error.get_str("errmsg").unwrap_or("no message").to_owned();
    if let Ok(error) = reply.get_document("writeConcernError") {
        return Err(CallError::Lost(message(error)));
    }
    match reply.get_array("writeErrors").map(Vec::as_slice) {
        Ok([Bson::Document(error), ..]) => Err(CallError::Lost(message(error))),
        _ => Ok(()),
    }
}

fn is_no_collection(error: &mongodb::error::Error) -> bool {
    const NAMESPACE_NOT_FOUND: i32 = 26;
    matches!(&*error.kind, mongodb::error::ErrorKind::Command(command)
        if command.code == NAMESPACE_NOT_FOUND)
}

impl From<Garbled> for CallError {
    fn from(garbled: Garbled) -> Self {
        Self::Refused(garbled.to_string())
    }
}

/// The command, to be answered at this level.
fn at_level(command: &RawDocument, read_concern: RawDocumentBuf) -> RawDocumentBuf {
    let mut command = command.to_owned();
    command.append(cstr!("readConcern"), read_concern);
    command
}

/// What a command is called in metrics.
fn name(command: &RawDocument) -> &'static str {
    let first = command.into_iter().next();
    match first.and_then(Result::ok).map(|(key, _)| key.as_str()) {
        Some("find") => "find",
        Some("aggregate") => "aggregate",
        _ => "other",
    }
}

/// Acknowledged only when a majority has it in its journals.
fn durable(limit: Duration) -> RawDocumentBuf {
    rawdoc! {"w": "majority", "j": true, "wtimeout": millis(limit)}
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

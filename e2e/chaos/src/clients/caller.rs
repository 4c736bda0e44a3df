//! One client's way to the services: it sends, waits, records, and tries again as a real client does.

use std::{
    io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{content::Content, http};
use crate::history::{
    Line, Operation,
    recorder::Recorder,
    request::{Item, Request},
    values::Digest,
};

/// How long a client keeps trying one write before it gives up.
const PERSISTENCE: Duration = Duration::from_secs(60);

/// Where the processes listen now. A process that is started again has another port.
#[derive(Debug)]
pub struct Doors(Vec<RwLock<String>>);

impl Doors {
    /// The doors at these base URLs.
    pub fn new(urls: impl IntoIterator<Item = String>) -> Self {
        Self(urls.into_iter().map(RwLock::new).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The base URL of a process: the last one, while it is away.
    pub fn url(&self, process: usize) -> String {
        let url = self.0[process]
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        url.clone()
    }

    /// A process listens somewhere else from now on.
    pub fn moved(&self, process: usize, url: String) {
        *self.0[process]
            .write()
            .unwrap_or_else(PoisonError::into_inner) = url;
    }
}

/// What all clients share.
#[derive(Debug)]
pub struct Wire {
    /// The connections.
    pub http: reqwest::Client,
    /// Where to connect to.
    pub doors: Arc<Doors>,
    /// Who writes everything down.
    pub recorder: Arc<Recorder>,
    /// How long to wait for an answer: longer than any answer may take.
    pub patience: Duration,
}

/// One client.
#[derive(Debug)]
pub struct Caller {
    pub(crate) wire: Arc<Wire>,
    pub(crate) client: u32,
    pub(crate) rng: StdRng,
}

/// An operation that is over, and the cursor of its page.
#[derive(Clone, Debug)]
pub struct Reply {
    /// As it was recorded.
    pub operation: Operation,
    /// `nextCursor`.
    pub cursor: Option<String>,
}

impl Caller {
    /// The client of this number. What it does follows from the seed and the answers.
    pub fn new(wire: Arc<Wire>, client: u32, seed: u64) -> Self {
        let own = Digest::of(&[&seed.to_string(), &client.to_string()]);
        Self {
            wire,
            client,
            rng: StdRng::seed_from_u64(own.0),
        }
    }

    /// Any process.
    pub fn any_process(&mut self) -> usize {
        self.rng.random_range(0..self.wire.doors.count())
    }

    /// Any process but this one, if there is another.
    pub fn another_process(&mut self, process: usize) -> usize {
        let count = self.wire.doors.count();
        if count == 1 {
            return process;
        }
        (process + self.rng.random_range(1..count)) % count
    }

    /// Waits for a moment between two requests.
    pub async fn think(&mut self, least: u64, most: u64) {
        let pause = self.rng.random_range(least..=most);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Sends a request once, and records what came of it.
    ///
    /// # Errors
    ///
    /// When the history cannot be written.
    pub async fn call(&self, process: usize, request: Request) -> io::Result<Reply> {
        self.call_on(process, request, None).await
    }

    /// The same, going on with a walk.
    ///
    /// # Errors
    ///
    /// When the history cannot be written.
    pub async fn call_on(
        &self,
        process: usize,
        request: Request,
        cursor: Option<&str>,
    ) -> io::Result<Reply> {
        let Wire {
            http,
            doors,
            recorder,
            patience,
        } = &*self.wire;
        let sending = http::request(http, &doors.url(process), &request, cursor);
        let id = recorder.number();
        let began = recorder.now();
        let response = sending.timeout(*patience).send().await;
        let (outcome, cursor) = http::outcome(response).await;
        let operation = Operation {
            id,
            client: self.client,
            process,
            began,
            ended: recorder.now(),
            request,
            outcome,
        };
        recorder.write(&Line::Operation(operation.clone()))?;
        Ok(Reply { operation, cursor })
    }

    /// Sends a request until something is decided: again and again, each time through another
    /// process, until one has answered or patience ends. The last attempt is returned.
    ///
    /// # Errors
    ///
    /// When the history cannot be written.
    pub async fn insist(&mut self, process: usize, request: Request) -> io::Result<Operation> {
        let start = self.wire.recorder.now();
        let mut process = process;
        loop {
            let reply = self.call(process, request.clone()).await?;
            let waited = self.wire.recorder.now().since(start);
            if is_decided(&reply.operation) || Duration::from(waited) > PERSISTENCE {
                return Ok(reply.operation);
            }
            process = self.another_process(process);
            // Less than `Retry-After` asks for, so that the end of a fault is seen when it comes.
            self.think(100, 400).await;
        }
    }
}

/// Whether an operation has an answer, and so has each of its items.
fn is_decided(operation: &Operation) -> bool {
    operation.answer().is_some_and(|answer| {
        let is_open = answer.results.iter().any(|result| result.status >= 500);
        !answer.is_undecided() && !is_open
    })
}

/// An event to append.
pub fn item(session: &str, event: String, variant: u8) -> Item {
    Item {
        session: session.to_owned(),
        content: Content::of(&event, variant).digest(),
        event,
        variant,
    }
}

//! The clients: seeded, in a closed loop with a little time to think, each recorded with all it asks
//! and all it is told. None of them judges an answer.
//!
//! `writer` has conversations of its own, `crowd` shares a few with others, `reader` looks at
//! whatever there is, `follower` streams. What they share: `caller` (send, record, try again), `http`
//! (the contract), `content` (what is said), `registry` (what there is to look at).

pub mod caller;
mod content;
mod crowd;
mod follower;
pub(crate) mod http;
mod reader;
mod registry;
mod sse;
mod writer;

use std::{
    io,
    sync::{Arc, Once},
    time::Duration,
};

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use caller::{Caller, Wire};
use crowd::Square;
use registry::Registry;

/// How many clients of each kind there are.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// With conversations of their own.
    pub writers: u32,
    /// With shared conversations.
    pub crowd: u32,
    /// Who read.
    pub readers: u32,
    /// Who follow.
    pub followers: u32,
}

impl Default for Numbers {
    /// What two cores can carry beside three members and three services, with time to spare: a
    /// machine that is out of breath would prove nothing about deadlines.
    fn default() -> Self {
        Self {
            writers: 10,
            crowd: 6,
            readers: 6,
            followers: 8,
        }
    }
}

/// All clients, at work.
#[derive(Debug)]
pub struct Crew {
    stop: CancellationToken,
    finish: CancellationToken,
    busy: JoinSet<io::Result<()>>,
    followers: JoinSet<io::Result<()>>,
}

/// Why clients could not go on.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// The history cannot be written.
    #[error("the history cannot be written")]
    History(#[from] io::Error),
    /// A client panicked.
    #[error("a client failed")]
    Client(#[from] JoinError),
}

/// The client of all clients: plain connections, kept open between requests.
///
/// # Errors
///
/// When it cannot be set up.
pub fn connections() -> reqwest::Result<reqwest::Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // The client insists on a provider of cryptography, though nothing here is encrypted. An
        // error says that somebody has installed one.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .build()
}

impl Crew {
    /// Sets them to work.
    pub fn start(wire: &Arc<Wire>, seed: u64, numbers: Numbers) -> Self {
        let registry = Arc::new(Registry::default());
        let square = Arc::new(Square::default());
        let mut crew = Self {
            stop: CancellationToken::new(),
            finish: CancellationToken::new(),
            busy: JoinSet::new(),
            followers: JoinSet::new(),
        };
        let mut clients = (0..).map(|client| Caller::new(wire.clone(), client, seed));
        for caller in clients.by_ref().take(numbers.writers as usize) {
            let writing = writer::write(caller, registry.clone(), crew.stop.clone());
            crew.busy.spawn(writing);
        }
        for caller in clients.by_ref().take(numbers.crowd as usize) {
            let writing = crowd::write(caller, square.clone(), registry.clone(), crew.stop.clone());
            crew.busy.spawn(writing);
        }
        for caller in clients.by_ref().take(numbers.readers as usize) {
            let reading = reader::read(caller, registry.clone(), crew.stop.clone());
            crew.busy.spawn(reading);
        }
        for caller in clients.take(numbers.followers as usize) {
            let following = follower::follow(caller, registry.clone(), crew.finish.clone());
            crew.followers.spawn(following);
        }
        crew
    }

    /// Lets everybody finish what they are at: writers and readers first, then followers, who wait
    /// for what the writers have left.
    ///
    /// # Errors
    ///
    /// [`CrewError`] when somebody could not go on.
    pub async fn finish(mut self) -> Result<(), CrewError> {
        self.stop.cancel();
        while let Some(done) = self.busy.join_next().await {
            done??;
        }
        self.finish.cancel();
        while let Some(done) = self.followers.join_next().await {
            done??;
        }
        Ok(())
    }
}

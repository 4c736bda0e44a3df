//! The signals that end the process, and the order in which it ends.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::Health;
use crate::log::Log;
use crate::server::Server;

/// SIGTERM and SIGINT, one after the other.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on these signals do not end the process by themselves.
    ///
    /// # Errors
    /// When the system lets nobody listen.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What has to end, and how long that may take.
#[derive(Debug)]
pub struct Shutdown {
    /// Fails first, so that nothing new is sent here.
    pub health: Health,
    /// How long the port stays open after that.
    pub delay: Duration,
    /// Ends the streams, which would go on for ever.
    pub streams: CancellationToken,
    /// How long requests in flight and the committer may take after that.
    pub limit: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was accepted was carried out and answered.
    Drained,
    /// Time ran out.
    CutOff,
}

impl Shutdown {
    /// Ends `server`, then waits until `log` has carried out what it accepted.
    pub async fn run(self, server: &mut Server, log: &Log) -> Ended {
        self.health.stop();
        tokio::time::sleep(self.delay).await;
        let draining = async {
            // First nobody new, then the streams: one that ends early could come back at once.
            server.stop_accepting().await;
            self.streams.cancel();
            server.finished().await;
            log.drained().await;
        };
        match tokio::time::timeout(self.limit, draining).await {
            Ok(()) => Ended::Drained,
            Err(_) => Ended::CutOff,
        }
    }
}

#[cfg(test)]
mod tests;

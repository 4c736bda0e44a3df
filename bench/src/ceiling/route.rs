//! What HTTP and JSON cost without a store: the same requests, sent in the same way, to `serve`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::Context;
use hyper::Uri;

use crate::{
    ceiling::{Drive, Sample},
    client,
    closed::{self, Progress, Stop},
    workload::{Source, Workload},
};

/// A service without a store, which ends with this value.
pub(crate) struct Route {
    child: Child,
    url: Uri,
    source: Source,
}

/// The subcommand of this program that serves.
pub(crate) const SUBCOMMAND: &str = "serve-route";

impl Route {
    pub(super) fn start(workload: Workload) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let mut child = Command::new(own)
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the service without a store")?;
        let mut address = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut address)?;
        }
        let url = format!("http://{}", address.trim());
        Ok(Self {
            child,
            url: url.parse().context("the service without a store ended")?,
            source: workload.source_without_store("route"),
        })
    }

    pub(super) async fn measure(&mut self, drive: Drive) -> anyhow::Result<Sample> {
        let urls = [self.url.clone()];
        let mut connections = client::connect(&urls, drive.connections).await?;
        let mut progress = Progress::new(drive.connections);
        let stop = Stop::after(drive.time);
        let outcome = closed::run(&mut connections, &self.source, &mut progress, stop).await?;
        anyhow::ensure!(
            outcome.failures.is_empty(),
            "the service without a store failed: {:?}",
            outcome.failures
        );
        Ok(Sample {
            rate: outcome.rate(),
            latencies: outcome.latencies,
        })
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::ceiling::serve;

    #[tokio::test]
    async fn every_workload_gets_the_answers_that_it_expects() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        tokio::spawn(async move { axum::serve(listener, serve::routes()).await });
        let mut connections = client::connect(&[url], 2).await.unwrap();
        for workload in Workload::ALL {
            let source = workload.source_without_store("r");
            let mut progress = Progress::new(2);
            let stop = Stop::Before(100);
            let outcome = closed::run(&mut connections, &source, &mut progress, stop)
                .await
                .unwrap();
            assert_eq!(outcome.latencies.len(), 100, "{workload}");
        }
    }
}

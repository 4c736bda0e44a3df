//! Several processes of the service on one replica set, as production runs it.

use futures::future::join_all;
use sessionstore_replica_set::ReplicaSet;

use crate::{client::Api, metrics, server::Server, target::Target};

/// Processes on one store; dropping them kills them.
pub struct Processes {
    servers: Vec<Server>,
}

impl Processes {
    /// Three processes on a database of their own on the set that all tests of this process share.
    pub async fn three() -> Self {
        let set = ReplicaSet::shared().await.expect("a replica set");
        Self::start(3, &set.fresh_database().await.expect("a database")).await
    }

    /// Starts so many processes on the store that `url` names; all are ready.
    pub async fn start(count: usize, url: &str) -> Self {
        let servers = join_all((0..count).map(|_| Server::start_on(url))).await;
        Self { servers }
    }

    /// A client whose requests go to each process in turn.
    pub fn api(&self) -> Api {
        let targets: Vec<_> = self.servers.iter().map(Server::target).collect();
        Api::of(Target::of_all(targets))
    }

    /// A client of one process; the numbers go round.
    pub fn process(&self, number: usize) -> Api {
        self.servers[number % self.servers.len()].api()
    }

    /// Asserts that each process was sent requests, so that a race was one between all of them.
    pub async fn assert_all_were_asked(&self) {
        for server in &self.servers {
            let text = server.api().admin("/metrics").await.expect(200).text;
            let requests = metrics::sum(&text, &["http_server_request_duration_seconds_count"]);
            assert!(requests > 0.0, "a process was left out");
        }
    }
}

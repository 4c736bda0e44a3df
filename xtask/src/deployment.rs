//! The service on a real replica set: as many processes as production has, behind no proxy.

use std::{fs, path::Path, process::Command};

use anyhow::Context;
use sessionstore_launch::Server;
use sessionstore_replica_set::{Options, ReplicaSet};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::cargo::cargo;

/// As many as take turns in the tests of the contract: what one acknowledged is read through the
/// second and streamed by the third.
const PROCESSES: usize = 3;

/// Processes of the service on one replica set of their own. All are gone when it is dropped.
pub(crate) struct Deployment {
    servers: Vec<Server>,
    /// Dropped after the servers, so that none complains about it.
    _set: ReplicaSet,
    _folder: TempDir,
}

impl Deployment {
    /// Starts a set of three members and so many processes of `server` on it; returns when all
    /// are ready.
    pub(crate) fn start(server: &Path, processes: usize) -> anyhow::Result<Self> {
        let runtime = Runtime::new().context("cannot start threads")?;
        let set = runtime.block_on(ReplicaSet::start(Options::default()))?;
        let folder = tempfile::tempdir()?;
        let servers = (0..processes)
            .map(|number| {
                let folder = folder.path().join(number.to_string());
                fs::create_dir(&folder)?;
                Ok(Server::start_on(server, &set.url(), &folder)?)
            })
            .collect::<anyhow::Result<Vec<Server>>>()?;
        for server in &servers {
            server.await_ready()?;
        }
        Ok(Self {
            servers,
            _set: set,
            _folder: folder,
        })
    }

    /// The processes.
    pub(crate) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The last lines of all logs, for a message about a failure.
    pub(crate) fn log_ends(&self) -> String {
        let ends: Vec<String> = self.servers.iter().map(Server::log_end).collect();
        ends.join("\n--\n")
    }

    /// The command that runs the tests of the HTTP contract, each request on the next process.
    fn contract(&self) -> Command {
        let list = |url: &dyn Fn(&Server) -> String| {
            let urls: Vec<String> = self.servers.iter().map(url).collect();
            urls.join(",")
        };
        let admin_url = |server: &Server| format!("http://{}", server.admin_addr());
        let mut command = cargo(["test", "--workspace", "--test", "contract"]);
        command
            .env("SESSIONSTORE_E2E_URL", list(&Server::url))
            .env("SESSIONSTORE_E2E_ADMIN_URL", list(&admin_url));
        command
    }
}

/// The step of the test suite: the HTTP contract, kept by several processes on one replica set.
pub(crate) fn contract<T>(
    server: &Path,
    run: impl FnOnce(&mut Command) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deployment = Deployment::start(server, PROCESSES)?;
    run(&mut deployment.contract())
}

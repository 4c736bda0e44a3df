//! What is measured: a service of our own on a store of its own, or one that runs already.

use std::path::{Path, PathBuf};

use anyhow::Context;
use hyper::Uri;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sessionstore_launch::Server;
use sessionstore_replica_set::{Member, Options, ReplicaSet};
use tempfile::TempDir;

use crate::{
    backend::Backend,
    process::{Process, Watched},
};

/// How to come to a service.
#[derive(Debug, Clone)]
pub(crate) enum Service {
    /// Start it.
    Binary {
        file: PathBuf,
        /// Where to make the folders of embedded stores; without, where temporary files are.
        folder: Option<PathBuf>,
        /// How many processes share a store.
        processes: usize,
    },
    /// It runs.
    Running { url: Uri, pid: Option<u32> },
}

/// Starts what is to be measured.
pub(crate) struct Lab {
    service: Service,
    set: Option<ReplicaSet>,
}

/// A service to send requests to. One that was started here ends with this value.
pub(crate) struct Target {
    pub(crate) urls: Vec<Uri>,
    pub(crate) watched: Watched,
    /// Where each process of it tells its metrics; none if that is not known.
    pub(crate) admin: Vec<Uri>,
    _own: Vec<(Server, TempDir)>,
}

/// Lets this process and those that it starts have as many connections as the system allows; most
/// systems begin with 1,024 files.
pub(crate) fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
}

impl Lab {
    pub(crate) fn new(service: Service) -> Self {
        Self { service, set: None }
    }

    /// Another one for the same binary, with a database of its own if the backend has any.
    pub(crate) async fn beside(&self, backend: Backend) -> anyhow::Result<Self> {
        let mut lab = Self::new(self.service.clone());
        lab.prepare(backend).await?;
        Ok(lab)
    }

    /// Starts the database that the backend needs, if it does not run yet, and ends one that it
    /// does not need: even an idle one takes CPU time.
    pub(crate) async fn prepare(&mut self, backend: Backend) -> anyhow::Result<()> {
        match (backend, &self.set) {
            (Backend::Mongodb, None) => {
                eprintln!("starting three members of a replica set");
                self.set = Some(ReplicaSet::start(Options::default()).await?);
            }
            (Backend::Mongodb, Some(_)) => {}
            (Backend::Embedded | Backend::Given, _) => self.end_database(),
        }
        Ok(())
    }

    /// Ends the database, if one runs, with all that it stores.
    pub(crate) fn end_database(&mut self) {
        self.set = None;
    }

    /// The database.
    pub(crate) fn set(&self) -> anyhow::Result<&ReplicaSet> {
        self.set.as_ref().context("no replica set was started")
    }

    /// Where folders of stores are to be made, if not where temporary files are.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.service {
            Service::Binary { folder, .. } => folder.as_deref(),
            Service::Running { .. } => None,
        }
    }

    /// A service on an empty store, with more options than it needs; the one that runs already is
    /// as it is.
    pub(crate) async fn target(&self, options: &[&str]) -> anyhow::Result<Target> {
        match &self.service {
            Service::Running { url, pid } => Ok(Target {
                urls: vec![url.clone()],
                watched: Watched {
                    service: pid.iter().copied().map(Process::Other).collect(),
                    mongods: Vec::new(),
                },
                admin: Vec::new(),
                _own: Vec::new(),
            }),
            Service::Binary {
                file,
                folder,
                processes,
            } => {
                let folder = folder.as_deref();
                self.start(file, folder, *processes, options).await
            }
        }
    }

    async fn start(
        &self,
        binary: &Path,
        parent: Option<&Path>,
        processes: usize,
        options: &[&str],
    ) -> anyhow::Result<Target> {
        let database = match &self.set {
            Some(set) => Some(set.fresh_database().await?),
            None => None,
        };
        let mut own = Vec::with_capacity(processes);
        for _ in 0..processes {
            let folder = match parent {
                Some(parent) => TempDir::new_in(parent)?,
                None => TempDir::new()?,
            };
            let store = match &database {
                Some(url) => url.clone(),
                None => format!("embedded:{}", folder.path().join("store").display()),
            };
            let server = Server::start_with(binary, &store, folder.path(), options)?;
            server.await_ready()?;
            own.push((server, folder));
        }
        let urls = own.iter().map(|(server, _)| server.url().parse());
        let admin = own.iter().map(|(server, _)| server.admin_addr());
        let admin = admin.map(|address| format!("http://{address}").parse());
        Ok(Target {
            urls: urls.collect::<Result<_, _>>().context("its own URL")?,
            watched: Watched {
                service: own.iter().map(|(it, _)| Process::Other(it.pid())).collect(),
                mongods: self.mongods(),
            },
            admin: admin.collect::<Result<_, _>>().context("its own URL")?,
            _own: own,
        })
    }

    fn mongods(&self) -> Vec<Process> {
        let members = self.set.iter().flat_map(ReplicaSet::members);
        members
            .filter_map(Member::pid)
            .map(Process::Other)
            .collect()
    }
}

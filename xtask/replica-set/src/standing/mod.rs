//! A set that stays: on fixed ports, with its data in a folder of its own, until it is told to
//! stop. For local work; what tests need is [`ReplicaSet`](crate::ReplicaSet).

mod member;
mod record;

use std::{
    fs::{self, File},
    ops::ControlFlow::{Break, Continue},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use mongodb::{
    Client,
    bson::{Document, doc},
};

use crate::{
    Election, SetError, SetStatus, background, bootstrap, folder, limits, mongod,
    process::{self, Launch},
    role, url,
    wait::until,
};

use member::StandingMember;
use record::Record;

const MEMBERS: u16 = 3;

const NAME: &str = "sessionstore";

const DATABASE: &str = "sessionstore";

/// A set of three members that stays when this process ends.
#[derive(Debug)]
pub struct StandingSet {
    folder: PathBuf,
    record: Record,
    members: Vec<StandingMember>,
}

/// One line of a standing set's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingStatus {
    /// Host and port.
    pub host: String,
    /// The process id while it runs.
    pub pid: Option<u32>,
    /// `PRIMARY`, `SECONDARY`, what keeps it from being either, or `down`.
    pub state: String,
    /// How far it is behind the primary, to the second.
    pub lag: Option<Duration>,
    /// The version of the server, if it answers.
    pub version: Option<String>,
}

impl StandingSet {
    /// The port of the first member of a new set; the others follow.
    pub const FIRST_PORT: u16 = 27117;

    /// The set in `folder`, which is made there if there is none. Nothing is started yet.
    ///
    /// # Errors
    ///
    /// [`SetError::OtherPorts`] when the set in the folder has others than those from
    /// `first_port`, which only matters for a new one if it is `None`.
    pub fn open(folder: &Path, first_port: Option<u16>) -> Result<Self, SetError> {
        fs::create_dir_all(folder).map_err(SetError::file(folder))?;
        let folder = folder.canonicalize().map_err(SetError::file(folder))?;
        // Two at once must not make up two records.
        let _lock = lock(&folder)?;
        let record = match Record::read(&folder)? {
            Some(record) => record,
            None => Record::make(&folder, first_port.unwrap_or(Self::FIRST_PORT))?,
        };
        if first_port.is_some_and(|wanted| wanted != record.first_port) {
            return Err(SetError::OtherPorts {
                path: folder,
                first: record.first_port,
            });
        }
        let members = (0..MEMBERS)
            .map(|index| {
                let port = record.first_port + index;
                StandingMember::new(port, folder.join(index.to_string()))
            })
            .collect();
        Ok(Self {
            folder,
            record,
            members,
        })
    }

    /// The set in `folder`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As of [`open`](Self::open).
    pub fn find(folder: &Path) -> Result<Option<Self>, SetError> {
        if Record::read(folder)?.is_none() {
            return Ok(None);
        }
        Self::open(folder, None).map(Some)
    }

    /// Starts what does not run, and makes a set of it with its users. Does nothing to a set that
    /// is up already. `progress` hears what is going on.
    ///
    /// # Errors
    ///
    /// [`SetError`] when it does not come to a healthy set.
    pub async fn up(&self, mut progress: impl FnMut(&str)) -> Result<(), SetError> {
        let _lock = lock(&self.folder)?;
        let launch = Launch {
            binary: mongod()?,
            set_name: NAME.to_owned(),
            key_file: folder::write_key(&self.folder, &self.record.key)?,
            parameters: process::STANDING_PARAMETERS.to_vec(),
            certificates: None,
        };
        for member in self.members.iter().filter(|it| it.pid().is_none()) {
            progress(&format!("starting {}", member.host()));
            member.start(&launch).await?;
        }
        try_join_all(self.members.iter().map(StandingMember::await_listening)).await?;
        let clients = self.clients()?;
        if are_new(&clients).await {
            progress("making one replica set of them");
            let ports: Vec<u16> = self.members.iter().map(StandingMember::port).collect();
            bootstrap::initiate(&clients[0], &ports, NAME, Election::Tuned).await?;
        }
        progress("waiting for a primary and two secondaries");
        until("a healthy set", limits::SET, async || {
            let status = self.set_status(&clients).await;
            Ok(match status {
                Some(status) if status.is_healthy() => Break(()),
                other => Continue(format!("{other:?}")),
            })
        })
        .await?;
        self.ensure_users().await
    }

    /// Stops all members cleanly; the data stays.
    ///
    /// # Errors
    ///
    /// [`SetError`] when one does not end.
    pub async fn down(&self) -> Result<(), SetError> {
        let _lock = lock(&self.folder)?;
        try_join_all(self.members.iter().map(StandingMember::stop)).await?;
        Ok(())
    }

    /// Stops all members and deletes their data, passwords and logs.
    ///
    /// # Errors
    ///
    /// As of [`down`](Self::down), and when the folder cannot be removed.
    pub async fn purge(self) -> Result<(), SetError> {
        self.down().await?;
        fs::remove_dir_all(&self.folder).map_err(SetError::file(&self.folder))
    }

    /// How each member is.
    ///
    /// # Errors
    ///
    /// [`SetError::Refused`] when there can be no driver.
    pub async fn status(&self) -> Result<Vec<StandingStatus>, SetError> {
        let clients = self.clients()?;
        let set = self.set_status(&clients).await;
        let lines = self.members.iter().zip(&clients).map(async |it| {
            let (member, client) = it;
            let seen = set.as_ref().and_then(|set| {
                let mut members = set.members.iter();
                members.find(|it| it.host == member.host())
            });
            let pid = member.pid();
            let state = match (pid, seen) {
                (None, _) => "down",
                (Some(_), None) => "unknown",
                (Some(_), Some(seen)) => &seen.state,
            };
            let build = member.look(client, doc! {"buildInfo": 1}).await;
            StandingStatus {
                host: member.host(),
                pid,
                state: state.to_owned(),
                lag: seen.filter(|_| pid.is_some()).and_then(|it| it.lag),
                version: build.and_then(|it| it.get_str("version").ok().map(str::to_owned)),
            }
        });
        Ok(join_all(lines).await)
    }

    /// The connection string of the service's user, for database `sessionstore`.
    pub fn url(&self) -> String {
        url::of_service(&self.hosts(), NAME, DATABASE, &self.record.service_password)
    }

    /// The connection string of a user that may do everything.
    pub fn admin_url(&self) -> String {
        url::of_root(&self.hosts(), NAME, &self.record.root_password)
    }

    /// The folder with the set's data and logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn hosts(&self) -> String {
        let hosts: Vec<String> = self.members.iter().map(StandingMember::host).collect();
        hosts.join(",")
    }

    /// A driver for each member alone.
    fn clients(&self) -> Result<Vec<Client>, SetError> {
        let clients = self.members.iter().map(|it| it.client(&self.record.key));
        clients.collect()
    }

    /// In the words of the primary or, without one, of the first member that answers.
    async fn set_status(&self, clients: &[Client]) -> Option<SetStatus> {
        let command = doc! {"replSetGetStatus": 1};
        let answers = self
            .members
            .iter()
            .zip(clients)
            .map(|(member, client)| member.look(client, command.clone()));
        let answers: Vec<Document> = join_all(answers).await.into_iter().flatten().collect();
        SetStatus::read(&answers)
    }

    async fn ensure_users(&self) -> Result<(), SetError> {
        let key = url::of_key(&self.hosts(), NAME, &self.record.key);
        let client = background::client(&key).await?;
        let members = self.members.len();
        role::ensure_root(&client, &self.record.root_password, members).await?;
        let database = client.database(DATABASE);
        role::ensure_service_user(&database, &self.record.service_password, members).await
    }
}

/// Whether none of the members has ever been part of a set. One that does not answer may have been:
/// then nothing is initiated.
async fn are_new(clients: &[Client]) -> bool {
    let answers = clients.iter().map(member::is_uninitiated);
    join_all(answers).await.into_iter().all(|it| it)
}

/// One process at a time starts, stops or makes a set; the lock goes with the file.
fn lock(folder: &Path) -> Result<File, SetError> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(SetError::file(&path))?;
    file.lock().map_err(SetError::file(&path))?;
    Ok(file)
}

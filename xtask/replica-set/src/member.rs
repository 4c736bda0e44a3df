//! One member of a set, and what can be done to it.

use std::{
    fs,
    ops::ControlFlow::{Break, Continue},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mongodb::{
    Client,
    bson::{Document, doc},
    options::{ClientOptions, Credential, ServerAddress},
};
use rustix::process::Signal;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    Certificates, SetError, background, disk, failpoint, limits,
    process::{self, Launch, Process},
    wait::until,
};

/// How fast a member's own driver notices that it is back.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// One member of a set: a mongod process at a fixed port with its own data, which can be killed,
/// frozen, held back, filled up and started again.
#[derive(Debug)]
pub struct Member {
    port: u16,
    folder: PathBuf,
    launch: Arc<Launch>,
    process: Mutex<Option<Process>>,
    client: Client,
    /// Whether its data folder has a size of its own.
    limited: bool,
}

impl Member {
    /// Starts a member with new data in `folder`; returns when it listens.
    pub(crate) async fn start(
        port: u16,
        folder: PathBuf,
        launch: Arc<Launch>,
        key: &str,
        data_limit: Option<u64>,
    ) -> Result<Self, SetError> {
        let data = process::data(&folder);
        fs::create_dir_all(&data).map_err(SetError::file(&data))?;
        if let Some(bytes) = data_limit {
            disk::mount(&data, bytes)?;
        }
        let process = Process::start(&mut launch.command(port, &folder))?;
        let process = Mutex::new(Some(process));
        await_listening(port, &folder, &process).await?;
        // Not before, since a driver that meets a closed port pauses.
        let client = client(port, key, launch.certificates.as_ref())?;
        Ok(Self {
            port,
            folder,
            launch,
            process,
            client,
            limited: data_limit.is_some(),
        })
    }

    /// Host and port, as the set's configuration names it.
    pub fn host(&self) -> String {
        host(self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        let mut process = lock(&self.process);
        running(&mut process).map(|it| it.pid())
    }

    /// Whether there is a process, frozen or not.
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// A driver that is connected to this member alone, whatever state that is in, and may do
    /// everything.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        process::end_of_log(&self.folder)
    }

    /// Ends it with SIGKILL; returns when it is gone.
    ///
    /// # Errors
    ///
    /// [`SetError::NotRunning`], and when the system refuses.
    pub async fn kill(&self) -> Result<(), SetError> {
        self.end(Signal::KILL).await
    }

    /// Ends it with SIGTERM, so that a primary hands over; returns when it is gone.
    ///
    /// # Errors
    ///
    /// As of [`kill`](Self::kill); one that does not end within a minute is killed.
    pub async fn stop(&self) -> Result<(), SetError> {
        self.end(Signal::TERM).await
    }

    /// Stops all its threads with SIGSTOP: connections stay open and nothing answers.
    ///
    /// # Errors
    ///
    /// [`SetError::NotRunning`], and when the system refuses.
    pub async fn freeze(&self) -> Result<(), SetError> {
        self.signal(Signal::STOP)?;
        until("a member to freeze", limits::PROCESS, async || {
            Ok(if self.is_frozen() {
                Break(())
            } else {
                Continue("running".to_owned())
            })
        })
        .await
    }

    /// Lets it run on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// [`SetError::NotRunning`], and when the system refuses.
    pub fn thaw(&self) -> Result<(), SetError> {
        self.signal(Signal::CONT)
    }

    /// Starts it on the same port and data, after a clean stop if it runs; returns when it
    /// answers commands. What state it is in then is another matter.
    ///
    /// # Errors
    ///
    /// When it does not come to the point of answering.
    pub async fn restart(&self) -> Result<(), SetError> {
        if self.is_running() {
            self.stop().await?;
        }
        let process = Process::start(&mut self.launch.command(self.port, &self.folder))?;
        *lock(&self.process) = Some(process);
        await_listening(self.port, &self.folder, &self.process).await?;
        until("a member to answer", limits::PROCESS, async || {
            Ok(match self.hello().await {
                Some(_) => Break(()),
                None => Continue(self.log_end()),
            })
        })
        .await
    }

    /// Ends it and deletes its data: it starts as a new member.
    ///
    /// # Errors
    ///
    /// As of [`kill`](Self::kill), and when the folder cannot be emptied.
    pub async fn lose_data(&self) -> Result<(), SetError> {
        self.kill().await?;
        let data = process::data(&self.folder);
        fs::remove_dir_all(&data).map_err(SetError::file(&data))?;
        fs::create_dir_all(&data).map_err(SetError::file(&data))
    }

    /// Holds a secondary back: it goes on fetching what happens, and applies none of it. Returns
    /// when that is so. A restart ends it too.
    ///
    /// # Errors
    ///
    /// When the member refuses, or does not come to the point of standing still.
    pub async fn hold_back(&self) -> Result<(), SetError> {
        failpoint::hold(&self.client).await
    }

    /// Lets a secondary apply again what it has missed.
    ///
    /// # Errors
    ///
    /// When the member refuses.
    pub async fn let_go(&self) -> Result<(), SetError> {
        failpoint::release(&self.client).await
    }

    /// Takes all space that is left in its data folder, which has a limit only with
    /// [`Options::data_limit`](crate::Options::data_limit): mongod ends itself at its next write.
    ///
    /// # Errors
    ///
    /// [`SetError::Unlimited`] without a limit: it would fill the disk of this machine.
    pub fn fill_disk(&self) -> Result<(), SetError> {
        if !self.limited {
            return Err(SetError::Unlimited);
        }
        disk::fill(&process::data(&self.folder))
    }

    /// Gives the space back that [`fill_disk`](Self::fill_disk) took.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn free_disk(&self) -> Result<(), SetError> {
        disk::free(&process::data(&self.folder))
    }

    /// Runs a command of the database `admin` on this member.
    pub(crate) async fn command(&self, command: Document) -> Result<Document, SetError> {
        Ok(self.client.database("admin").run_command(command).await?)
    }

    /// What the member says of itself and of the set; `None` when it does not answer at once.
    pub(crate) async fn hello(&self) -> Option<Document> {
        self.look(doc! {"hello": 1}).await
    }

    /// The answer to a command that only looks; `None` when it does not come at once.
    pub(crate) async fn look(&self, command: Document) -> Option<Document> {
        if !self.is_running() || self.is_frozen() {
            return None;
        }
        timeout(limits::LOOK, self.command(command))
            .await
            .ok()?
            .ok()
    }

    async fn end(&self, signal: Signal) -> Result<(), SetError> {
        let Some(process) = lock(&self.process).take() else {
            return Err(self.not_running());
        };
        process.signal(signal)?;
        let process = Mutex::new(Some(process));
        until("a member to end", limits::PROCESS, async || {
            Ok(match running(&mut lock(&process)) {
                None => Break(()),
                Some(_) => Continue(self.log_end()),
            })
        })
        .await
    }

    fn signal(&self, signal: Signal) -> Result<(), SetError> {
        let mut process = lock(&self.process);
        let process = running(&mut process).ok_or_else(|| self.not_running())?;
        process.signal(signal)
    }

    fn is_frozen(&self) -> bool {
        let mut process = lock(&self.process);
        running(&mut process).is_some_and(|it| it.is_frozen())
    }

    fn not_running(&self) -> SetError {
        SetError::NotRunning { host: self.host() }
    }
}

/// Host and port of the member at `port`.
pub(crate) fn host(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// A driver for the member at `port` alone. The members' key opens a user that may do everything
/// before there is any other.
pub(crate) fn client(
    port: u16,
    key: &str,
    certificates: Option<&Certificates>,
) -> Result<Client, SetError> {
    let credential = Credential::builder()
        .username("__system".to_owned())
        .password(key.to_owned())
        .source("local".to_owned())
        .build();
    let mut options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp {
            host: "127.0.0.1".to_owned(),
            port: Some(port),
        }])
        .direct_connection(true)
        .credential(credential)
        .heartbeat_freq(HEARTBEAT)
        .server_selection_timeout(limits::COMMAND)
        .build();
    options.tls = certificates.map(|it| it.driver_options().into());
    let _runtime = background::handle().enter();
    Ok(Client::with_options(options)?)
}

async fn await_listening(
    port: u16,
    folder: &Path,
    process: &Mutex<Option<Process>>,
) -> Result<(), SetError> {
    until("a member to listen", limits::PROCESS, async || {
        let listens = TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        // Looked at after the connection: somebody else may listen there, which ends ours.
        if running(&mut lock(process)).is_none() {
            return Err(SetError::Ended {
                host: host(port),
                log_end: process::end_of_log(folder),
            });
        }
        Ok(if listens {
            Break(())
        } else {
            Continue(process::end_of_log(folder))
        })
    })
    .await
}

fn lock(process: &Mutex<Option<Process>>) -> MutexGuard<'_, Option<Process>> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

fn running(process: &mut Option<Process>) -> Option<&mut Process> {
    let process = process.as_mut()?;
    (!process.has_ended()).then_some(process)
}

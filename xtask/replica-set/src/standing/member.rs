//! One member of a standing set. It is no child of this process, so it is known by its data.

use std::{
    cell::RefCell,
    fs,
    ops::ControlFlow::{Break, Continue},
    path::PathBuf,
};

use mongodb::{
    Client,
    bson::{Document, doc},
    error::ErrorKind,
};
use rustix::process::Signal;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    SetError, limits, member,
    process::{self, Launch},
    wait::until,
};

/// The code of a member that is not part of a set yet.
const NOT_YET_INITIATED: i32 = 94;

#[derive(Debug)]
pub(super) struct StandingMember {
    port: u16,
    folder: PathBuf,
}

impl StandingMember {
    pub(super) fn new(port: u16, folder: PathBuf) -> Self {
        Self { port, folder }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn host(&self) -> String {
        member::host(self.port)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        process::find(&self.folder)
    }

    pub(super) fn client(&self, key: &str) -> Result<Client, SetError> {
        member::client(self.port, key, None)
    }

    /// Starts it; returns when it can be found by its data.
    pub(super) async fn start(&self, launch: &Launch) -> Result<(), SetError> {
        let data = process::data(&self.folder);
        fs::create_dir_all(&data).map_err(SetError::file(&data))?;
        let mut command = launch.command(self.port, &self.folder);
        // When this process has gone the system waits for its end.
        let child = command.spawn().map_err(SetError::system("run mongod"))?;
        let child = RefCell::new(child);
        // For a moment a new process has no arguments that others can read.
        until("a member to start", limits::PROCESS, async || {
            let ended = child.borrow_mut().try_wait();
            if self.pid().is_some() {
                return Ok(Break(()));
            }
            match ended {
                Ok(None) => Ok(Continue("no arguments".to_owned())),
                _ => Err(self.ended()),
            }
        })
        .await
    }

    pub(super) async fn await_listening(&self) -> Result<(), SetError> {
        until("a member to listen", limits::PROCESS, async || {
            let listens = TcpStream::connect(("127.0.0.1", self.port)).await.is_ok();
            // Looked at after the connection: somebody else may listen there, which ends ours.
            match self.pid() {
                Some(_) if listens => Ok(Break(())),
                Some(_) => Ok(Continue(process::end_of_log(&self.folder))),
                None => Err(self.ended()),
            }
        })
        .await
    }

    fn ended(&self) -> SetError {
        SetError::Ended {
            host: self.host(),
            log_end: process::end_of_log(&self.folder),
        }
    }

    /// Ends it cleanly if it runs.
    pub(super) async fn stop(&self) -> Result<(), SetError> {
        let Some(pid) = self.pid() else {
            return Ok(());
        };
        process::send(pid, Signal::TERM)?;
        // A frozen one hears it only now.
        process::send(pid, Signal::CONT)?;
        until("a member to end", limits::PROCESS, async || {
            Ok(match self.pid() {
                None => Break(()),
                Some(_) => Continue(process::end_of_log(&self.folder)),
            })
        })
        .await
    }

    /// The answer to a command that only looks; `None` when it does not come soon.
    pub(super) async fn look(&self, client: &Client, command: Document) -> Option<Document> {
        self.pid()?;
        let admin = client.database("admin");
        let answer = admin.run_command(command).into_future();
        timeout(limits::FIRST_LOOK, answer).await.ok()?.ok()
    }
}

/// Whether the member says that it has never been part of a set.
pub(super) async fn is_uninitiated(client: &Client) -> bool {
    let admin = client.database("admin");
    let answer = admin.run_command(doc! {"replSetGetStatus": 1}).await;
    answer.is_err_and(|error| {
        matches!(&*error.kind, ErrorKind::Command(refusal) if refusal.code == NOT_YET_INITIATED)
    })
}

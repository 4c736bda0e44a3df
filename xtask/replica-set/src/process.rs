//! One mongod process: how it is started, and the signals that it gets.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Certificates, Election, SetError};

/// What is shown of the log of a member that ended.
const SHOWN_LOG_BYTES: usize = 2 * 1024;

/// What all members of a set are started with.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) binary: PathBuf,
    pub(crate) set_name: String,
    pub(crate) key_file: PathBuf,
    /// `name=value` of each server parameter.
    pub(crate) parameters: Vec<&'static str>,
    pub(crate) certificates: Option<Certificates>,
}

/// Parameters of a member of a test: failpoints, and nothing that wakes up by itself. A primary
/// that gets SIGTERM hands over; five seconds for clients to notice are those of production.
const TEST_PARAMETERS: [&str; 4] = [
    "enableTestCommands=1",
    "ttlMonitorEnabled=false",
    "diagnosticDataCollectionEnabled=false",
    "shutdownTimeoutMillisForSignaledShutdown=5000",
];

/// How soon a secondary gives up a sync source that does not answer, and a majority waits with it.
/// By default a first question takes up to a minute, a further one half an election timeout, and
/// the network 5 seconds more: a primary that froze held up the next one for that long (measured).
const QUICK_SOURCES: [&str; 3] = [
    "oplogInitialFindMaxSeconds=5",
    "oplogRetriedFindMaxSeconds=1",
    "oplogNetworkTimeoutBufferSeconds=1",
];

/// The parameters of a member of a test.
pub(crate) fn test_parameters(election: Election) -> Vec<&'static str> {
    let mut parameters = TEST_PARAMETERS.to_vec();
    if election == Election::Tuned {
        parameters.extend(QUICK_SOURCES);
    }
    parameters
}

/// Parameters of a member of a standing set, of which all stop at once: there is nobody to hand
/// over to.
pub(crate) const STANDING_PARAMETERS: [&str; 2] = [
    "diagnosticDataCollectionEnabled=false",
    "shutdownTimeoutMillisForSignaledShutdown=100",
];

impl Launch {
    /// The command of the member at `port` with its data and log in `folder`.
    pub(crate) fn command(&self, port: u16, folder: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .arg(data_argument(folder))
            .arg("--logpath")
            .arg(log(folder))
            .args(["--logappend", "--nounixsocket", "--bind_ip", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--replSet", &self.set_name])
            .arg("--keyFile")
            .arg(&self.key_file)
            .args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128"]);
        if let Some(certificates) = &self.certificates {
            command.args(certificates.arguments());
        }
        for parameter in &self.parameters {
            command.args(["--setParameter", parameter]);
        }
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is meant for the owner, whose end it dies of.
            .process_group(0);
        command
    }
}

/// Where a member has its data.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// By this argument a member is known, to the guardian too.
fn data_argument(folder: &Path) -> String {
    format!("--dbpath={}", data(folder).display())
}

/// The process that runs on the data in `folder`, whoever has started it.
pub(crate) fn find(folder: &Path) -> Option<u32> {
    let argument = data_argument(folder);
    let runs_here = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|it| *it == 0)
            .any(|it| it == argument.as_bytes())
    };
    fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .find(runs_here)
}

/// Where a member writes its log.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("mongod.log")
}

/// The last lines of a member's log.
pub(crate) fn end_of_log(folder: &Path) -> String {
    let text = fs::read(log(folder)).unwrap_or_default();
    let start = text.len().saturating_sub(SHOWN_LOG_BYTES);
    String::from_utf8_lossy(&text[start..]).trim().to_owned()
}

/// A process that is killed when the value is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self, SetError> {
        let child = command.spawn().map_err(SetError::system("run mongod"))?;
        Ok(Self { child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        // An error means that there is nothing to wait for.
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), SetError> {
        send(self.pid(), signal)
    }

    /// Whether it is stopped (SIGSTOP) at this moment.
    pub(crate) fn is_frozen(&self) -> bool {
        is_frozen(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u32, signal: Signal) -> Result<(), SetError> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.map_or(Err(io::ErrorKind::NotFound.into()), |pid| {
        kill_process(pid, signal).map_err(io::Error::from)
    })
    .map_err(SetError::system("send a signal to mongod"))
}

/// The state letter stands behind the name, which is in parentheses and may contain any.
fn is_frozen(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|it| it.starts_with(" T"))
    })
}

//! Starts a `sessionstore` server and waits until it serves.
//!
//! It knows the command line, the one log line that says where the server listens, and how to ask
//! whether it is ready; nothing of the HTTP API. Tests, measurements and chores share it, so that
//! all start a server alike.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

/// The service promises to be ready within 200 ms; a debug build on a busy machine gets far more.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at whether a server is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// What is shown of the log when a server did not start.
const SHOWN_LOG_BYTES: usize = 4 * 1024;

/// A running server. It is killed when the value is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    listening: Listening,
    log: PathBuf,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Listening {
    http_addr: SocketAddr,
    admin_addr: SocketAddr,
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log file could not be made.
    #[error("cannot write the server's log {path}")]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The binary could not be run.
    #[error("cannot run {binary}")]
    Spawn {
        /// The file that was to run.
        binary: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server ended, or said nothing for a minute.
    #[error("the server did not start serving; its log ends with:\n{log_end}")]
    NotServing {
        /// The last lines that it wrote.
        log_end: String,
    },
    /// It serves, but its store cannot be used, not even after a minute.
    #[error("the server did not become ready ({reason}); its log ends with:\n{log_end}")]
    NotReady {
        /// What it says.
        reason: String,
        /// The last lines that it wrote.
        log_end: String,
    },
}

/// The binary of the service, untouched by the settings of whoever runs it here.
pub fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SESSIONSTORE_") || text.starts_with("OTEL_") {
            command.env_remove(&name);
        }
    }
    command
}

impl Server {
    /// Starts `binary` on two free ports, with its data in `folder/store` and its log in
    /// `folder/server.log`. Whatever is in `folder/store` already is served.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the server does not come to the point of serving.
    pub fn start(binary: &Path, folder: &Path) -> Result<Self, StartError> {
        let store_url = format!("embedded:{}", folder.join("store").display());
        Self::start_on(binary, &store_url, folder)
    }

    /// Starts `binary` on two free ports and the store that `store_url` names, with its log in
    /// `folder/server.log`. Whether a store that is another process can be used yet is for
    /// [`await_ready`](Self::await_ready) to find out.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the server does not come to the point of serving.
    pub fn start_on(binary: &Path, store_url: &str, folder: &Path) -> Result<Self, StartError> {
        Self::start_with(binary, store_url, folder, &[])
    }

    /// As [`start_on`](Self::start_on), with more options of `sessionstore serve`.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the server does not come to the point of serving.
    pub fn start_with(
        binary: &Path,
        store_url: &str,
        folder: &Path,
        options: &[&str],
    ) -> Result<Self, StartError> {
        let log = folder.join("server.log");
        let log_file = File::create(&log).map_err(|source| StartError::Log {
            path: log.clone(),
            source,
        })?;
        let mut child = command(binary)
            .args(["serve", "--http-addr", "127.0.0.1:0"])
            .args(["--admin-addr", "127.0.0.1:0", "--log-format", "json"])
            .args(options)
            // Not an argument: it may hold a password, and arguments can be read by everybody.
            .env("SESSIONSTORE_STORE_URL", store_url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| StartError::Spawn {
                binary: binary.to_owned(),
                source,
            })?;
        let Some(listening) = child
            .stderr
            .take()
            .and_then(|stderr| await_serving(stderr, log_file))
        else {
            // Both fail only when it has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
            return Err(StartError::NotServing {
                log_end: end_of(&log),
            });
        };
        Ok(Self {
            child,
            listening,
            log,
        })
    }

    /// Waits until it is ready to be sent requests.
    ///
    /// # Errors
    ///
    /// [`StartError::NotReady`] when it is not within a minute.
    pub fn await_ready(&self) -> Result<(), StartError> {
        let end = Instant::now() + START_LIMIT;
        loop {
            let reason = match readiness(self.admin_addr()) {
                Ok(answer) if answer.starts_with("HTTP/1.0 200") => return Ok(()),
                Ok(answer) => answer,
                Err(error) => error.to_string(),
            };
            if Instant::now() >= end {
                return Err(StartError::NotReady {
                    reason,
                    log_end: self.log_end(),
                });
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// The address of the API.
    pub fn http_addr(&self) -> SocketAddr {
        self.listening.http_addr
    }

    /// The base URL of the API, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.http_addr)
    }

    /// The address of health, metrics and version.
    pub fn admin_addr(&self) -> SocketAddr {
        self.listening.admin_addr
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last few lines of the log, for a message about a failure.
    pub fn log_end(&self) -> String {
        end_of(&self.log)
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    ///
    /// When the system does not know the process.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Ends the server with SIGKILL and waits until it is gone: its ports and its store are free.
    ///
    /// # Errors
    ///
    /// When the system can neither kill it nor wait for it.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.kill();
    }
}

/// Copies the server's log to `file` for as long as it runs, so that its pipe never fills up, and
/// returns as soon as a line says where it listens. `None`: it ended, or time ran out.
fn await_serving(stderr: impl Read + Send + 'static, mut file: File) -> Option<Listening> {
    let (announce, announced) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            // The log is for people; a full disk must not stop the server that is under test.
            let _ = file.write_all(&line);
            if let Some(listening) = listening(&line) {
                // Nobody listens after the first announcement.
                let _ = announce.send(listening);
            }
            line.clear();
        }
    });
    announced.recv_timeout(START_LIMIT).ok()
}

/// What the admin port answers to the question whether it is ready, head and all.
fn readiness(admin: SocketAddr) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&admin, LOOK_LIMIT)?;
    connection.set_read_timeout(Some(LOOK_LIMIT))?;
    connection.write_all(b"GET /readyz?verbose HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Reads the line with which the server says that it serves.
fn listening(line: &[u8]) -> Option<Listening> {
    #[derive(Deserialize)]
    struct Line {
        fields: Fields,
    }
    #[derive(Deserialize)]
    struct Fields {
        message: String,
        #[serde(flatten)]
        listening: Listening,
    }
    let Line { fields } = serde_json::from_slice(line).ok()?;
    (fields.message == "serving").then_some(fields.listening)
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let start = text.len().saturating_sub(SHOWN_LOG_BYTES);
    String::from_utf8_lossy(&text[start..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    const SERVING: &str = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"INFO","fields":{"message":"serving","http_addr":"127.0.0.1:4001","admin_addr":"127.0.0.1:4002","store":"embedded"},"target":"sessionstore"}"#;

    fn script(folder: &Path, lines: &str) -> PathBuf {
        let path = folder.join("server");
        fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_serving_line_tells_both_addresses() {
        let listening = listening(SERVING.as_bytes()).unwrap();
        assert_eq!(listening.http_addr.port(), 4001);
        assert_eq!(listening.admin_addr.port(), 4002);
    }

    #[test]
    fn other_lines_are_not_taken_for_the_serving_line() {
        let other = SERVING.replace("\"serving\"", "\"stopping\"");
        assert_eq!(listening(other.as_bytes()), None);
        assert_eq!(listening(b"thread 'main' panicked"), None);
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let binary = script(folder.path(), "echo 'the folder is in use' >&2; exit 1");
        let error = Server::start(&binary, folder.path()).unwrap_err();
        assert!(error.to_string().contains("the folder is in use"));
    }

    #[test]
    fn a_dropped_server_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let lines = format!("echo '{SERVING}' >&2; exec tail -f /dev/null");
        let server = Server::start(&script(folder.path(), &lines), folder.path()).unwrap();
        let process = PathBuf::from(format!("/proc/{}", server.pid()));
        assert!(process.exists());
        drop(server);
        assert!(!process.exists());
    }
}

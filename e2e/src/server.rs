//! Servers that a test starts on a folder, signals, kills and starts again, and runs of the binary
//! that are expected to end by themselves.

use std::{
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::{
    binary,
    client::Api,
    log::{Log, field},
    target::Target,
    until,
};

/// The binary, untouched by settings of whoever runs the tests.
pub fn command() -> Command {
    let mut command = sessionstore_launch::command(binary::path());
    command.stdin(Stdio::null());
    command
}

/// The binary, serving the embedded store in `folder` on free ports, logging JSON.
pub fn serve_command(folder: &Path) -> Command {
    let mut command = serve_anywhere();
    command
        .arg("--store-url")
        .arg(format!("embedded:{}", folder.display()));
    command
}

/// The binary, serving the store that `url` names on free ports, logging JSON.
pub fn serve_on_command(url: &str) -> Command {
    let mut command = serve_anywhere();
    command.env("SESSIONSTORE_STORE_URL", url);
    command
}

fn serve_anywhere() -> Command {
    let mut command = command();
    command
        .args(["--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
        .args(["--log", "info", "--log-format", "json"]);
    command
}

/// Waits for the line that says where the server listens.
pub async fn serving(log: &Log) -> Target {
    let is_serving = |line: &str| field(line, "message").as_deref() == Some("serving");
    let Some(line) = log.wait_for(is_serving).await else {
        panic!(
            "the server ended before it served:\n{}",
            log.lines().join("\n")
        );
    };
    let url = |name| {
        format!(
            "http://{}",
            field(&line, name).expect("the line names its ports")
        )
    };
    Target::new(&url("http_addr"), Some(&url("admin_addr")))
}

/// A process of one test: a test that fails must not leave it behind.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that has already ended and been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of one test; dropping it kills it.
pub struct Server {
    process: Process,
    log: Log,
    target: Target,
}

/// How a process ended.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; absent when a signal killed it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Server {
    /// Starts a server on `folder` and waits until it serves.
    pub async fn start(folder: &Path) -> Self {
        Self::start_command(serve_command(folder)).await
    }

    /// Starts a server on the store that `url` names and waits until it is ready.
    pub async fn start_on(url: &str) -> Self {
        let server = Self::start_command(serve_on_command(url)).await;
        server.await_ready().await;
        server
    }

    /// Starts a server by a command of one's own and waits until it serves.
    pub async fn start_command(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = Log::follow(child.stderr.take().expect("stderr is piped"));
        let process = Process(child);
        let target = serving(&log).await;
        Self {
            process,
            log,
            target,
        }
    }

    /// Where this server is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A client for this server.
    pub fn api(&self) -> Api {
        Api::of(self.target.clone())
    }

    /// Waits until the server says that it is ready.
    pub async fn await_ready(&self) {
        let api = self.api();
        until("readiness", async || {
            api.admin("/readyz").await.status == 200
        })
        .await;
    }

    /// What the server has logged so far, and will.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The id of the process, for what the system knows about it.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a signal. The process has not been waited for, so its id cannot be another's yet.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).expect("the process is ours");
    }

    /// Kills the server at once, as a power failure of the process would (SIGKILL).
    pub async fn kill(self) {
        self.signal(Signal::KILL);
        self.exit().await;
    }

    /// Waits until the server has ended by itself.
    pub async fn exit(mut self) -> Exit {
        self.log.end().await;
        let status = self.process.0.wait().expect("the process is ours");
        Exit {
            code: status.code(),
            stdout: String::new(),
            stderr: self.log.text(),
        }
    }
}

/// Runs a command that ends by itself, with `input` on its stdin.
pub async fn run(mut command: Command, input: &str) -> Exit {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = Log::follow(child.stdout.take().expect("stdout is piped"));
    let stderr = Log::follow(child.stderr.take().expect("stderr is piped"));
    let mut process = Process(child);
    let input = input.to_owned();
    // A command that refuses its input ends without reading it: a closed pipe is no failure.
    std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    stdout.end().await;
    stderr.end().await;
    let status = process.0.wait().expect("the process is ours");
    Exit {
        code: status.code(),
        stdout: stdout.text(),
        stderr: stderr.text(),
    }
}

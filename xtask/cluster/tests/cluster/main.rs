//! Real clusters, really hurt. They take root and minutes, so they run only when they are
//! asked for by name; those with nodes take turns, since nodes have fixed addresses.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails the test, as the test itself would"
)]

mod alone;
mod nodes;
mod traces;

use std::{
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use sessionstore_cluster::{Cluster, ClusterError, Options};
use tempfile::TempDir;

/// A cluster in a folder of its own that goes down when the test ends, also if that fails.
struct Lab {
    cluster: Cluster,
    options: Options,
    scratch: TempDir,
    /// Given up when the cluster is down.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Lab {
    fn up(nodes: usize) -> Self {
        let turn = (nodes > 0).then(turn);
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            nodes,
            audit: true,
            folder: Some(folder.path().join("cluster")),
        };
        let cluster = up(&options).unwrap();
        Self {
            cluster,
            options,
            scratch: folder,
            _turn: turn,
        }
    }

    fn folder(&self) -> &Path {
        self.options.folder.as_ref().unwrap()
    }

    /// What kubectl prints; the test fails if it fails.
    fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap()
    }

    /// What kubectl prints, or what is wrong.
    fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        output_of(self.cluster.kubectl().args(args))
    }

    /// What a command in a pod prints, or what is wrong.
    fn inside(&self, pod: &str, command: &[&str]) -> Result<String, String> {
        self.try_kubectl(&[&["exec", pod, "--"], command].concat())
    }

    fn apply(&self, manifest: &str) {
        let file = self.scratch.path().join("manifest.yaml");
        std::fs::write(&file, manifest).unwrap();
        self.kubectl(&["apply", "--filename", &file.display().to_string()]);
    }

    fn await_ready(&self, pod: &str) {
        let pod = format!("pod/{pod}");
        eventually("the pod is there", || {
            self.try_kubectl(&["get", &pod]).is_ok()
        });
        self.kubectl(&["wait", "--for=condition=Ready", &pod, "--timeout=120s"]);
    }
}

/// The right to have a cluster with nodes. A test that failed with it has taken it down.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() {
            for args in [
                ["get", "pods", "--all-namespaces", "--output=wide"].as_slice(),
                ["get", "events", "--all-namespaces"].as_slice(),
            ] {
                eprintln!("{}", self.try_kubectl(args).unwrap_or_else(|error| error));
            }
        }
        let down = Cluster::down(self.folder());
        if !thread::panicking() {
            down.unwrap();
        }
    }
}

fn up(options: &Options) -> Result<Cluster, ClusterError> {
    let start = Instant::now();
    Cluster::up(options, &|step| {
        eprintln!("{:>6.1} s  {step}", start.elapsed().as_secs_f64());
    })
}

fn output_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// Waits for what must come true sooner or later; fails the test after two minutes.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

//! The processes of a cluster. Each carries in its environment to which cluster it belongs and
//! which part of it it is, so that it is found by whoever looks, also if the one that started it
//! died before it could write anything down, and so that no other process is ever taken for it.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io,
    ops::ControlFlow::{Break, Continue},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use sessionstore_fetch::process::not_run;

use crate::{ClusterError, folder::Folder, limits, wait::until};

pub(crate) const CLUSTER: &str = "SESSIONSTORE_CLUSTER";
const PART: &str = "SESSIONSTORE_CLUSTER_PART";

/// What a process is called for the moment until it has become the program.
const STARTERS: [&str; 4] = ["setsid", "unshare", "nsenter", "sh"];

/// A process of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pid: u32,
    /// The folder of its cluster.
    pub(crate) cluster: PathBuf,
    /// The part that it is or, as a helper or child, belongs to.
    pub(crate) part: String,
    /// The name by which it was called.
    pub(crate) program: String,
}

impl Found {
    /// Whether its cluster has nodes, also if they are all off.
    pub(crate) fn is_of_nodes(&self) -> bool {
        self.part.contains('@') || self.part == "kube-scheduler"
    }
}

/// One daemon of a cluster.
#[derive(Debug)]
pub(crate) struct Part {
    /// `program`, or `program@node`.
    pub(crate) name: String,
    /// What it is called by.
    pub(crate) program: String,
}

impl Part {
    pub(crate) fn of_the_machine(program: &str) -> Self {
        Self {
            name: program.to_owned(),
            program: program.to_owned(),
        }
    }

    pub(crate) fn of_a_node(program: &str, node: &str) -> Self {
        Self {
            name: format!("{program}@{node}"),
            program: program.to_owned(),
        }
    }

    /// Its process, if it runs.
    pub(crate) fn pid(&self, folder: &Folder) -> Option<u32> {
        self.pid_among(&of(folder.root()))
    }

    pub(crate) fn pid_among(&self, found: &[Found]) -> Option<u32> {
        found
            .iter()
            .find(|it| it.part == self.name && it.program == self.program)
            .map(|it| it.pid)
    }

    /// Starts it with `command`, which runs it or leads to it, unless it runs. It outlives this
    /// process, and hears nothing of what happens to this terminal.
    pub(crate) fn start(&self, folder: &Folder, command: &Command) -> Result<(), ClusterError> {
        if self.pid(folder).is_some() {
            return Ok(());
        }
        let path = folder.log(&self.name);
        let open = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let log = File::options().create(true).append(true).open(&path)?;
            io::Result::Ok((log.try_clone()?, log))
        };
        let (out, err) = open().map_err(ClusterError::file(&path))?;
        let mut detached = Command::new("setsid");
        detached
            .arg(command.get_program())
            .args(command.get_args())
            // Nothing of the caller: neither what cargo sets nor a proxy for the network.
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", "/root")
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        mark(&mut detached, folder, &self.name);
        // When this process has gone the system waits for its end.
        detached
            .spawn()
            .map_err(|error| not_run(&detached, error))?;
        Ok(())
    }

    /// Fails if it neither runs nor is about to. A process that is just becoming another program
    /// has, for that moment, no environment to be known by; so only one that is missing at every
    /// look has ended.
    pub(crate) fn check(&self, folder: &Folder) -> Result<(), ClusterError> {
        let seen = until("the part to be seen", limits::BECOMING, || {
            let is_there = of(folder.root()).iter().any(|it| {
                it.part == self.name
                    && (it.program == self.program || STARTERS.contains(&it.program.as_str()))
            });
            Ok(if is_there {
                Break(())
            } else {
                Continue("no process of it".to_owned())
            })
        });
        seen.map_err(|_| ClusterError::Ended {
            part: self.name.clone(),
            log: folder.log(&self.name),
            log_end: folder.log_end(&self.name),
        })
    }
}

/// Marks what a command starts as belonging to a cluster, so that it ends with it at the latest.
pub(crate) fn mark(command: &mut Command, folder: &Folder, part: &str) {
    command.env(CLUSTER, folder.root()).env(PART, part);
}

/// Where programs are, also for one who is not at a login shell.
pub(crate) fn search_path() -> String {
    let own = env::var("PATH").unwrap_or_default();
    format!("{own}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}

/// All processes of the cluster in `folder`.
pub(crate) fn of(folder: &Path) -> Vec<Found> {
    let mut found = all();
    found.retain(|it| it.cluster == folder);
    found
}

/// All processes of all clusters.
pub(crate) fn all() -> Vec<Found> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(look)
        .collect()
}

fn look(pid: u32) -> Option<Found> {
    let read = |file| fs::read(format!("/proc/{pid}/{file}")).ok();
    let environment = read("environ")?;
    let (cluster, part) = marks(&environment)?;
    let line = read("cmdline")?;
    let first = String::from_utf8_lossy(line.split(|it| *it == 0).next()?).into_owned();
    let program = Path::new(&first)
        .file_name()
        .map_or_else(String::new, |it| it.to_string_lossy().into_owned());
    Some(Found {
        pid,
        cluster,
        part,
        program,
    })
}

/// Reads the marks in an environment as /proc shows it.
fn marks(environment: &[u8]) -> Option<(PathBuf, String)> {
    let value = |name: &str| {
        environment.split(|it| *it == 0).find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
    };
    Some((value(CLUSTER)?.into(), value(PART)?))
}

/// Ends processes the hard way, and waits until they are gone. A cluster that is taken down has
/// nothing to save.
pub(crate) fn kill_all(find: impl Fn() -> Vec<Found>) -> Result<(), ClusterError> {
    until("processes of the cluster to end", limits::PROCESS, || {
        let found = find();
        for process in &found {
            kill(process.pid);
        }
        Ok(if found.is_empty() {
            Break(())
        } else {
            let names: Vec<&str> = found.iter().map(|it| it.part.as_str()).collect();
            Continue(names.join(", "))
        })
    })
}

/// One that has ended already is what was wanted.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Whether a command is found and runs; for programs that know `--version` or the like.
pub(crate) fn is_on_the_path(program: &str) -> bool {
    env::split_paths(OsStr::new(&search_path())).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_both_marks_only() {
        let both = b"A=1\0SESSIONSTORE_CLUSTER=/c\0SESSIONSTORE_CLUSTER_PART=etcd\0";
        assert_eq!(marks(both), Some(("/c".into(), "etcd".to_owned())));
        assert_eq!(marks(b"SESSIONSTORE_CLUSTER=/c\0"), None);
        assert_eq!(
            marks(b"XSESSIONSTORE_CLUSTER=/c\0SESSIONSTORE_CLUSTER_PART=e\0"),
            None
        );
        assert_eq!(marks(b""), None);
    }

    #[test]
    fn a_part_is_found_while_it_runs_and_started_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().to_owned());
        let part = Part::of_the_machine("sleep");
        let mut command = Command::new("sleep");
        command.arg("1000");
        part.start(&folder, &command).unwrap();
        let pid = until("the part to start", limits::PROCESS, || {
            Ok(part.pid(&folder).map_or(Continue(String::new()), Break))
        });
        let pid = pid.unwrap();
        part.start(&folder, &command).unwrap();
        part.check(&folder).unwrap();
        assert_eq!(part.pid(&folder), Some(pid));
        assert_eq!(of(folder.root()).len(), 1);

        kill_all(|| of(folder.root())).unwrap();
        assert!(
            matches!(part.check(&folder), Err(ClusterError::Ended { part, .. }) if part == "sleep")
        );
    }

    #[test]
    fn a_part_that_is_unknown_for_a_moment_has_not_ended() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().to_owned());
        let part = Part::of_the_machine("sleep");
        let script = format!(
            "sleep 0.2; {CLUSTER}={} {PART}=sleep exec sleep 1000",
            folder.root().display()
        );
        let mut unknown = Command::new("sh");
        let mut unknown = unknown.args(["-c", &script]).spawn().unwrap();
        part.check(&folder).unwrap();
        assert_eq!(part.pid(&folder), Some(unknown.id()));
        unknown.kill().unwrap();
        unknown.wait().unwrap();
    }

    #[test]
    fn helpers_and_children_of_a_part_are_not_taken_for_it() {
        let found = |pid, program: &str| Found {
            pid,
            cluster: "/c".into(),
            part: "containerd@node1".to_owned(),
            program: program.to_owned(),
        };
        let helpers = [found(1, "nsenter"), found(3, "containerd-shim-runc-v2")];
        let part = Part::of_a_node("containerd", "node1");
        assert_eq!(part.pid_among(&helpers), None);
        assert_eq!(part.pid_among(&[found(2, "containerd")]), Some(2));
    }
}

//! A control plane for tests does not outlive its owner, not even one that is killed.
//!
//! A small shell holds the read end of a pipe whose write end only the owner has. When the owner
//! ends, in whatever way, the pipe closes; then the shell kills all processes that bear the mark
//! of the cluster, and removes its folder.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use sessionstore_fetch::process::not_run;

use crate::{ClusterError, cluster::folder_of, part};

const SCRIPT: &str = r#"
trap '' INT HUP TERM
read -r folder
while read -r _; do :; done
# The owner may have ended while a part was just starting, which does not bear its mark yet.
sleep 0.2
marked() { grep -lazxF "$1=$folder" /proc/[0-9]*/environ 2>/dev/null; }
# Some environments cannot be read, so the exit code says nothing.
while found=$(marked "$1"); [ -n "$found" ]; do
    for file in $found; do
        pid=${file#/proc/}
        kill -9 "${pid%/environ}" 2>/dev/null
    done
    sleep 0.02
done
rm -rf "$folder" "$folder.lock"
"#;

/// Takes a control plane down when it is dropped, and when this process ends without dropping it.
/// For clusters without nodes: these have more than processes and files.
#[derive(Debug)]
pub struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Watches over the control plane that is going to be in `folder`: before it is brought up, so
    /// that one that comes up half is taken down as well.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when there is no shell or no such place.
    pub fn start(folder: &Path) -> Result<Self, ClusterError> {
        let folder = folder_of(Some(folder))?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "guardian", part::CLUSTER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C and what else is meant for the owner's group must not end it.
            .process_group(0);
        let mut child = shell.spawn().map_err(|error| not_run(&shell, error))?;
        if let Some(pipe) = &mut child.stdin {
            writeln!(pipe, "{}", folder.display()).map_err(ClusterError::file(&folder))?;
        }
        Ok(Self { shell: child })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It can only fail for a shell that is gone already.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow::{Break, Continue};

    use super::*;
    use crate::{folder::Folder, limits, part::Part, wait::until};

    fn sleeper(root: &Path) -> Folder {
        let folder = Folder::new(root.to_owned());
        let mut command = Command::new("sleep");
        command.arg("1000");
        let part = Part::of_the_machine("sleep");
        part.start(&folder, &command).unwrap();
        until("the part to start", limits::PROCESS, || {
            Ok(part.pid(&folder).map_or(Continue(String::new()), Break))
        })
        .unwrap();
        folder
    }

    fn is_gone(folder: &Folder) -> bool {
        part::of(folder.root()).is_empty() && !folder.root().exists()
    }

    #[test]
    fn what_it_watches_over_goes_with_it_and_nothing_of_others() {
        let place = tempfile::tempdir().unwrap();
        let [root, other] = ["mine", "mine-too"].map(|it| place.path().join(it));
        let guardian = Guardian::start(&root).unwrap();
        let (mine, others) = (sleeper(&root), sleeper(&other));
        drop(guardian);
        assert!(is_gone(&mine));
        assert_eq!(part::of(others.root()).len(), 1);
        part::kill_all(|| part::of(others.root())).unwrap();
    }

    #[test]
    fn it_does_its_work_also_if_nobody_waits_for_it() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("mine");
        let mut guardian = Guardian::start(&root).unwrap();
        let mine = sleeper(&root);
        // As the system does with a process that is killed.
        drop(guardian.shell.stdin.take());
        until("the folder to go", limits::PROCESS, || {
            Ok(if is_gone(&mine) {
                Break(())
            } else {
                Continue("it is there".to_owned())
            })
        })
        .unwrap();
    }
}

//! Nothing outlives its owner, not even when that is killed with SIGKILL.
//!
//! A small shell holds the read end of a pipe whose write end only the owner has. When the owner
//! ends, in whatever way, the pipe closes; then the shell kills the members, frozen ones too,
//! unmounts what is mounted and removes the folder. It takes for a member only what runs on data
//! in the folder of this set, so it can never hit a process that got the id of one.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::SetError;

const SCRIPT: &str = r#"
trap '' INT HUP TERM
read -r folder
read -r afterwards
while read -r last; do word=$last; done
# Without a word the owner may have ended while a member was just starting, which has no
# arguments yet to be known by.
[ "$word" = done ] || sleep 0.2
members() {
    printf -- '--dbpath=%s/\n' "$folder" | grep -lazF -f - /proc/[0-9]*/cmdline 2>/dev/null
}
# Processes that end while they are looked at make grep fail, so its exit code says nothing.
while found=$(members); [ -n "$found" ]; do
    for file in $found; do
        pid=${file#/proc/}
        kill -9 "${pid%/cmdline}" 2>/dev/null
    done
    sleep 0.02
done
while read -r _ mounted _; do
    case $mounted in "$folder"/*) umount -l "$mounted" ;; esac
done </proc/mounts
if [ "$afterwards" = remove ]; then rm -rf "$folder"; fi
"#;

/// What becomes of the folder when the owner has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Remove,
    Keep,
}

/// Cleans up when it is dropped, and when this process ends without dropping it.
#[derive(Debug)]
pub(crate) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Watches over the set whose data folders lie in `folder`.
    pub(crate) fn start(folder: &Path, afterwards: Afterwards) -> Result<Self, SetError> {
        let failed = SetError::system;
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C and what else is meant for the owner's group must not end it.
            .process_group(0)
            .spawn()
            .map_err(failed("start a shell"))?;
        let word = match afterwards {
            Afterwards::Remove => "remove",
            Afterwards::Keep => "keep",
        };
        if let Some(pipe) = &mut shell.stdin {
            writeln!(pipe, "{}\n{word}", folder.display()).map_err(failed("write to a shell"))?;
        }
        Ok(Self { shell })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // Both can only fail for a shell that is gone already.
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = writeln!(pipe, "done");
        }
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::Duration,
    };

    use super::*;
    use crate::process;

    /// Ends what is beside a test, also when that fails.
    struct Over<'a>(&'a AtomicBool);

    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn members_die_also_while_other_processes_come_and_go() {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
            let _over = Over(&is_over);
            for _ in 0..20 {
                assert!(dies_with_its_guardian());
            }
        });
    }

    /// Whether what runs on data of a set is killed by the guardian of that set.
    fn dies_with_its_guardian() -> bool {
        let folder = tempfile::tempdir().unwrap();
        let guardian = Guardian::start(folder.path(), Afterwards::Keep).unwrap();
        let mut member = Command::new("sh")
            .args(["-c", "read -r _", "member"])
            .arg(format!("--dbpath={}/data", folder.path().display()))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // A new process has no arguments for a moment, and one that dies is not yet dead.
        comes_true(|| process::find(folder.path()) == Some(member.id()));
        drop(guardian);
        let died = comes_true(|| member.try_wait().unwrap().is_some());
        let _ = member.kill();
        member.wait().unwrap();
        died
    }

    /// Waits for it, five seconds at most.
    fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
        (0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            is_so()
        })
    }
}

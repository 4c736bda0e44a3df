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
while found=$(members); do
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

//! Running other programs so that one sees what they do.

use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot run `{line}`")]
    NotRun {
        /// The command as it would be typed.
        line: String,
        /// What the system says.
        source: io::Error,
    },
    /// It exited with something else than 0.
    #[error("`{line}` failed: {status}")]
    Failed {
        /// The command as it would be typed.
        line: String,
        /// How it exited.
        status: ExitStatus,
    },
}

/// Runs a command in the open and fails unless it exits with 0.
///
/// # Errors
///
/// [`ProcessError`], which names the command.
pub fn run(command: &mut Command) -> Result<(), ProcessError> {
    let status = command.status().map_err(|it| not_run(command, it))?;
    succeeded(command, status)
}

/// Whether a command runs and exits with 0; nothing of it is shown.
pub fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Fails unless `command` exited with 0.
///
/// # Errors
///
/// [`ProcessError::Failed`], which names the command.
pub fn succeeded(command: &Command, status: ExitStatus) -> Result<(), ProcessError> {
    if !status.success() {
        return Err(ProcessError::Failed {
            line: line_of(command),
            status,
        });
    }
    Ok(())
}

/// The error of a command that could not be started.
pub fn not_run(command: &Command, source: io::Error) -> ProcessError {
    ProcessError::NotRun {
        line: line_of(command),
        source,
    }
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    std::iter::once(program.file_name().unwrap_or(program.as_os_str()))
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_named_in_the_error() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("`sh -c exit 3` failed"));
    }

    #[test]
    fn a_command_that_does_not_exist_is_named_in_the_error() {
        let error = run(Command::new("/nowhere/tool").arg("--version")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `tool --version`");
    }
}

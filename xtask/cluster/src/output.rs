//! Running a program for what it says. Quiet, unless it fails: then its last words are the error.

use std::process::{Command, Output};

use sessionstore_fetch::process::not_run;

use crate::ClusterError;

/// What a command writes to standard output.
pub(crate) fn of(command: &mut Command) -> Result<String, ClusterError> {
    let output = command.output().map_err(|error| not_run(command, error))?;
    check(command, &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command that says nothing of interest.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<(), ClusterError> {
    of(Command::new(program).args(args)).map(drop)
}

pub(crate) fn check(command: &Command, output: &Output) -> Result<(), ClusterError> {
    if output.status.success() {
        return Ok(());
    }
    let words = command.get_args().map(|it| it.to_string_lossy());
    let line: Vec<_> = std::iter::once(command.get_program().to_string_lossy())
        .chain(words)
        .collect();
    Err(ClusterError::Refused {
        line: line.join(" "),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

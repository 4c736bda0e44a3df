//! Running other programs so that one sees what they do.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Command, ExitStatus, Stdio},
};

use sessionstore_fetch::process;

/// Runs a command in the open and fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    Ok(process::run(command)?)
}

/// Runs a command and returns what it wrote to standard output; its errors stay in the open.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| process::not_run(command, error))?;
    process::succeeded(command, output.status)?;
    Ok(output.stdout)
}

/// Runs a command in the open while each line of its standard output also goes to `on_line`.
pub(crate) fn tee(
    command: &mut Command,
    mut on_line: impl FnMut(&str),
) -> anyhow::Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| process::not_run(command, error))?;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            io::stdout().write_all(&line)?;
            on_line(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    Ok(child.wait()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tee_hears_every_line_and_the_exit_code() {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 3"]);
        let status = tee(&mut command, |line| heard.push(line.to_owned())).unwrap();
        assert_eq!(heard, ["one", "two"]);
        assert_eq!(status.code(), Some(3));
    }
}

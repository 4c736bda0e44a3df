//! `cargo xtask generate`: the checked-in files that the binary of the service writes.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, bail};

use crate::{cargo, process, workspace};

/// Write the generated files in docs/ anew
///
/// docs/openapi.json comes from `sessionstore openapi`, docs/errors.md from `sessionstore errors`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a file differs from what would be written
    #[arg(long)]
    check: bool,
}

/// A file below the root and the subcommand that prints it.
const GENERATED: [(&str, &str); 2] = [
    ("docs/openapi.json", "openapi"),
    ("docs/errors.md", "errors"),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let server = cargo::build_server()?;
    if args.check {
        return check(&server);
    }
    for (path, subcommand) in GENERATED {
        let path = workspace::root().join(path);
        fs::write(&path, generated(&server, subcommand)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Fails when a checked-in file differs from what the binary prints.
pub(crate) fn check(server: &Path) -> anyhow::Result<()> {
    for (path, subcommand) in GENERATED {
        let printed = generated(server, subcommand)?;
        let kept = fs::read(workspace::root().join(path))
            .with_context(|| format!("cannot read {path}: run `cargo xtask generate`"))?;
        if let Some(line) = first_difference(&kept, &printed) {
            bail!("{path} is stale from line {line} on: run `cargo xtask generate` and commit it");
        }
    }
    Ok(())
}

fn generated(server: &Path, subcommand: &str) -> anyhow::Result<Vec<u8>> {
    process::output_of(Command::new(server).arg(subcommand))
}

/// The number of the first line that differs, counted from 1.
fn first_difference(kept: &[u8], printed: &[u8]) -> Option<usize> {
    if kept == printed {
        return None;
    }
    let same = kept
        .split(|byte| *byte == b'\n')
        .zip(printed.split(|byte| *byte == b'\n'))
        .take_while(|(kept, printed)| kept == printed)
        .count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_have_no_difference() {
        assert_eq!(first_difference(b"a\nb\n", b"a\nb\n"), None);
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(first_difference(b"a\nb\nc\n", b"a\nx\nc\n"), Some(2));
        assert_eq!(first_difference(b"a\n", b"a\nb\n"), Some(2));
        assert_eq!(first_difference(b"", b"a\n"), Some(1));
        assert_eq!(first_difference(b"a\n", b"a"), Some(2));
    }
}

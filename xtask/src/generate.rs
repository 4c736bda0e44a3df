//! `cargo xtask generate`: the checked-in files that the binaries write.

use std::{env::consts::EXE_SUFFIX, fs, path::Path, process::Command};

use anyhow::{Context, bail};

use crate::{cargo, process, workspace};

/// Write the generated files in docs/, crds/ and the chart anew
///
/// docs/openapi.json comes from `sessionstore openapi`, docs/errors.md from `sessionstore errors`,
/// crds/sessionstores.sessionstore.dev.yaml and the chart's copy of it from `sessionstore-operator
/// crd`, and docs/crd.md from `sessionstore-operator crd --markdown`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail when a file differs from what would be written
    #[arg(long)]
    check: bool,
}

/// A file below the root and what prints it.
struct Generated {
    path: &'static str,
    binary: &'static str,
    arguments: &'static [&'static str],
}

const GENERATED: [Generated; 5] = [
    Generated {
        path: "docs/openapi.json",
        binary: "sessionstore",
        arguments: &["openapi"],
    },
    Generated {
        path: "docs/errors.md",
        binary: "sessionstore",
        arguments: &["errors"],
    },
    Generated {
        path: "crds/sessionstores.sessionstore.dev.yaml",
        binary: "sessionstore-operator",
        arguments: &["crd"],
    },
    // A chart can read what is in its own folder only.
    Generated {
        path: "charts/sessionstore-operator/files/sessionstores.sessionstore.dev.yaml",
        binary: "sessionstore-operator",
        arguments: &["crd"],
    },
    Generated {
        path: "docs/crd.md",
        binary: "sessionstore-operator",
        arguments: &["crd", "--markdown"],
    },
];

impl Generated {
    /// What the binary prints now; it is looked for beside that of the service.
    fn print(&self, server: &Path) -> anyhow::Result<Vec<u8>> {
        let binary = server.with_file_name(format!("{}{EXE_SUFFIX}", self.binary));
        process::output_of(Command::new(binary).args(self.arguments))
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let server = cargo::build_programs()?;
    if args.check {
        return check(&server);
    }
    for file in GENERATED {
        let path = workspace::root().join(file.path);
        fs::write(&path, file.print(&server)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Fails when a checked-in file differs from what its binary prints.
pub(crate) fn check(server: &Path) -> anyhow::Result<()> {
    for file in GENERATED {
        let path = file.path;
        let printed = file.print(server)?;
        let kept = fs::read(workspace::root().join(path))
            .with_context(|| format!("cannot read {path}: run `cargo xtask generate`"))?;
        if let Some(line) = first_difference(&kept, &printed) {
            bail!("{path} is stale from line {line} on: run `cargo xtask generate` and commit it");
        }
    }
    Ok(())
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

//! Calling cargo from within `cargo run`, and finding what it built.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use serde::Deserialize;

use crate::{process, workspace};

/// A cargo command at the root of the checkout.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes the package xtask in these. Build scripts that watch them would run
    // again each time cargo is called from here and from a shell in turn.
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace::root()).args(args);
    command
}

/// Builds the service alone, as a developer's `cargo build` does, and returns its binary.
pub(crate) fn build_server() -> anyhow::Result<PathBuf> {
    build(
        "sessionstore",
        ["build", "--package", "sessionstore-service"],
    )
}

/// Builds all programs of the workspace and returns the binary of the service; the others are in
/// the same folder. All of them, so that dependencies have the features that the tests need too,
/// and are not compiled twice.
pub(crate) fn build_programs() -> anyhow::Result<PathBuf> {
    build("sessionstore", ["build", "--workspace", "--bins"])
}

/// Builds the service and the load generator for release, and returns the binary of the former. These
/// two alone: the operator's dependencies would take longer than a short run of the benchmark.
pub(crate) fn build_bench() -> anyhow::Result<PathBuf> {
    build(
        "sessionstore",
        [
            "build",
            "--release",
            "--package",
            "sessionstore-service",
            "--package",
            "sessionstore-bench",
        ],
    )
}

/// Builds all programs of the workspace with the release profile.
pub(crate) fn build_release() -> anyhow::Result<PathBuf> {
    build(
        "sessionstore",
        ["build", "--release", "--workspace", "--bins"],
    )
}

/// Builds all tests of the workspace and returns the binary of the service that goes with them.
///
/// One build for both: a build of the service alone has other dependency features than a build
/// of everything, so that half of the dependencies would be compiled twice.
pub(crate) fn build_tests() -> anyhow::Result<PathBuf> {
    build(
        "sessionstore",
        ["build", "--workspace", "--bins", "--tests"],
    )
}

fn build<const N: usize>(binary: &str, args: [&str; N]) -> anyhow::Result<PathBuf> {
    let mut command = cargo(args);
    command.arg("--message-format=json-render-diagnostics");
    let messages = process::output_of(&mut command)?;
    String::from_utf8_lossy(&messages)
        .lines()
        .find_map(|message| executable(message, binary))
        .with_context(|| format!("`cargo {}` built no binary {binary}", args.join(" ")))
}

/// The file of `binary` if this message of cargo says that it was built, and not as a test.
fn executable(message: &str, binary: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        profile: Profile,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Profile {
        test: bool,
    }
    let Artifact {
        target,
        profile,
        executable,
    } = serde_json::from_str(message).ok()?;
    let wanted = target.name == binary && target.kind == ["bin"] && !profile.test;
    executable.filter(|_| wanted)
}

/// The options of cargo that compile the service optimised and leave all else as it is built
/// already: debug assertions and overflow checks stay on, no dependency is compiled again.
pub(crate) const OPTIMISED_SERVICE: [&str; 2] = [
    "--config",
    "profile.dev.package.sessionstore-service.opt-level=2",
];

/// A cargo command whose tests find the server to start in `SESSIONSTORE_BIN`.
pub(crate) fn with_server(mut command: Command, server: &Path) -> Command {
    command.env("SESSIONSTORE_BIN", server);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, test: bool) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"sessionstore"}},
               "profile":{{"test":{test}}},"executable":"/t/sessionstore"}}"#
        )
    }

    #[test]
    fn the_binary_is_found_among_the_messages_of_cargo() {
        let found = executable(&message("bin", false), "sessionstore");
        assert_eq!(found, Some("/t/sessionstore".into()));
    }

    #[test]
    fn neither_its_unit_tests_nor_another_target_are_taken_for_the_binary() {
        assert_eq!(executable(&message("bin", true), "sessionstore"), None);
        assert_eq!(executable(&message("lib", false), "sessionstore"), None);
        assert_eq!(executable(&message("bin", false), "other"), None);
        assert_eq!(
            executable("{\"reason\":\"build-finished\"}", "sessionstore"),
            None
        );
    }
}

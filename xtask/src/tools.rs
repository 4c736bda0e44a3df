//! The tools and data that the chores need besides Rust, in pinned versions; how they are fetched
//! and kept is in `sessionstore-fetch`.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use sessionstore_fetch::{ensure, system_python};
use sessionstore_replica_set::mongod;

use crate::{cargo::cargo, process, workspace};

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
const CORPUS: &str = include_str!("../python/corpus.txt");
const CARGO_DENY: &str = "cargo-deny@0.20.2";
/// Debian 12 has 2.42 and its fixes; older ones are not kept there, so no version is named.
const PROMETHEUS: &str = "prometheus";

pub(crate) fn fetch_all() -> anyhow::Result<()> {
    for tool in [
        schemathesis()?,
        corpus()?,
        cargo_deny()?,
        mongod()?,
        prometheus()?,
    ] {
        println!("{}", tool.display());
    }
    Ok(())
}

/// The command `schemathesis`.
pub(crate) fn schemathesis() -> anyhow::Result<PathBuf> {
    Ok(python_tools()?.join("bin/schemathesis"))
}

/// The folder with one folder of dialogues for each language.
pub(crate) fn corpus() -> anyhow::Result<PathBuf> {
    let python = python_tools()?.join("bin/python");
    let folder = ensure("corpus", CORPUS, |folder| {
        let mut pip = pip_install(&python, "corpus.txt");
        process::run(pip.arg("--no-deps").arg("--target").arg(folder))
    })?;
    Ok(folder.join("chatterbot_corpus/data"))
}

/// The command `cargo-deny`, compiled here without optimisation: one minute on two cores instead
/// of three, and fast enough for one run.
pub(crate) fn cargo_deny() -> anyhow::Result<PathBuf> {
    let folder = ensure("cargo-deny", CARGO_DENY, |folder| {
        let mut install = cargo(["install", "--debug", "--locked", CARGO_DENY, "--root"]);
        process::run(install.arg(folder))
    })?;
    Ok(folder.join("bin/cargo-deny"))
}

/// The folder with `prometheus` and `promtool`, out of Debian's package: unpacked, not installed, so
/// that nothing is started.
pub(crate) fn prometheus() -> anyhow::Result<PathBuf> {
    let folder = ensure("prometheus", PROMETHEUS, |folder| {
        std::fs::create_dir_all(folder)?;
        process::run(
            Command::new("apt-get")
                .stdout(io::stderr())
                .current_dir(folder)
                // The cache may be root's alone.
                .args(["--option", "APT::Sandbox::User=root"])
                .args(["--quiet", "--quiet", "download", PROMETHEUS]),
        )?;
        for package in std::fs::read_dir(folder)? {
            let package = package?.path();
            let mut unpack = Command::new("dpkg-deb");
            process::run(unpack.arg("--extract").arg(&package).arg(folder))?;
            std::fs::remove_file(package)?;
        }
        anyhow::Ok(())
    })
    .context("promtool comes from Debian's package prometheus (`apt-get update` first?)")?;
    Ok(folder.join("usr/bin"))
}

/// The command `python` of the environment that has Starlark.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    Ok(python_tools()?.join("bin/python"))
}

/// A virtual environment with the Python tools.
fn python_tools() -> anyhow::Result<PathBuf> {
    ensure("python", REQUIREMENTS, |folder| {
        process::run(
            Command::new(system_python()?)
                .args(["-m", "venv"])
                .arg(folder),
        )?;
        process::run(&mut pip_install(
            &folder.join("bin/python"),
            "requirements.txt",
        ))
    })
}

/// Wheels only: nothing that is fetched runs code of its own while it is installed.
fn pip_install(python: &Path, requirements: &str) -> Command {
    let mut command = Command::new(python);
    command
        // Standard output may be the dialogues.
        .stdout(io::stderr())
        .args(["-m", "pip", "install", "--disable-pip-version-check"])
        .args(["--require-hashes", "--only-binary=:all:", "--requirement"])
        .arg(workspace::root().join("xtask/python").join(requirements));
    if !io::stderr().is_terminal() {
        // A hundred lines that nobody watches.
        command.arg("--quiet");
    }
    command
}

//! The tools and data that the chores need besides Rust, in pinned versions; how they are fetched
//! and kept is in `sessionstore-fetch`.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
};

use sessionstore_fetch::{ensure, prometheus, system_python};
use sessionstore_replica_set::mongod;

use crate::{cargo::cargo, process, workspace};

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
const CORPUS: &str = include_str!("../python/corpus.txt");
const CARGO_DENY: &str = "cargo-deny@0.20.2";

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

//! The tools and data that the chores need besides Rust, in pinned versions; how they are fetched
//! and kept is in `sessionstore-fetch`.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::Command,
};

use sessionstore_cluster::client_tools;
use sessionstore_fetch::{ensure, prometheus, system_python};
use sessionstore_replica_set::mongod;

use crate::{cargo::cargo, process, workspace};

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
const CORPUS: &str = include_str!("../python/corpus.txt");
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Those first that the test suite needs first.
pub(crate) fn fetch_all() -> anyhow::Result<()> {
    type Fetch = fn() -> anyhow::Result<PathBuf>;
    let all: [Fetch; 6] = [
        || Ok(mongod()?),
        corpus,
        schemathesis,
        || Ok(prometheus()?),
        kubernetes,
        cargo_deny,
    ];
    for fetch in all {
        println!("{}", fetch()?.display());
    }
    Ok(())
}

/// The folder with `kubectl` and `helm`, compiled with all else that a local cluster is made of.
pub(crate) fn kubernetes() -> anyhow::Result<PathBuf> {
    Ok(client_tools(&|step| eprintln!("{step}"))?)
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

//! Fetching what tests and chores need besides Rust, in pinned versions, into the cache.
//!
//! Every tool has a recipe: the text that decides what is installed. It is written into the
//! tool's folder when the installation is complete, so that one that was broken off or has
//! another recipe is made anew, and a finished one costs nothing.

use std::{
    fs::{self, File},
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{cargo::cargo, process, workspace};

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
const CORPUS: &str = include_str!("../python/corpus.txt");
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Of schemathesis, the most demanding of the Python tools.
const PYTHON_IS_USABLE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";

pub(crate) fn fetch_all() -> anyhow::Result<()> {
    for tool in [schemathesis()?, corpus()?, cargo_deny()?] {
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

/// Returns the folder `name` of the cache with what `recipe` describes, installing it if needed.
fn ensure(
    name: &str,
    recipe: &str,
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    ensure_in(&workspace::cache()?, name, recipe, install)
}

fn ensure_in(
    cache: &Path,
    name: &str,
    recipe: &str,
    install: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // Two runs at once must not install into one folder; the lock goes with the file.
    let lock = File::create(cache.join(format!(".{name}.lock")))?;
    lock.lock()?;

    let folder = cache.join(name);
    let done = folder.join(".installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == recipe) {
        return Ok(folder);
    }
    eprintln!("fetching {name} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    install(&folder)?;
    fs::write(done, recipe)?;
    Ok(folder)
}

/// A Python that can make virtual environments; installed first where the system lacks it.
fn system_python() -> anyhow::Result<&'static str> {
    let usable = || {
        ["python3", "/usr/bin/python3"]
            .into_iter()
            .find(|python| process::works(Command::new(python).args(["-c", PYTHON_IS_USABLE])))
    };
    if let Some(python) = usable() {
        return Ok(python);
    }
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root || !process::works(Command::new("apt-get").arg("--version")) {
        bail!(
            "needs Python 3.11 or newer with venv and pip; on Debian: apt-get install python3-venv python3-pip"
        );
    }
    process::run(apt_get().arg("update"))?;
    process::run(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(["python3", "python3-venv", "python3-pip"]),
    )?;
    usable().context("the system's Python is older than 3.11")
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .stdout(io::stderr())
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(cache: &Path, recipe: &str) -> bool {
        let mut installed = false;
        ensure_in(cache, "tool", recipe, |folder| {
            installed = true;
            Ok(fs::create_dir(folder)?)
        })
        .unwrap();
        installed
    }

    #[test]
    fn a_tool_is_installed_once() {
        let cache = tempfile::tempdir().unwrap();
        assert!(install(cache.path(), "1.0"));
        assert!(!install(cache.path(), "1.0"));
    }

    #[test]
    fn another_recipe_installs_anew() {
        let cache = tempfile::tempdir().unwrap();
        assert!(install(cache.path(), "1.0"));
        fs::write(cache.path().join("tool/old"), "").unwrap();
        assert!(install(cache.path(), "1.1"));
        assert!(!cache.path().join("tool/old").exists());
    }

    #[test]
    fn a_broken_installation_is_not_taken_for_a_tool() {
        let cache = tempfile::tempdir().unwrap();
        let broken = ensure_in(cache.path(), "tool", "1.0", |folder| {
            fs::create_dir(folder)?;
            bail!("the network is gone")
        });
        assert!(broken.is_err());
        assert!(install(cache.path(), "1.0"));
    }
}

//! What the system has to bring: a usable Python, and libraries. Installed where it lacks them,
//! by Debian's packages, when this process may.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    FetchError,
    cache::{cache, ensure, unusable},
    process,
};

/// Of schemathesis, the most demanding of the Python tools.
const PYTHON_IS_USABLE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";

/// A Python that can make virtual environments; installed first where the system lacks it.
///
/// # Errors
///
/// [`FetchError`] when there is none and it cannot be installed.
pub fn system_python() -> Result<&'static str, FetchError> {
    const WHAT: &str = "Python 3.11 or newer with venv and pip";
    if let Some(python) = usable_python() {
        return Ok(python);
    }
    apt_install(WHAT, &["python3", "python3-venv", "python3-pip"])?;
    usable_python().ok_or(FetchError::TooOld { what: WHAT })
}

fn usable_python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(|python| process::works(Command::new(python).args(["-c", PYTHON_IS_USABLE])))
}

/// Installs Debian's `packages`, which bring `what`.
///
/// # Errors
///
/// [`FetchError::Missing`] where this process may not, otherwise what the installation says.
pub fn apt_install(what: &'static str, packages: &[&str]) -> Result<(), FetchError> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root || !process::works(Command::new("apt-get").arg("--version")) {
        return Err(FetchError::Missing {
            what,
            packages: packages.join(" "),
        });
    }
    let _turn = turn()?;
    process::run(apt_get().arg("update"))?;
    process::run(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )?;
    Ok(())
}

/// The folder with `prometheus` and `promtool`, out of Debian's package: unpacked, not installed, so
/// that nothing is started.
///
/// # Errors
///
/// [`FetchError`] when the package cannot be fetched.
pub fn prometheus() -> Result<PathBuf, FetchError> {
    /// Debian 12 has 2.42 and its fixes; older ones are not kept there, so no version is named.
    const PACKAGE: &str = "prometheus";
    let folder = ensure(PACKAGE, PACKAGE, |folder| unpack(PACKAGE, folder))?;
    Ok(folder.join("usr/bin"))
}

fn unpack(package: &str, folder: &Path) -> Result<(), FetchError> {
    fs::create_dir_all(folder).map_err(unusable(folder))?;
    let download = || {
        let mut download = apt_get();
        download
            .current_dir(folder)
            // The cache may be root's alone.
            .args(["--option", "APT::Sandbox::User=root"])
            .args(["--quiet", "--quiet", "download", package]);
        process::run(&mut download)
    };
    let _turn = turn()?;
    if download().is_err() {
        // A machine that is new has no list of packages, or one that is old.
        process::run(apt_get().arg("update"))?;
        download()?;
    }
    for archive in fs::read_dir(folder).map_err(unusable(folder))? {
        let archive = archive.map_err(unusable(folder))?.path();
        let mut extract = Command::new("dpkg-deb");
        process::run(extract.arg("--extract").arg(&archive).arg(folder))?;
        fs::remove_file(&archive).map_err(unusable(&archive))?;
    }
    Ok(())
}

/// Held while apt runs: it does not wait for another one of itself, but fails.
fn turn() -> Result<File, FetchError> {
    let cache = cache()?;
    fs::create_dir_all(&cache).map_err(unusable(&cache))?;
    let path = cache.join(".apt.lock");
    let lock = File::create(&path).map_err(unusable(&path))?;
    lock.lock().map_err(unusable(&path))?;
    Ok(lock)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .stdout(io::stderr())
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

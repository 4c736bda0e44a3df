//! The data folder: who may use it, which schema is in it, whether there is room. Not what is in
//! the data.
//!
//! ```text
//! lock     held for as long as a process uses the folder
//! store/   the data (a fjall database), and `schema`: the version of its layout
//! new/     a store that is being made; what a killed process left of one is thrown away
//! probe    written and removed to see whether the disk takes data again
//! ```

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::store::embedded::error::OpenError;

const LOCK: &str = "lock";
const STORE: &str = "store";
const NEW: &str = "new";
const PROBE: &str = "probe";
/// Every freshly made ext4 volume has it: a mounted empty volume is an empty folder.
const LOST_AND_FOUND: &str = "lost+found";

const SCHEMA_FILE: &str = "schema";
const SCHEMA_PREFIX: &str = "sessionstore embedded schema ";
/// The layout of keys and values that this program writes. Raised by every change that an older
/// program would misread.
pub(super) const SCHEMA: u32 = 1;

/// Room that has to be there before a store that ran out of it is opened again, in bytes: enough
/// to write out every memtable once.
const ROOM: usize = 16 * 1024 * 1024;

/// A data folder that this process holds.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// An advisory lock (`flock`): the system releases it with the process, however that ends.
    _lock: File,
}

impl Folder {
    /// Takes hold of the folder; makes it, and an empty store in it by `make`, if there is none.
    pub(super) fn open(
        path: &Path,
        make: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        if path.try_exists().map_err(io)? && !path.is_dir() {
            return Err(OpenError::NotAFolder(path.to_owned()));
        }
        fs::create_dir_all(path).map_err(io)?;
        if is_foreign(path).map_err(io)? {
            return Err(OpenError::Foreign(path.to_owned()));
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock(path)?,
        };
        if folder.store().try_exists().map_err(io)? {
            folder.check_schema()?;
        } else {
            folder.make(make)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the data is.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// Writes some bytes and removes them again: fails as a write of the store would.
    pub(super) fn probe(&self) -> io::Result<()> {
        let path = self.path.join(PROBE);
        let result = File::create(&path).and_then(|mut file| {
            let chunk = [1; 8 * 1024];
            for _ in 0..ROOM / chunk.len() {
                file.write_all(&chunk)?;
            }
            file.sync_data()
        });
        let removed = fs::remove_file(&path);
        result.and(removed)
    }

    /// Makes a store beside its place and moves it there whole, so that a kill at any moment
    /// leaves either none or a complete one.
    fn make(&self, make: impl FnOnce(&Path) -> Result<(), OpenError>) -> Result<(), OpenError> {
        let io = |source| OpenError::Io {
            path: self.path.clone(),
            source,
        };
        let new = self.path.join(NEW);
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        fs::create_dir(&new).map_err(io)?;
        make(&new)?;
        let publish = || {
            let mut schema = File::create_new(new.join(SCHEMA_FILE))?;
            writeln!(schema, "{SCHEMA_PREFIX}{SCHEMA}")?;
            schema.sync_all()?;
            sync_folder(&new)?;
            fs::rename(&new, self.store())?;
            sync_folder(&self.path)?;
            // The folder itself may be new, too.
            let parent = self.path.canonicalize()?;
            parent.parent().map_or(Ok(()), sync_folder)
        };
        publish().map_err(io)
    }

    fn check_schema(&self) -> Result<(), OpenError> {
        let text = fs::read_to_string(self.store().join(SCHEMA_FILE)).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                OpenError::Foreign(self.path.clone())
            } else {
                OpenError::Io {
                    path: self.path.clone(),
                    source,
                }
            }
        })?;
        let version = text.strip_prefix(SCHEMA_PREFIX).map(str::trim_end);
        match version.map(str::parse) {
            Some(Ok(SCHEMA)) => Ok(()),
            Some(Ok(found)) if found > SCHEMA => Err(OpenError::Newer {
                path: self.path.clone(),
                found: found.to_string(),
                known: SCHEMA,
            }),
            _ => Err(OpenError::Damaged {
                path: self.path.clone(),
                what: format!("the file {SCHEMA_FILE} says {:?}", text.trim_end()),
            }),
        }
    }
}

fn is_foreign(path: &Path) -> io::Result<bool> {
    if path.join(STORE).try_exists()? {
        return Ok(false);
    }
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if ![LOCK, NEW, PROBE, LOST_AND_FOUND]
            .iter()
            .any(|ours| name == **ours)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::create(path.join(LOCK)).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<Folder, OpenError> {
        Folder::open(path, |_| Ok(()))
    }

    fn message(path: &Path) -> String {
        open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_is_made_with_its_parents_and_opens_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        drop(open(&path).unwrap());
        let folder = Folder::open(&path, |_| panic!("made twice")).unwrap();
        assert!(folder.probe().is_ok());
        assert!(!path.join(PROBE).exists());
    }

    #[test]
    fn a_fresh_volume_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(LOST_AND_FOUND)).unwrap();
        assert!(open(dir.path()).is_ok());
    }

    #[test]
    fn a_second_user_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        assert!(message(dir.path()).contains("in use by another process"));
        drop(first);
        assert!(open(dir.path()).is_ok());
    }

    #[test]
    fn what_a_killed_maker_left_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(NEW)).unwrap();
        fs::write(dir.path().join(NEW).join("half"), "x").unwrap();
        let folder = open(dir.path()).unwrap();
        assert!(!folder.store().join("half").exists());
    }

    #[test]
    fn a_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "x").unwrap();
        assert!(message(&path).contains("is not a folder"));
    }

    #[test]
    fn a_folder_of_something_else_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.doc"), "x").unwrap();
        assert!(message(dir.path()).contains("holds something else"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(STORE)).unwrap();
        assert!(message(dir.path()).contains("holds something else"));
    }

    #[test]
    fn a_newer_schema_is_refused_and_a_garbled_one_too() {
        let dir = tempfile::tempdir().unwrap();
        let schema = open(dir.path()).unwrap().store().join(SCHEMA_FILE);
        fs::write(&schema, "sessionstore embedded schema 2\n").unwrap();
        let refusal = message(dir.path());
        assert!(refusal.contains("a newer version (its schema is 2, this one knows up to 1)"));
        fs::write(&schema, "sessionstore embedded schema\n").unwrap();
        assert!(message(dir.path()).contains("is damaged"));
    }
}

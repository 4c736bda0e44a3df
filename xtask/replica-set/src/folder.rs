//! The folder of a set: key file, and one folder with data and log for each member.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{SetError, guardian::Afterwards};

const PREFIX: &str = "sessionstore-mongo-";

/// Makes the folder of a set, and says what becomes of it.
pub(crate) fn make(wanted: Option<&Path>) -> Result<(PathBuf, Afterwards), SetError> {
    let Some(folder) = wanted else {
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .map_err(SetError::system("make a folder for temporary files"))?;
        return Ok((folder.keep(), Afterwards::Remove));
    };
    fs::create_dir_all(folder).map_err(SetError::file(folder))?;
    let folder = folder.canonicalize().map_err(SetError::file(folder))?;
    let mut content = fs::read_dir(&folder).map_err(SetError::file(&folder))?;
    if content.next().is_some() {
        return Err(SetError::FolderInUse { path: folder });
    }
    Ok((folder, Afterwards::Keep))
}

/// Writes the members' key as mongod wants it, readable by nobody else, unless it is there.
pub(crate) fn write_key(folder: &Path, key: &str) -> Result<PathBuf, SetError> {
    let path = folder.join("key");
    if path.exists() {
        return Ok(path);
    }
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(&path)
        .map_err(SetError::file(&path))?;
    file.write_all(key.as_bytes())
        .map_err(SetError::file(&path))?;
    Ok(path)
}

//! What a standing set remembers of itself between two runs: ports and passwords, in its folder.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{SetError, secret};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) first_port: u16,
    pub(super) root_password: String,
    pub(super) service_password: String,
    pub(super) key: String,
}

impl Record {
    /// Reads the record of a folder; `None` where there is none yet.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, SetError> {
        let path = path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(SetError::file(&path))?;
        let record = serde_json::from_slice(&text);
        record.map(Some).map_err(|error| SetError::File {
            path,
            source: error.into(),
        })
    }

    /// Makes up a new one and writes it down, before anything depends on it.
    pub(super) fn make(folder: &Path, first_port: u16) -> Result<Self, SetError> {
        let record = Self {
            first_port,
            root_password: secret::random(secret::PASSWORD_LENGTH),
            service_password: secret::random(secret::PASSWORD_LENGTH),
            key: secret::random(secret::KEY_LENGTH),
        };
        let path = path(folder);
        let text = serde_json::to_vec_pretty(&record)?;
        // Under another name first: half a record would lock everybody out of the data.
        let draft = folder.join("set.json.draft");
        File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(SetError::file(&path))?;
        Ok(record)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("set.json")
}

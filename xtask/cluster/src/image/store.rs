//! The built images in the cache: one archive each, and what it was built from.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    ClusterError,
    folder::{Lock, write},
};

use super::{Image, archive, folder};

/// An image that can be loaded.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) archive: PathBuf,
    pub(crate) digest: String,
    pub(crate) bytes: u64,
}

/// What is known of an archive without reading it.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    fingerprint: String,
    digest: String,
    bytes: u64,
}

pub(super) fn build(image: &Image) -> Result<Built, ClusterError> {
    let file = image.name.replace(['/', ':'], "_");
    let folder = folder()?;
    let path = |ending: &str| folder.join(format!("{file}.{ending}"));
    let (archive, note) = (path("tar"), path("json"));
    let _lock = Lock::wait(&folder.join(&file))?;

    let tree = image
        .tree
        .fingerprint()
        .map_err(ClusterError::file(&archive))?;
    let fingerprint = format!("{tree} {:?}", image.start);
    let known: Option<Note> = fs::read(&note)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let note = match known {
        Some(known) if known.fingerprint == fingerprint && archive.exists() => known,
        _ => {
            let (draft, scratch) = (path("draft"), path("scratch"));
            let sealed = archive::write(&draft, &scratch, &image.name, &image.tree, &image.start)
                .and_then(|sealed| {
                    fs::remove_file(&scratch)?;
                    fs::rename(&draft, &archive)?;
                    Ok(sealed)
                })
                .map_err(ClusterError::file(&archive))?;
            let built = Note {
                fingerprint,
                digest: sealed.digest,
                bytes: sealed.bytes,
            };
            let text = serde_json::to_string(&built)
                .map_err(ClusterError::answer("the note of an image"))?;
            write(&note, &text)?;
            built
        }
    };
    Ok(Built {
        name: image.name.clone(),
        archive,
        digest: note.digest,
        bytes: note.bytes,
    })
}

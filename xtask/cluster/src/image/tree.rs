//! The files of an image.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::hex;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Folder { mode: u32, owner: u32 },
    File { source: PathBuf, mode: u32 },
    Text(&'static str),
    Link(String),
}

/// Files by their path, without the slash at the start; sorted, so that the same files always
/// make the same archive.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    pub(super) fn folder(&mut self, path: &str, mode: u32, owner: u32) {
        self.put(path, Entry::Folder { mode, owner });
    }

    pub(super) fn file(&mut self, path: &str, source: &Path, mode: u32) {
        let source = source.to_owned();
        self.put(path, Entry::File { source, mode });
    }

    pub(super) fn text(&mut self, path: &str, text: &'static str) {
        self.put(path, Entry::Text(text));
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Entry::Link(target.to_owned()));
    }

    /// With the folders above it, which in an archive come before what is in them.
    fn put(&mut self, path: &str, entry: Entry) {
        let path = path.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            self.entries
                .entry(path[..end].to_owned())
                .or_insert(Entry::Folder {
                    mode: 0o755,
                    owner: 0,
                });
        }
        self.entries.insert(path.to_owned(), entry);
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// Changes whenever the tree or one of its files may have changed; costs no reading.
    pub(super) fn fingerprint(&self) -> io::Result<String> {
        let mut hash = Sha256::new();
        for (path, entry) in &self.entries {
            hash.update(format!("{path}\0{entry:?}\0"));
            if let Entry::File { source, .. } = entry {
                let file = fs::metadata(source)?;
                let (size, changed) = (file.size(), (file.mtime(), file.mtime_nsec()));
                hash.update(format!("{size} {changed:?} {}\0", file.ino()));
            }
        }
        Ok(hex(&hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut tree = Tree::default();
        tree.text("/etc/ssl/a", "");
        tree.link("/bin/sh", "busybox");
        let paths: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, ["bin", "bin/sh", "etc", "etc/ssl", "etc/ssl/a"]);
    }

    #[test]
    fn a_folder_keeps_its_owner_when_something_is_put_into_it() {
        let mut tree = Tree::default();
        tree.folder("/data", 0o755, 999);
        tree.text("/data/a", "");
        let data = tree.entries().next().unwrap();
        assert_eq!(
            data,
            (
                "data",
                &Entry::Folder {
                    mode: 0o755,
                    owner: 999
                }
            )
        );
    }

    #[test]
    fn the_fingerprint_follows_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("a");
        fs::write(&source, "one").unwrap();
        let mut tree = Tree::default();
        tree.file("/a", &source, 0o755);
        let first = tree.fingerprint().unwrap();
        assert_eq!(tree.fingerprint().unwrap(), first);
        fs::write(&source, "three").unwrap();
        assert_ne!(tree.fingerprint().unwrap(), first);
    }
}

//! The archive of an image: a tar file of the OCI layout, with one layer. Nothing in it depends on
//! when or where it is made, so that its digest is that of its content.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::hex;

use super::{
    Start,
    tree::{Entry, Tree},
};

/// What an archive turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    /// The digest of the image's manifest: `sha256:…`.
    pub(super) digest: String,
    /// The size of its layer.
    pub(super) bytes: u64,
}

/// Writes the archive of an image to `path`; `scratch` is a file that it may use meanwhile.
pub(super) fn write(
    path: &Path,
    scratch: &Path,
    name: &str,
    tree: &Tree,
    start: &Start,
) -> io::Result<Sealed> {
    let (layer, bytes) = write_layer(scratch, tree)?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "User": start.user,
            "Env": start.env,
            "Entrypoint": start.entrypoint,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    })
    .to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(config.as_bytes()),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer,
            "size": bytes,
        }],
    })
    .to_string();
    let manifest_digest = digest(manifest.as_bytes());
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest_digest,
            "size": manifest.len(),
            "platform": {"architecture": architecture(), "os": "linux"},
            "annotations": {"io.containerd.image.name": name},
        }],
    })
    .to_string();

    let mut archive = Builder::new(BufWriter::new(File::create(path)?));
    put(
        &mut archive,
        "oci-layout",
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    put(&mut archive, "index.json", index.as_bytes())?;
    put(&mut archive, &blob(&manifest_digest), manifest.as_bytes())?;
    put(
        &mut archive,
        &blob(&digest(config.as_bytes())),
        config.as_bytes(),
    )?;
    let mut header = header(EntryType::Regular, 0o644, 0);
    header.set_size(bytes);
    archive.append_data(&mut header, blob(&layer), File::open(scratch)?)?;
    archive.into_inner()?.flush()?;
    Ok(Sealed {
        digest: manifest_digest,
        bytes,
    })
}

/// Writes the layer and returns its digest and size.
fn write_layer(path: &Path, tree: &Tree) -> io::Result<(String, u64)> {
    let mut layer = Builder::new(Hashing {
        inner: BufWriter::new(File::create(path)?),
        hash: Sha256::new(),
        bytes: 0,
    });
    for (path, entry) in tree.entries() {
        match entry {
            Entry::Folder { mode, owner } => {
                let mut header = header(EntryType::Directory, *mode, *owner);
                layer.append_data(&mut header, path, io::empty())?;
            }
            Entry::File { source, mode } => {
                let file = File::open(source)?;
                let mut header = header(EntryType::Regular, *mode, 0);
                header.set_size(file.metadata()?.len());
                layer.append_data(&mut header, path, file)?;
            }
            Entry::Text(text) => put(&mut layer, path, text.as_bytes())?,
            Entry::Link(target) => {
                let mut header = header(EntryType::Symlink, 0o777, 0);
                layer.append_link(&mut header, path, target)?;
            }
        }
    }
    let mut written = layer.into_inner()?;
    written.flush()?;
    let hash = hex(&written.hash.finalize());
    Ok((format!("sha256:{hash}"), written.bytes))
}

fn put(archive: &mut Builder<impl Write>, path: &str, content: &[u8]) -> io::Result<()> {
    let mut header = header(EntryType::Regular, 0o644, 0);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path, content)
}

fn header(kind: EntryType, mode: u32, owner: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner.into());
    header.set_gid(owner.into());
    header.set_mtime(0);
    header.set_size(0);
    header
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

/// Where a blob of this digest lies in a layout.
fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// As Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(content)?;
        self.hash.update(&content[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, io::Read};

    use serde_json::Value;

    use super::*;

    fn tree(source: &Path) -> Tree {
        let mut tree = Tree::default();
        tree.file("/usr/bin/tool", source, 0o755);
        tree.folder("/tmp", 0o1777, 0);
        tree.link("/bin/sh", "busybox");
        tree
    }

    fn start() -> Start {
        Start {
            entrypoint: vec!["/usr/bin/tool".to_owned()],
            env: vec!["A=1".to_owned()],
            user: "65532:65532".to_owned(),
        }
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(path, content);
        }
        files
    }

    /// The archive of a tool with this content, and what it turned out to be.
    fn archive(content: &str) -> (Vec<u8>, Sealed) {
        let folder = tempfile::tempdir().unwrap();
        let [source, path, scratch] =
            ["tool", "archive", "scratch"].map(|it| folder.path().join(it));
        fs::write(&source, content).unwrap();
        let sealed = write(
            &path,
            &scratch,
            "localhost/tool:1",
            &tree(&source),
            &start(),
        )
        .unwrap();
        (fs::read(path).unwrap(), sealed)
    }

    #[test]
    fn the_same_files_make_the_same_image() {
        assert_eq!(archive("one"), archive("one"));
        assert_ne!(archive("one").1.digest, archive("two").1.digest);
    }

    #[test]
    fn every_blob_is_named_by_its_digest() {
        let files = files(&archive("one").0);
        let blobs: Vec<_> = files
            .iter()
            .filter(|(path, _)| path.starts_with("blobs/"))
            .collect();
        assert_eq!(blobs.len(), 3);
        for (path, content) in blobs {
            assert_eq!(*path, blob(&digest(content)));
        }
    }

    #[test]
    fn the_index_leads_to_the_name_and_the_files() {
        let (bytes, sealed) = archive("one");
        let files = files(&bytes);
        let json = |path: &str| -> Value { serde_json::from_slice(&files[path]).unwrap() };
        let index = json("index.json");
        let entry = &index["manifests"][0];
        assert_eq!(
            entry["annotations"]["io.containerd.image.name"],
            "localhost/tool:1"
        );
        assert_eq!(entry["digest"], sealed.digest.as_str());

        let manifest = json(&blob(&sealed.digest));
        let config = json(&blob(manifest["config"]["digest"].as_str().unwrap()));
        assert_eq!(config["config"]["User"], "65532:65532");
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], layer);

        let layer = self::files(&files[&blob(layer)]);
        assert_eq!(layer["usr/bin/tool"], b"one");
        assert!(layer.contains_key("tmp/") || layer.contains_key("tmp"));
    }
}

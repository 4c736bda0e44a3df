//! The folder of a cluster: all that it writes, but for what it runs.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{ClusterError, limits, network};

/// The paths in the folder of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.root.join("cluster.json")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The kubeconfig of somebody, or the one for people with `admin`.
    pub(crate) fn kubeconfig(&self, who: &str) -> PathBuf {
        self.root.join(format!("kubeconfig/{who}.yaml"))
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.root.join("etcd")
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.root.join("audit.log")
    }

    pub(crate) fn audit_policy(&self) -> PathBuf {
        self.root.join("audit-policy.yaml")
    }

    /// Says which manifests the API server has got.
    pub(crate) fn applied(&self) -> PathBuf {
        self.root.join("applied")
    }

    pub(crate) fn log(&self, part: &str) -> PathBuf {
        self.root.join(format!("logs/{part}.log"))
    }

    /// The configuration of a node.
    pub(crate) fn node(&self, number: usize) -> PathBuf {
        self.root.join(network::node_name(number))
    }

    /// What a node sees as /run, /var/lib and /var/log.
    pub(crate) fn node_root(&self, number: usize) -> PathBuf {
        self.node(number).join("root")
    }

    /// The socket of a node's containerd, as seen from the machine.
    pub(crate) fn containerd(&self, number: usize) -> PathBuf {
        self.node_root(number)
            .join("run/containerd/containerd.sock")
    }

    /// The last lines of a part's log.
    pub(crate) fn log_end(&self, part: &str) -> String {
        let read = || {
            let mut file = File::open(self.log(part))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(
                length.saturating_sub(limits::SHOWN_LOG_BYTES),
            ))?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            io::Result::Ok(end)
        };
        let end = read().unwrap_or_default();
        String::from_utf8_lossy(&end).trim().to_owned()
    }
}

/// Writes a file, readable by its owner alone, with the folders above it. Nobody ever sees half
/// of it. A file that says the same already stays as it is: kube-proxy ends when its
/// configuration is touched.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), ClusterError> {
    if fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&draft, path)
    };
    write().map_err(ClusterError::file(path))
}

/// One process at a time changes what lies at `path`. The lock is a file beside it, since what is
/// changed comes and goes.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Waits for its turn.
    pub(crate) fn wait(path: &Path) -> Result<Self, ClusterError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let lock = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            loop {
                let file = File::create(&path)?;
                file.lock()?;
                // The one before may have removed it meanwhile, and locked is only what is gone.
                let is_it = fs::metadata(&path).is_ok_and(|it| it.ino() == file_number(&file));
                if is_it {
                    return io::Result::Ok(file);
                }
            }
        };
        let file = lock().map_err(ClusterError::file(&path))?;
        Ok(Self { path, _file: file })
    }

    /// Lets the next one in, and leaves no file.
    pub(crate) fn remove(self) {
        // It is only a file too many.
        let _ = fs::remove_file(&self.path);
    }
}

fn file_number(file: &File) -> u64 {
    file.metadata().map_or(0, |it| it.ino())
}

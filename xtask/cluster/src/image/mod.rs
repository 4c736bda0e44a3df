//! Container images without a container engine: a file tree becomes an archive of the OCI layout,
//! which a node's containerd imports.
//!
//! An image is known by the digest of its content. One that is built again from the same files is
//! the same, to the bit, and nothing is written or loaded.

mod archive;
mod closure;
mod store;
mod tree;

use std::path::{Path, PathBuf};

use crate::{ClusterError, programs::Programs};

pub(crate) use store::Built;
use tree::Tree;

/// The user that the images of this project run as.
const NONROOT: u32 = 65532;

/// What goes into an image, and how it is started.
#[derive(Debug)]
pub struct Image {
    name: String,
    tree: Tree,
    start: Start,
}

/// How a container of an image is started, unless its pod says otherwise.
#[derive(Debug)]
struct Start {
    entrypoint: Vec<String>,
    env: Vec<String>,
    user: String,
}

impl Image {
    /// The service, as `service/Dockerfile` makes it: `localhost/sessionstore:dev`.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it is not known which libraries `binary` needs.
    pub fn service(binary: &Path) -> Result<Self, ClusterError> {
        let mut image = Self::of_binary("sessionstore:dev", binary, "/usr/local/bin/sessionstore")?;
        image.tree.folder("/data", 0o755, NONROOT);
        image.start.env.extend(
            [
                "SESSIONSTORE_HTTP_ADDR=0.0.0.0:8080",
                "SESSIONSTORE_ADMIN_ADDR=0.0.0.0:9090",
                "SESSIONSTORE_STORE_URL=embedded:/data",
            ]
            .map(str::to_owned),
        );
        Ok(image)
    }

    /// The operator, as `operator/Dockerfile` makes it: `localhost/sessionstore-operator:dev`.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it is not known which libraries `binary` needs.
    pub fn operator(binary: &Path) -> Result<Self, ClusterError> {
        Self::of_binary(
            "sessionstore-operator:dev",
            binary,
            "/usr/local/bin/sessionstore-operator",
        )
    }

    /// MongoDB, with nothing but mongod: `localhost/mongod:6.0.5`.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it is not known which libraries `binary` needs.
    pub fn mongod(binary: &Path) -> Result<Self, ClusterError> {
        let mut image = Self::of_binary("mongod:6.0.5", binary, "/usr/bin/mongod")?;
        "999:999".clone_into(&mut image.start.user);
        image.tree.folder("/data", 0o755, 999);
        image.tree.folder("/data/db", 0o755, 999);
        Ok(image)
    }

    /// Prometheus: `localhost/prometheus:2`. It may write to `/data` only.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it is not known which libraries `binary` needs.
    pub fn prometheus(binary: &Path) -> Result<Self, ClusterError> {
        let mut image = Self::of_binary("prometheus:2", binary, "/usr/bin/prometheus")?;
        image.tree.folder("/data", 0o755, NONROOT);
        Ok(image)
    }

    /// The same under another tag, as the next version of it would come.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        let end = self.name.rfind(':').unwrap_or(self.name.len());
        self.name.truncate(end);
        self.name = format!("{}:{tag}", self.name);
        self
    }

    /// Its name and tag, as a pod asks for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An image of one program with the libraries that it is linked to. No shell, no root.
    fn of_binary(name: &str, binary: &Path, inside: &str) -> Result<Self, ClusterError> {
        let mut tree = Tree::default();
        tree.file(inside, binary, 0o755);
        for library in closure::libraries(binary)? {
            tree.file(&library.display().to_string(), &library, 0o755);
        }
        tree.text(
            "/etc/passwd",
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
        );
        tree.text("/etc/group", "root:x:0:\nnonroot:x:65532:\n");
        tree.text("/etc/nsswitch.conf", "hosts: files dns\n");
        let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
        if authorities.exists() {
            tree.file(&authorities.display().to_string(), authorities, 0o644);
        }
        tree.folder("/tmp", 0o1777, 0);
        Ok(Self {
            name: format!("localhost/{name}"),
            tree,
            start: Start {
                entrypoint: vec![inside.to_owned()],
                env: vec!["PATH=/usr/local/bin:/usr/bin:/bin".to_owned()],
                user: format!("{NONROOT}:{NONROOT}"),
            },
        })
    }

    /// The images that the cluster itself runs, and `localhost/busybox:1` for tests.
    pub(crate) fn of_the_cluster(programs: &Programs) -> Result<Vec<Self>, ClusterError> {
        let program = |name: &str, file: &str| {
            Self::of_binary(name, &programs.path(file), &format!("/{file}"))
        };
        Ok(vec![
            program("pause:1", "pause")?,
            program("coredns:1.13.2", "coredns")?,
            program("metrics-server:0.8.0", "metrics-server")?,
            Self::busybox()?,
        ])
    }

    fn busybox() -> Result<Self, ClusterError> {
        let binary = closure::on_the_path("busybox")?;
        let mut image = Self::of_binary("busybox:1", &binary, "/bin/busybox")?;
        for applet in crate::output::of(std::process::Command::new(&binary).arg("--list"))?.lines()
        {
            if applet != "busybox" {
                image.tree.link(&format!("/bin/{applet}"), "busybox");
            }
        }
        image.start.entrypoint = vec!["/bin/sh".to_owned()];
        Ok(image)
    }

    /// Builds the archive unless it is there.
    pub(crate) fn build(&self) -> Result<Built, ClusterError> {
        store::build(self)
    }
}

/// An image that is on the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its name and tag.
    pub name: String,
    /// The digest of its manifest.
    pub digest: String,
    /// The size of its files in bytes.
    pub bytes: u64,
    /// On which nodes it was not there before.
    pub new_on: Vec<String>,
}

/// Where built images are kept.
pub(crate) fn folder() -> Result<PathBuf, ClusterError> {
    Ok(sessionstore_fetch::cache()?.join("cluster-images"))
}

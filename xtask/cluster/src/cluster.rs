//! A cluster as a whole: up, down, and what is in between.

use std::{
    fs,
    net::SocketAddr,
    ops::ControlFlow::{Break, Continue},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::{
    ClusterError, Image, Leaks, Loaded, Node, Options, addons, control_plane,
    folder::{Folder, Lock},
    guard,
    image::Built,
    keys,
    kubectl::{Kubectl, client},
    limits, machine, network,
    node::{self, Machinery, cgroups},
    part::{self, kill_all},
    programs::Programs,
    record::Record,
    volumes,
    wait::until,
};

/// Hears what is going on, a few words at a time.
type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// A cluster that runs, or did. It stays when this value is dropped and when this process ends,
/// until somebody takes it [down](Self::down).
#[derive(Debug)]
pub struct Cluster {
    pub(crate) folder: Folder,
    pub(crate) record: Record,
    pub(crate) programs: Programs,
}

impl Cluster {
    /// Where a cluster is unless told otherwise: in the cache of the chores.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Parts`] where no variable names a folder for the cache.
    pub fn default_folder() -> Result<PathBuf, ClusterError> {
        Ok(sessionstore_fetch::cache()?.join("cluster"))
    }

    /// Brings a cluster up, or what has died of it; does next to nothing to one that runs. Fetches
    /// and compiles what is missing, some 10 minutes on two cores the first time. Returns when all
    /// nodes are ready, names are answered and there are metrics. `progress` hears what is going
    /// on.
    ///
    /// # Errors
    ///
    /// [`ClusterError`]; what has been started stays for a look, and goes with
    /// [`down`](Self::down).
    pub fn up(options: &Options, progress: Progress<'_>) -> Result<Self, ClusterError> {
        options.check()?;
        let root = folder_of(options.folder.as_deref())?;
        let _lock = Lock::wait(&root)?;
        let folder = Folder::new(root);
        if options.nodes > 0 {
            machine::check(folder.root())?;
            check_alone(folder.root())?;
        }
        let programs = Programs::ensure(progress)?;
        let record = Record::ensure(&folder, options, programs.folder())?;
        let cluster = Self {
            folder,
            record,
            programs,
        };
        cluster.bring_up(progress)?;
        Ok(cluster)
    }

    fn bring_up(&self, progress: Progress<'_>) -> Result<(), ClusterError> {
        let Self { folder, record, .. } = self;
        keys::ensure(folder, record.address(), record.api_port, record.nodes)?;
        if record.nodes > 0 {
            // Before anything runs that could send a packet.
            guard::up()?;
        }
        let kubectl = self.asks();
        let all_ran = self.parts().iter().all(|it| it.runs);
        if !all_ran {
            progress("starting the control plane");
        }
        // The two have nothing to do with each other until the kubelet starts.
        thread::scope(|scope| {
            let booted = scope.spawn(|| self.boot_nodes(progress));
            let started = self.start_control_plane(&kubectl);
            booted.join().map_err(|_| panicked())?.and(started)
        })?;
        if record.nodes == 0 {
            return Ok(());
        }
        if !all_ran {
            progress("starting the nodes");
        }
        for node in self.nodes() {
            node.machinery.start_daemons()?;
        }
        if !all_ran {
            progress("waiting for the nodes to be ready");
        }
        self.await_ready()
    }

    /// With what is at home beside it.
    fn start_control_plane(&self, kubectl: &Kubectl<'_>) -> Result<(), ClusterError> {
        control_plane::up(&self.folder, &self.record, &self.programs, kubectl)?;
        if self.record.nodes > 0 {
            volumes::start_controller(&self.folder, &self.programs)?;
            addons::apply(&self.folder, kubectl)?;
        }
        Ok(())
    }

    /// Boots all nodes and gives them the cluster's own images.
    fn boot_nodes(&self, progress: Progress<'_>) -> Result<(), ClusterError> {
        if self.record.nodes == 0 {
            return Ok(());
        }
        let images = Image::of_the_cluster(&self.programs)?;
        let images: Vec<Built> = images.iter().map(Image::build).collect::<Result<_, _>>()?;
        self.on_all_nodes(|node| {
            node.machinery.boot()?;
            for image in &images {
                if node.machinery.load(image)? {
                    progress(&format!("{}: {} is loaded", node.name(), image.name));
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The cluster in `folder`; `None` if there is none. Nothing is started.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when its record cannot be read.
    pub fn find(folder: &Path) -> Result<Option<Self>, ClusterError> {
        let folder = Folder::new(folder_of(Some(folder))?);
        let Some(record) = Record::read(&folder)? else {
            return Ok(None);
        };
        let programs = Programs::in_folder(record.programs.clone());
        Ok(Some(Self {
            folder,
            record,
            programs,
        }))
    }

    /// Takes the cluster in `folder` down, whatever state it is in, and removes all that it has
    /// left on this machine: processes, mounts, loop devices, network, cgroups and files. Images
    /// and programs stay in the cache. Says whether there was anything.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when something does not go.
    pub fn down(folder: &Path) -> Result<bool, ClusterError> {
        let root = folder_of(Some(folder))?;
        let lock = Lock::wait(&root)?;
        let folder = Folder::new(root.clone());
        let had_nodes = Record::read(&folder)
            .ok()
            .flatten()
            .is_none_or(|it| it.nodes > 0);
        if !root.exists() && part::of(&root).is_empty() {
            lock.remove();
            return Ok(false);
        }
        kill_all(|| part::of(&root))?;
        // Somebody else's nodes use the same names.
        if had_nodes && check_alone(&root).is_ok() {
            remove_network_and_cgroups()?;
        }
        volumes::detach(&folder)?;
        remove_files(&root)?;
        lock.remove();
        Ok(true)
    }

    /// The folder with all that the cluster writes.
    pub fn folder(&self) -> &Path {
        self.folder.root()
    }

    /// What a client needs to do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.kubeconfig("admin")
    }

    /// Where etcd answers its clients, by HTTP: for tests of what the API server would never store.
    pub fn etcd(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.record.etcd_port))
    }

    /// The folder with `kubectl` and `helm`.
    pub fn tools(&self) -> PathBuf {
        self.programs.for_people()
    }

    /// The file with one line of JSON (`audit.k8s.io/v1`, level Metadata) for each request that
    /// the API server has answered, if the options asked for it.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.record.audit.then(|| self.folder.audit_log())
    }

    /// A command of kubectl for this cluster. What it starts ends when the cluster is taken down.
    pub fn kubectl(&self) -> Command {
        self.asks().command()
    }

    /// Lets what a command starts end when the cluster is taken down: a client that a test runs
    /// outlives neither.
    pub fn adopt(&self, command: &mut Command) {
        part::mark(command, &self.folder, "client");
    }

    /// A command of helm for this cluster. What it starts ends when the cluster is taken down.
    pub fn helm(&self) -> Command {
        client(&self.programs.helm(), &self.folder)
    }

    /// A node, counted from 1.
    ///
    /// # Panics
    ///
    /// When there is no such node.
    pub fn node(&self, number: usize) -> Node<'_> {
        assert!(
            (1..=self.record.nodes).contains(&number),
            "there is no node {number}"
        );
        Node {
            machinery: Machinery {
                folder: &self.folder,
                record: &self.record,
                programs: &self.programs,
                number,
            },
        }
    }

    /// All nodes, in their order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.record.node_numbers().map(|number| self.node(number))
    }

    /// Waits until all nodes are ready, names are answered on them and there are metrics.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when that takes more than three minutes.
    pub fn await_ready(&self) -> Result<(), ClusterError> {
        if self.record.nodes == 0 {
            return Ok(());
        }
        addons::await_ready(&self.asks(), self.record.nodes)
    }

    /// Builds an image and loads it on every node that has not got just this content under its
    /// name. A node that is off is left out.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when it cannot be built or a node does not take it.
    pub fn load(&self, image: &Image) -> Result<Loaded, ClusterError> {
        let built = image.build()?;
        let new = self.on_all_nodes(|node| {
            if node::init(node.machinery.number)
                .pid(&self.folder)
                .is_none()
            {
                return Ok(None);
            }
            let is_new = node.machinery.load(&built)?;
            Ok(is_new.then(|| node.name()))
        })?;
        Ok(Loaded {
            name: built.name,
            digest: built.digest,
            bytes: built.bytes,
            new_on: new.into_iter().flatten().collect(),
        })
    }

    /// What the leak guard has seen since the cluster came up. Only of a cluster with nodes.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Refused`] when there is no guard.
    pub fn leaks(&self) -> Result<Leaks, ClusterError> {
        guard::leaks()
    }

    pub(crate) fn asks(&self) -> Kubectl<'_> {
        Kubectl {
            binary: self.programs.kubectl(),
            folder: &self.folder,
        }
    }

    /// Does the same on all nodes at once.
    fn on_all_nodes<T: Send>(
        &self,
        act: impl Fn(Node<'_>) -> Result<T, ClusterError> + Sync,
    ) -> Result<Vec<T>, ClusterError> {
        thread::scope(|scope| {
            let act = &act;
            let running: Vec<_> = self
                .nodes()
                .map(|node| scope.spawn(move || act(node)))
                .collect();
            running
                .into_iter()
                .map(|it| it.join().map_err(|_| panicked())?)
                .collect()
        })
    }
}

fn panicked() -> ClusterError {
    ClusterError::Unfit {
        why: "a thread of this process has panicked".to_owned(),
    }
}

/// Absolute and without links, as processes are marked with it.
pub(crate) fn folder_of(wanted: Option<&Path>) -> Result<PathBuf, ClusterError> {
    let folder = match wanted {
        Some(folder) => folder.to_owned(),
        None => Cluster::default_folder()?,
    };
    let absolute = std::path::absolute(&folder).map_err(ClusterError::file(&folder))?;
    // The folder itself comes and goes; those above it may be links.
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => {
            fs::create_dir_all(parent).map_err(ClusterError::file(parent))?;
            let parent = parent.canonicalize().map_err(ClusterError::file(parent))?;
            Ok(parent.join(name))
        }
        _ => Ok(absolute),
    }
}

/// Fails if another cluster with nodes runs on this machine.
fn check_alone(root: &Path) -> Result<(), ClusterError> {
    let other = part::all()
        .into_iter()
        .find(|it| it.cluster != root && it.is_of_nodes());
    match other {
        Some(other) => Err(ClusterError::AnotherRuns {
            path: other.cluster,
        }),
        None => Ok(()),
    }
}

/// What nodes have on the machine besides processes and files.
fn remove_network_and_cgroups() -> Result<(), ClusterError> {
    for number in 1..=network::MOST_NODES {
        let _ = guard::ip(&["link", "delete", &network::node_cable(number)]);
        let _ = guard::ip(&["route", "delete", &network::node_pods(number)]);
        let name = node::cgroup_name(number);
        until("the cgroups of a node to empty", limits::PROCESS, || {
            cgroups::remove(&name);
            Ok(if cgroups::are_gone(&name) {
                Break(())
            } else {
                Continue("a process is in them".to_owned())
            })
        })?;
    }
    guard::down();
    Ok(())
}

/// The file systems in them go with the last process of a node, a moment after it.
fn remove_files(root: &Path) -> Result<(), ClusterError> {
    until("the files of the cluster to go", limits::PROCESS, || {
        Ok(match fs::remove_dir_all(root) {
            Err(error) if root.exists() => Continue(error.to_string()),
            _ => Break(()),
        })
    })
}

impl Machinery<'_> {
    /// Loads an image, unless the node has it; whether it was new.
    fn load(&self, image: &Built) -> Result<bool, ClusterError> {
        let filter = format!("name=={}", image.name);
        let list = self.ctr(&["images", "list", &filter])?;
        if list.lines().any(|line| line.contains(&image.digest)) {
            return Ok(false);
        }
        let archive = image.archive.display().to_string();
        self.ctr(&["images", "import", &archive])?;
        Ok(true)
    }
}

//! The cgroups of a node: one folder in each hierarchy, below which its kubelet works.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    ClusterError,
    machine::{CGROUP_ROOT, CGROUPS, cgroup},
};

/// Makes them, empty. What the last boot left costs the kubelet 3 seconds a container.
pub(super) fn make(name: &str) -> Result<(), ClusterError> {
    remove(name);
    for controller in CGROUPS {
        let folder = cgroup(controller).join(name);
        fs::create_dir_all(&folder).map_err(ClusterError::file(&folder))?;
    }
    // A new one has no CPUs, and nothing can enter it.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let inherited = cgroup("cpuset").join(file);
        let own = cgroup("cpuset").join(name).join(file);
        fs::read(&inherited)
            .and_then(|it| fs::write(&own, it))
            .map_err(ClusterError::file(&own))?;
    }
    Ok(())
}

/// Removes them, which works when no process is left in them. Also where nobody made them but
/// runc, as in the hierarchy of version 2 that may lie beside the others.
pub(crate) fn remove(name: &str) {
    for folder in everywhere(name) {
        // Whatever stays is seen by `are_gone`.
        let _ = remove_tree(&folder);
    }
}

/// Whether nothing of them is left.
pub(crate) fn are_gone(name: &str) -> bool {
    everywhere(name).is_empty()
}

/// The folders of this name in all hierarchies.
fn everywhere(name: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir(CGROUP_ROOT).into_iter().flatten();
    hierarchies
        .filter_map(|hierarchy| Some(hierarchy.ok()?.path().join(name)))
        .filter(|folder| folder.is_dir())
        .collect()
}

/// Folders only: the files in them are the kernel's and go with them.
fn remove_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

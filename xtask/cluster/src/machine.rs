//! What this machine must be like to carry nodes.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use crate::ClusterError;

/// Those of cgroup v1 in which the kubelet and runc make folders; and the one without a
/// controller that runc uses to find its processes.
pub(crate) const CGROUPS: [&str; 9] = [
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd",
];

pub(crate) const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// What a node covers with folders of its own.
pub(crate) const COVERED: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// Fails if a cluster with nodes in `folder` cannot work, before anything is fetched for it.
pub(crate) fn check(folder: &Path) -> Result<(), ClusterError> {
    let unfit = |why: String| Err(ClusterError::Unfit { why });
    if !fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return unfit("nodes are namespaces and mounts, which take root".to_owned());
    }
    let missing = CGROUPS.iter().find(|it| !cgroup(it).is_dir());
    if let Some(controller) = missing {
        return unfit(format!(
            "{} is missing: nodes need cgroups of version 1 \
             (kernel option systemd.unified_cgroup_hierarchy=0)",
            cgroup(controller).display()
        ));
    }
    if let Some(covered) = COVERED.iter().find(|it| folder.starts_with(it)) {
        return unfit(format!(
            "{} lies below {covered}, where nodes have folders of their own; \
             set SESSIONSTORE_CACHE to another place",
            folder.display()
        ));
    }
    Ok(())
}

pub(crate) fn cgroup(controller: &str) -> std::path::PathBuf {
    Path::new(CGROUP_ROOT).join(controller)
}

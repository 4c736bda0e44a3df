//! The programs that a cluster is made of: those of Kubernetes, compiled here from Go modules in
//! pinned versions, and those that the system brings.
//!
//! All Go programs are of one module, so that they share the libraries of one Kubernetes release:
//! each compiled once, 2,700 packages in all instead of 10,000.

use std::{
    env, fs, io,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sessionstore_fetch::{FetchError, apt_install, ensure, process};
use sha2::{Digest, Sha256};

use crate::{ClusterError, part};

/// The release of Kubernetes; as in `go/go.mod`.
pub const KUBERNETES: &str = "1.34.4";

/// The Go module with the sources and pins.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go");

/// What is compiled: our own, and two that are taken as they are.
const PACKAGES: [&str; 3] = [
    "./cmd/...",
    "helm.sh/helm/v3/cmd/helm",
    "sigs.k8s.io/metrics-server/cmd/metrics-server",
];

/// The names that the binary `kubernetes` goes by.
const KUBERNETES_PROGRAMS: [&str; 5] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
];

/// Of the system: a program or file, and the Debian package that brings it.
const SYSTEM: [(&str, &str); 13] = [
    ("etcd", "etcd-server"),
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("ipset", "ipset"),
    ("conntrack", "conntrack"),
    ("mkfs.xfs", "xfsprogs"),
    ("ip", "iproute2"),
    ("sysctl", "procps"),
    ("losetup", "mount"),
    ("nsenter", "util-linux"),
    ("busybox", "busybox"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
];

/// The folders of compiled programs in the cache.
const PREFIX: &str = "cluster-programs-";

/// How long programs are kept that have another recipe than the newest.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often somebody who waits for the compiler hears that it works.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// The folder of the compiled programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Compiles what is not compiled yet, installs what the system lacks.
    pub(crate) fn ensure(progress: &(dyn Fn(&str) + Sync)) -> Result<Self, ClusterError> {
        let lacking: Vec<&str> = SYSTEM
            .iter()
            .filter(|(file, _)| !part::is_on_the_path(file))
            .map(|(_, package)| *package)
            .collect();
        if !lacking.is_empty() {
            progress(&format!("installing {}", lacking.join(", ")));
            apt_install("the parts of the cluster that Debian brings", &lacking)?;
        }
        Self::compiled(progress)
    }

    /// The compiled ones alone, which need nothing of the system.
    pub(crate) fn compiled(progress: &(dyn Fn(&str) + Sync)) -> Result<Self, ClusterError> {
        let recipe = recipe().map_err(ClusterError::file(MODULE))?;
        // By its recipe, so that checkouts with different ones do not take turns in compiling.
        let name = format!("{PREFIX}{}", &recipe[..12]);
        let folder = ensure(&name, &recipe, |folder| {
            compile(folder, progress)?;
            remove_old(folder);
            Ok::<(), ClusterError>(())
        })?;
        Ok(Self { folder })
    }

    /// Those in a folder, whether they are there or not.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// A command of one of the compiled programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(self.path(program))
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder with the programs that people call: kubectl and helm.
    pub(crate) fn for_people(&self) -> PathBuf {
        self.folder.join("bin")
    }

    pub(crate) fn kubectl(&self) -> PathBuf {
        self.for_people().join("kubectl")
    }

    pub(crate) fn helm(&self) -> PathBuf {
        self.for_people().join("helm")
    }
}

/// The folder with `kubectl` and `helm`, for whoever needs them and no cluster. They are compiled
/// first where they are missing, with all else that a cluster is made of. `progress` hears what is
/// going on.
///
/// # Errors
///
/// [`ClusterError::Parts`] or [`ClusterError::Process`] when they cannot be fetched or compiled.
pub fn client_tools(progress: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, ClusterError> {
    Ok(Programs::compiled(progress)?.for_people())
}

/// Another source, pin or way to compile makes another recipe.
fn recipe() -> io::Result<String> {
    let mut files = Vec::new();
    collect(Path::new(MODULE), &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        // Wherever the checkout lies.
        let name = file.strip_prefix(MODULE).unwrap_or(&file);
        let name = name.as_os_str().as_encoded_bytes();
        hash.update(name.len().to_le_bytes());
        hash.update(name);
        let content = fs::read(&file)?;
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    hash.update(linker_flags());
    Ok(crate::hex(&hash.finalize()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// No symbols; and the versions that Kubernetes has its own build scripts set.
fn linker_flags() -> String {
    let set = |name, value: &str| format!(" -X k8s.io/component-base/version.{name}={value}");
    [
        "-s -w".to_owned(),
        set("gitVersion", &format!("v{KUBERNETES}")),
        set("gitMajor", "1"),
        set("gitMinor", "34"),
        set("gitTreeState", "clean"),
    ]
    .concat()
}

fn compile(folder: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<(), ClusterError> {
    progress(&format!(
        "compiling Kubernetes {KUBERNETES} and what goes with it; some 10 minutes on two cores, once"
    ));
    let scratch = folder.join("scratch");
    fs::create_dir_all(&scratch).map_err(ClusterError::file(&scratch))?;
    let mut go = Command::new(go()?);
    go.current_dir(MODULE)
        .args(["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags"])
        .arg(linker_flags())
        .arg("-o")
        .arg(&scratch)
        .args(PACKAGES)
        // Statically linked, so that they run in an image of their own; pins are what go.sum says.
        .envs([
            ("CGO_ENABLED", "0"),
            ("GOWORK", "off"),
            ("GOFLAGS", "-mod=readonly"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    watch(&mut go, progress)?;

    let arrange = || {
        for entry in fs::read_dir(&scratch)? {
            let entry = entry?;
            fs::rename(entry.path(), folder.join(entry.file_name()))?;
        }
        fs::remove_dir(&scratch)?;
        for program in KUBERNETES_PROGRAMS {
            symlink("kubernetes", folder.join(program))?;
        }
        fs::create_dir(folder.join("bin"))?;
        symlink("../kubernetes", folder.join("bin/kubectl"))?;
        symlink("../helm", folder.join("bin/helm"))
    };
    arrange().map_err(ClusterError::file(folder))
}

/// Removes what was compiled beside `newest` more than a week ago: half a gigabyte each.
fn remove_old(newest: &Path) {
    let siblings = newest.parent().and_then(|it| fs::read_dir(it).ok());
    for entry in siblings.into_iter().flatten().filter_map(Result::ok) {
        let age = || {
            entry
                .metadata()?
                .modified()?
                .elapsed()
                .map_err(io::Error::other)
        };
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && entry.path() != newest && age().is_ok_and(|age| age > KEPT) {
            // One that stays costs nothing but space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs the compiler and tells now and then how far it is. It names each package when it is
/// compiled; anything else that it says is meant for people.
fn watch(go: &mut Command, progress: &(dyn Fn(&str) + Sync)) -> Result<(), ClusterError> {
    let mut child = go.spawn().map_err(|error| process::not_run(go, error))?;
    let mut compiled = 0;
    let mut last_sign = Instant::now();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if is_package(&line) {
                compiled += 1;
            } else if !line.starts_with("go: downloading ") {
                eprintln!("{line}");
            }
            if last_sign.elapsed() >= SIGN_OF_LIFE {
                progress(&format!("{compiled} of at most 2700 packages are compiled"));
                last_sign = Instant::now();
            }
        }
    }
    let status = child.wait().map_err(|error| process::not_run(go, error))?;
    Ok(process::succeeded(go, status)?)
}

fn is_package(line: &str) -> bool {
    !line.starts_with('#') && !line.contains([' ', '\t', ':'])
}

/// What compiles; as the module says, and the docs.
const GO: &str = "Go 1.25 or newer, from https://go.dev/dl";

/// The program `go`, also where only its installation is there and no path to it.
fn go() -> Result<&'static str, FetchError> {
    ["go", "/usr/local/go/bin/go"]
        .into_iter()
        .find(|go| process::works(Command::new(go).arg("version")))
        .ok_or_else(|| FetchError::Missing {
            what: GO,
            packages: "golang-1.25".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_release_is_the_one_that_is_named() {
        let pins = fs::read_to_string(Path::new(MODULE).join("go.mod")).unwrap();
        assert!(pins.contains(&format!("k8s.io/kubernetes v{KUBERNETES}\n")));
        assert!(Path::new(MODULE).join("go.sum").exists());
    }

    #[test]
    fn the_same_go_is_asked_for_everywhere() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let asked = GO.split(',').next().unwrap();
        for page in ["README.md", "docs/cluster.md"] {
            let page_text = fs::read_to_string(root.join(page)).unwrap();
            assert!(page_text.contains(asked), "{page} asks for another");
        }
        let module = fs::read_to_string(Path::new(MODULE).join("go.mod")).unwrap();
        let lines = module.lines();
        let mut versions = lines.filter_map(|line| line.strip_prefix("go "));
        let least = versions.next().unwrap().trim_end_matches(".0");
        assert_eq!(asked, format!("Go {least} or newer"));
    }

    #[test]
    fn messages_of_the_compiler_are_not_taken_for_packages() {
        assert!(is_package("k8s.io/client-go/tools/cache"));
        assert!(!is_package("# k8s.io/client-go/tools/cache"));
        assert!(!is_package("cmd/coredns/main.go:3:9: undefined: x"));
        assert!(!is_package("\thave (int)"));
    }

    #[test]
    fn the_same_sources_have_the_same_recipe() {
        assert_eq!(recipe().unwrap(), recipe().unwrap());
    }
}

//! The control plane that the tests share. It comes up with the first test that needs it, and goes
//! down with the last one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use sessionstore_cluster::{Cluster, Options};
use sessionstore_operator::crd;

/// A control plane in a folder of its own.
pub(crate) struct Lab {
    cluster: Cluster,
    kubeconfig: Kubeconfig,
}

impl Lab {
    /// The one that is shared.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let lab = Self::alone();
            *shared = Arc::downgrade(&lab);
            lab
        })
    }

    /// One for a test that changes what belongs to no namespace.
    pub(crate) fn alone() -> Arc<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let labs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api");
        remove_abandoned(&labs);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = labs.join(format!("{}-{count}", process::id()));
        let options = Options {
            nodes: 0,
            audit: true,
            folder: Some(folder),
        };
        let cluster = Cluster::up(&options, &|_| ()).unwrap();
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let lab = Self {
            cluster,
            kubeconfig,
        };
        lab.install(&crd::definition());
        Arc::new(lab)
    }

    /// Installs a definition of resources, and waits until they can be made.
    pub(crate) fn install(&self, definition: &impl serde::Serialize) {
        let definition = serde_json::to_value(definition).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        let file = self.folder().join(format!("{name}.json"));
        fs::write(&file, definition.to_string()).unwrap();
        let file = file.display().to_string();
        self.kubectl(&["apply", "--server-side", "--filename", &file]);
        let kind = format!("crd/{name}");
        self.kubectl(&["wait", "--for=condition=Established", &kind]);
        // kubectl remembers for hours which kinds there are.
        let _ = fs::remove_dir_all(self.kubectl_cache());
    }

    fn kubectl_cache(&self) -> PathBuf {
        self.folder().join("kubectl-cache")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// One line for each request that was answered.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.cluster.audit_log().unwrap()
    }

    /// What kubectl prints.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap()
    }

    /// What kubectl prints, or what is wrong.
    pub(crate) fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        let mut kubectl = self.cluster.kubectl();
        kubectl.arg("--cache-dir").arg(self.kubectl_cache());
        output_of(kubectl.args(args))
    }

    /// What helm prints.
    pub(crate) fn helm(&self, args: &[&str]) -> String {
        output_of(self.cluster.helm().args(args)).unwrap()
    }

    /// A client that may do everything.
    pub(crate) async fn client(&self) -> Client {
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(self.kubeconfig.clone(), &options);
        Client::try_from(config.await.unwrap()).unwrap()
    }

    /// A file by which a program is this user, in the audit log and for the API server's rules.
    pub(crate) fn kubeconfig_of(&self, user: &str, groups: &[&str]) -> PathBuf {
        let mut kubeconfig = self.kubeconfig.clone();
        for named in &mut kubeconfig.auth_infos {
            let auth = named.auth_info.as_mut().unwrap();
            auth.impersonate = Some(user.to_owned());
            let groups = groups.iter().map(|it| (*it).to_owned());
            auth.impersonate_groups = Some(groups.collect());
        }
        let file = self.folder().join(user.replace([':', '/'], "-"));
        fs::write(&file, serde_json::to_string(&kubeconfig).unwrap()).unwrap();
        file
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let down = Cluster::down(self.cluster.folder());
        if !std::thread::panicking() {
            down.unwrap();
        }
    }
}

/// Those of runs that were killed.
fn remove_abandoned(labs: &Path) {
    for entry in fs::read_dir(labs).into_iter().flatten() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let Some((pid, _)) = name.split_once('-') else {
            continue;
        };
        // Beside each folder is the file of its lock.
        if folder.is_dir() && !Path::new("/proc").join(pid).exists() {
            Cluster::down(&folder).unwrap();
        }
    }
}

fn output_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

//! The control plane that the tests share. It comes up with the first test that needs it, and goes
//! down when the tests are over, however they end.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use sessionstore_cluster::{Cluster, Guardian, KUBERNETES, Options};
use sessionstore_operator::crd;

use crate::monitors;

/// A control plane in a folder of its own.
pub(crate) struct Lab {
    cluster: Cluster,
    kubeconfig: Kubeconfig,
    /// Takes it down.
    _guardian: Guardian,
}

impl Lab {
    /// The one that is shared. It knows the kinds of Prometheus' operator from the first moment on:
    /// one that appears later would be a change for everybody.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Lab>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let lab = Self::alone();
            for definition in monitors::definitions() {
                lab.install(&definition);
            }
            lab
        });
        shared.clone()
    }

    /// One for a test that changes what belongs to no namespace.
    pub(crate) fn alone() -> Arc<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let labs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = labs.join(format!("{}-{count}", process::id()));
        let guardian = Guardian::start(&folder).unwrap();
        let options = Options {
            nodes: 0,
            audit: true,
            folder: Some(folder),
        };
        let cluster = Cluster::up(&options, &|step| eprintln!("{step}")).unwrap();
        let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
        let lab = Self {
            cluster,
            kubeconfig,
            _guardian: guardian,
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
        let patience = "--timeout=180s";
        self.kubectl(&["wait", "--for=condition=Established", &kind, patience]);
        // kubectl remembers for hours which kinds there are.
        let _ = fs::remove_dir_all(self.kubectl_cache());
    }

    fn kubectl_cache(&self) -> PathBuf {
        self.folder().join("kubectl-cache")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// How long the account of all requests is by now.
    pub(crate) fn audit_length(&self) -> u64 {
        let log = self.cluster.audit_log().unwrap();
        fs::metadata(log).unwrap().len()
    }

    /// What the account says from there on: one line for each request that was answered.
    pub(crate) fn audit_from(&self, start: u64) -> String {
        let mut log = fs::File::open(self.cluster.audit_log().unwrap()).unwrap();
        log.seek(SeekFrom::Start(start)).unwrap();
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    }

    /// What etcd answers by the HTTP form of its own interface. What is written there is what the
    /// API server has stored, whatever it thinks of it.
    pub(crate) fn etcd(&self, call: &str, request: &Value) -> Value {
        let mut stream = TcpStream::connect(self.cluster.etcd()).unwrap();
        let body = request.to_string();
        let length = body.len();
        // By 1.0 the answer is in one piece.
        let head = format!("POST /v3/kv/{call} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Lets no pod in that does not meet the strictest standard, and warns of what would make one.
    pub(crate) fn require_restricted(&self, namespace: &str) {
        let [enforce, warn] =
            ["enforce", "warn"].map(|it| format!("pod-security.kubernetes.io/{it}=restricted"));
        self.kubectl(&["label", "namespace", namespace, &enforce, &warn]);
    }

    /// What kubectl prints.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap()
    }

    /// What kubectl prints, or what is wrong.
    pub(crate) fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        output_of(&self.run_kubectl(args))
    }

    /// The same, with what it warns of.
    pub(crate) fn run_kubectl(&self, args: &[&str]) -> Output {
        let mut kubectl = self.cluster.kubectl();
        kubectl.arg("--cache-dir").arg(self.kubectl_cache());
        kubectl.args(args).output().unwrap()
    }

    /// Lets what a command starts end with this control plane.
    pub(crate) fn adopt(&self, command: &mut Command) {
        self.cluster.adopt(command);
    }

    /// What a chart makes for this control plane.
    pub(crate) fn template(&self, args: &[&str]) -> String {
        let mut helm = self.cluster.helm();
        helm.args(["template", "--kube-version", KUBERNETES]);
        output_of(&helm.args(args).output().unwrap()).unwrap()
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

fn output_of(output: &Output) -> Result<String, String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

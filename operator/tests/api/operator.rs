//! The operator as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;
use crate::place::{Place, eventually};

/// One operator. It is killed when this is dropped.
pub(crate) struct Operator {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    address: String,
    user: String,
}

/// How one is started.
pub(crate) struct Start<'a> {
    lab: &'a Lab,
    namespace: String,
    is_everywhere: bool,
    lease: &'static str,
    domain: &'static str,
    user: String,
    groups: Vec<&'static str>,
}

/// Longer than a busy machine's API server takes to answer: whoever loses the lead begins anew, and
/// applies everything once.
const PATIENT_LEASE: &str = "120s";

impl<'a> Start<'a> {
    /// One that looks after a place alone, with a Lease there.
    pub(crate) fn at(place: &'a Place) -> Self {
        Self {
            lab: &place.lab,
            namespace: place.namespace.clone(),
            is_everywhere: false,
            lease: PATIENT_LEASE,
            domain: "cluster.local",
            user: format!("operator-of-{}", place.namespace),
            groups: vec!["system:masters"],
        }
    }

    /// As whom it asks the API server.
    pub(crate) fn user(mut self, user: &str, groups: &[&'static str]) -> Self {
        user.clone_into(&mut self.user);
        self.groups = groups.to_vec();
        self
    }

    /// In all namespaces.
    pub(crate) fn everywhere(mut self) -> Self {
        self.is_everywhere = true;
        self
    }

    /// How long others wait for a leader that is silent.
    pub(crate) fn lease(mut self, duration: &'static str) -> Self {
        self.lease = duration;
        self
    }

    /// What it takes for the end of the cluster's names.
    pub(crate) fn domain(mut self, domain: &'static str) -> Self {
        self.domain = domain;
        self
    }

    /// Starts it; returns when its port is open.
    pub(crate) async fn go(self) -> Operator {
        let kubeconfig = self.lab.kubeconfig_of(&self.user, &self.groups);
        let scope = if self.is_everywhere {
            "--all-namespaces".to_owned()
        } else {
            format!("--namespace={}", self.namespace)
        };
        let mut operator = Command::new(env!("CARGO_BIN_EXE_sessionstore-operator"));
        self.lab.adopt(&mut operator);
        let mut process = operator
            .arg("run")
            .args(["--api-image", "localhost/sessionstore:dev"])
            .args(["--operator-image", "localhost/sessionstore-operator:dev"])
            .args(["--mongodb-image", "localhost/mongod:6.0.5"])
            .args(["--cluster-domain", self.domain])
            .args(["--admin-address", "127.0.0.1:0"])
            .args(["--log", "info,sessionstore_operator=debug"])
            .args(["--log-format", "json"])
            .arg(scope)
            .args(["--lease-namespace", &self.namespace])
            .args(["--lease-duration", self.lease])
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let read = BufReader::new(process.stderr.take().unwrap());
        let into = lines.clone();
        thread::spawn(move || {
            for line in read.lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        let mut operator = Operator {
            process,
            lines,
            address: String::new(),
            user: self.user,
        };
        operator.address = eventually("the operator has started", async || {
            operator.logged("started").first().map(|line| {
                let address = &line["fields"]["address"];
                address.as_str().unwrap().to_owned()
            })
        })
        .await;
        operator
    }
}

impl Operator {
    /// One that leads in a place.
    pub(crate) async fn at(place: &Place) -> Self {
        let operator = Start::at(place).go().await;
        operator.await_lead().await;
        operator
    }

    pub(crate) async fn await_lead(&self) {
        eventually("the operator leads", async || self.leads().then_some(())).await;
    }

    pub(crate) fn leads(&self) -> bool {
        self.metric("sessionstore_operator_leader", "") > 0.0
    }

    /// As whom it asks the API server.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Looks at SessionStores that have ended.
    pub(crate) fn looks(&self) -> f64 {
        let name = "sessionstore_operator_reconcile_duration_seconds_count";
        self.metric(name, "")
    }

    /// The sum of all series of this name whose labels hold the text.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
        });
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// All of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The lines of the log with this message.
    pub(crate) fn logged(&self, message: &str) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["fields"]["message"] == message)
            .collect()
    }

    /// Memory that it really uses, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kilobytes = line.split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.process.wait().unwrap().success());
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let killed = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(killed.unwrap().success());
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let lines = self.lines.lock().unwrap();
            let last = lines.len().saturating_sub(60);
            eprintln!(
                "{} logged at last:\n{}",
                self.user,
                lines[last..].join("\n")
            );
        }
    }
}

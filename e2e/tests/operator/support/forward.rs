//! A port of one pod, for what no policy lets the machine reach.

use std::{
    process::{Child, Stdio},
    thread,
};

use sessionstore_e2e::log::Log;

use super::lab::cluster;

/// A port of a pod on a port of this machine, until it is dropped.
pub(crate) struct Forward {
    process: Child,
    address: String,
}

impl Forward {
    pub(crate) async fn to(namespace: &str, pod: &str, port: u16) -> Self {
        let mut kubectl = cluster().kubectl();
        let mut process = kubectl
            .args([
                "--namespace",
                namespace,
                "port-forward",
                "--address=127.0.0.1",
            ])
            .args([format!("pod/{pod}"), format!(":{port}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::follow(process.stdout.take().unwrap());
        let line = log
            .wait_for(|line| line.starts_with("Forwarding from"))
            .await;
        let line = line.expect("kubectl forwards");
        let address = line.split_whitespace().nth(2).unwrap().to_owned();
        Self { process, address }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself, with its pod.
        let _ = self.process.kill();
        let ended = self.process.wait();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

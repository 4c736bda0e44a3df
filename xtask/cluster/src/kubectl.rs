//! Asking the API server, by kubectl.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sessionstore_fetch::process::not_run;

use crate::{ClusterError, folder::Folder, output, part};

/// kubectl of one cluster.
#[derive(Debug)]
pub(crate) struct Kubectl<'a> {
    pub(crate) binary: PathBuf,
    pub(crate) folder: &'a Folder,
}

/// They would send what is meant for this machine somewhere else.
const PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

impl Kubectl<'_> {
    pub(crate) fn command(&self) -> Command {
        client(&self.binary, self.folder)
    }

    /// What it writes to standard output.
    pub(crate) fn says(&self, args: &[&str]) -> Result<String, ClusterError> {
        output::of(self.command().args(args))
    }

    /// Applies manifests.
    pub(crate) fn apply(&self, manifests: &str) -> Result<(), ClusterError> {
        let mut command = self.command();
        command
            .args(["apply", "--filename", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| not_run(&command, error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not read to the end says why on its own.
            let _ = stdin.write_all(manifests.as_bytes());
        }
        let output = child
            .wait_with_output()
            .map_err(|error| not_run(&command, error))?;
        output::check(&command, &output)
    }
}

/// A command that finds the cluster by its environment, as somebody who may do everything.
pub(crate) fn client(binary: &Path, folder: &Folder) -> Command {
    let mut command = Command::new(binary);
    command.env("KUBECONFIG", folder.kubeconfig("admin"));
    part::mark(&mut command, folder, "client");
    for variable in PROXY_VARIABLES {
        command.env_remove(variable);
    }
    command
}

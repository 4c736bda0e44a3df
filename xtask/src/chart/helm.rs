//! helm and kustomize: what they make of the chart.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use sessionstore_cluster::KUBERNETES;

use crate::{process, workspace};

use super::manifest::{self, Manifest};

/// The release and its namespace, as `cargo xtask cluster install` and the docs have them.
pub(super) const NAME: &str = "sessionstore-operator";
/// The chart, below the root.
pub(super) const CHART: &str = "charts/sessionstore-operator";

/// The commands `helm` and `kubectl`, neither of which gets to a cluster here.
pub(super) struct Helm {
    tools: PathBuf,
}

impl Helm {
    pub(super) fn new(tools: &Path) -> Self {
        Self {
            tools: tools.to_owned(),
        }
    }

    /// The manifests that the chart makes, with these arguments (`--set`, `--values` …).
    pub(super) fn render(&self, arguments: &[&str]) -> anyhow::Result<Vec<Manifest>> {
        manifest::read(&self.template(arguments)?)
    }

    /// The same as text.
    pub(super) fn template(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.templating(KUBERNETES);
        command.args(["--namespace", NAME]).args(arguments);
        text(&mut command)
    }

    /// What helm says against these values; an error if it takes them.
    pub(super) fn refusal(&self, value: &str) -> anyhow::Result<String> {
        let mut command = self.templating(KUBERNETES);
        said_against(command.args(["--set-json", value]), value)
    }

    /// What helm says against this version of Kubernetes; an error if it takes it.
    pub(super) fn refusal_of(&self, kubernetes: &str) -> anyhow::Result<String> {
        said_against(&mut self.templating(kubernetes), kubernetes)
    }

    /// Fails on anything that helm finds questionable.
    pub(super) fn lint(&self, values: &Path) -> anyhow::Result<()> {
        let mut command = self.command("helm");
        command
            .args(["lint", "--strict", "--quiet", CHART])
            .args(["--kube-version", KUBERNETES, "--values"])
            .arg(values);
        process::run(&mut command)
    }

    /// What `kubectl apply --kustomize` would apply.
    pub(super) fn kustomize(&self, folder: &str) -> anyhow::Result<Vec<Manifest>> {
        manifest::read(&text(self.command("kubectl").args(["kustomize", folder]))?)
    }

    /// Without a cluster helm would render for the Kubernetes that it was compiled with, and one that was
    /// compiled from its module does not know that.
    fn templating(&self, kubernetes: &str) -> Command {
        let mut command = self.command("helm");
        command.args(["template", NAME, CHART, "--kube-version", kubernetes]);
        command
    }

    fn command(&self, tool: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.tools.join(tool.as_ref()));
        command.current_dir(workspace::root());
        command
    }
}

fn said_against(command: &mut Command, what: &str) -> anyhow::Result<String> {
    let output = command.stdout(Stdio::null()).output();
    let output = output.context("cannot run helm")?;
    if output.status.success() {
        bail!("the chart takes {what}");
    }
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn text(command: &mut Command) -> anyhow::Result<String> {
    Ok(String::from_utf8(process::output_of(command)?)?)
}

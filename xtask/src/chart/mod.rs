//! `cargo xtask chart`: what is installed on a cluster, checked without one.
//!
//! The Helm chart is the one source of the operator's manifests. Here it is rendered and looked
//! through (`rendered`, `roles`), given values that it has to refuse (`values`), and compared with
//! what is made of it (`copies`); the alerts and dashboards are given to Prometheus' own tool
//! (`alerts`, `dashboards`) and looked up in the source (`metrics`), and the Tiltfile is evaluated
//! (`tiltfile`). Nothing here needs a cluster: that the chart works on one is what the end-to-end
//! tests are for.

mod alerts;
mod copies;
mod dashboards;
mod helm;
mod manifest;
mod metrics;
mod rendered;
mod roles;
mod tiltfile;
mod values;

use clap::Subcommand;
use sessionstore_fetch::prometheus;

use crate::{tools, workspace};

use helm::Helm;

/// Check the Helm chart and what goes with it, or write its copies anew
///
/// Needs Go and the package registries: helm and kubectl are compiled into the cache the first
/// time, together with the local cluster's Kubernetes, which takes some 10 minutes on two cores.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Render the chart with several sets of values; check manifests, alerts, dashboards, Tiltfile
    Check,
    /// Write what is made of other files: k8s/base/operator.yaml, the chart's alerts and dashboards
    Write,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match args.action {
        Action::Check => check(),
        Action::Write => copies::write(&helm()?),
    }
}

/// The step of the test suite.
pub(crate) fn check() -> anyhow::Result<()> {
    let helm = helm()?;
    let promtool = prometheus()?.join("promtool");
    let step = |what: &str| eprintln!("chart: {what}");
    step("copies");
    copies::check(&helm)?;
    step("manifests");
    rendered::check(&helm)?;
    values::check(&helm)?;
    step("alerts");
    let known = metrics::Known::read(workspace::root())?;
    alerts::check(&promtool, &known)?;
    step("dashboards");
    dashboards::check(&promtool, &known)?;
    step("Tiltfile");
    tiltfile::check(&helm, &tools::python()?)
}

fn helm() -> anyhow::Result<Helm> {
    Ok(Helm::new(&tools::kubernetes()?))
}

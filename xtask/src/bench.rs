//! `cargo xtask bench`: builds the service and the load generator for release and runs them.

use std::process::Command;

use crate::{cargo, process, workspace};

/// Measure the service under load
///
/// Builds the service and the load generator with the release profile and starts both. All
/// options go to the load generator: `cargo xtask bench -- --help` explains them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Options of the load generator
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION"
    )]
    options: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let server = cargo::build_release()?;
    let mut command = Command::new(server.with_file_name("sessionstore-bench"));
    command
        .current_dir(workspace::root())
        .arg("--bin")
        .arg(server);
    process::run(command.args(&args.options))
}

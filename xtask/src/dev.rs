//! `cargo xtask dev`: the service on a real replica set, in one command.

use std::process::Command;

use anyhow::Context;
use tokio::{runtime::Builder, signal};

use crate::{cargo, mongo, workspace};

/// Run the service on a MongoDB replica set
///
/// Starts the replica set of `cargo xtask mongo` unless it is up, builds the service and runs it in
/// the foreground. Ctrl-C ends the service; the set goes on, so that the next start is quick and
/// finds the data again.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask dev
  cargo xtask dev -- --log debug --http-addr 127.0.0.1:8081")]
pub(crate) struct Args {
    #[command(flatten)]
    place: mongo::Place,
    #[command(flatten)]
    port: mongo::Port,
    /// Options of the service
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let server = cargo::build_server()?;
    let set = mongo::up(&args.place, &args.port)?;
    eprintln!("Ctrl-C ends the service; `cargo xtask mongo down` ends the replica set");
    let mut command = Command::new(server);
    command
        .current_dir(workspace::root())
        // Not an option: others on this machine see the options of a process.
        .env("SESSIONSTORE_STORE_URL", set.url())
        .args(&args.options);
    until_it_ends(&mut command)
}

/// Runs the service while Ctrl-C, which it gets too, does not end this process before it.
fn until_it_ends(command: &mut Command) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    {
        let _runtime = runtime.enter();
        // The handler stays when this first wait for a signal is dropped.
        drop(signal::unix::signal(signal::unix::SignalKind::interrupt())?);
    }
    let status = command.status().context("cannot run the service")?;
    eprintln!("the replica set goes on; `cargo xtask mongo down` ends it");
    if !status.success() {
        anyhow::bail!("the service failed: {status}");
    }
    Ok(())
}

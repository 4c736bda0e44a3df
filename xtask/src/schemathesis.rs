//! `cargo xtask schemathesis`: generated requests against the API, judged by its OpenAPI document.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use sessionstore_launch::Server;

use crate::{cargo, process, tools, workspace};

/// Fuzz the API with requests generated from its own OpenAPI document
///
/// schemathesis makes valid and invalid requests, single and in sequences, and checks every
/// answer: no 500, no status, header or body that the document does not promise, no bad input
/// accepted, no good one refused. Any finding fails, with a `curl` line to repeat it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many requests to generate for each operation and phase
    #[arg(long, value_name = "N", default_value_t = EXAMPLES)]
    examples: u32,
    /// Where the generation starts; the same seed makes the same requests
    #[arg(long, value_name = "S", default_value_t = SEED)]
    seed: u64,
}

/// Enough that each operation meets every kind of bad input, in two minutes or so.
const EXAMPLES: u32 = 50;

/// The tests of a change use one seed, so that a finding belongs to the change.
const SEED: u64 = 1;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    fuzz(&cargo::build_server()?, args)
}

/// The step of the test suite.
pub(crate) fn check(server: &Path) -> anyhow::Result<()> {
    let args = Args {
        examples: EXAMPLES,
        seed: SEED,
    };
    fuzz(server, &args)
}

fn fuzz(server: &Path, args: &Args) -> anyhow::Result<()> {
    let schemathesis = tools::schemathesis()?;
    let folder = tempfile::tempdir()?;
    let server = Server::start(server, folder.path())?;
    let mut command = Command::new(schemathesis);
    command
        // It keeps what it finds in its working directory.
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(workspace::root().join("xtask/python/schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/openapi.json", server.url()))
        .args(["--checks", "all", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--generation-database", "none"])
        .args(["--max-examples", &args.examples.to_string()])
        .args(["--seed", &args.seed.to_string()])
        .stdin(Stdio::null());
    process::run(&mut command)
        .inspect_err(|_| eprintln!("the server's log ends with:\n{}", server.log_end()))
}

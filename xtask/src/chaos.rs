//! `cargo xtask chaos`: builds the service and the program that tries to make it lose something.

use std::{ffi::OsString, path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::{cargo, process, workspace};

/// Prove that nothing is lost while members and processes die
///
/// Builds the service and `sessionstore-chaos`, which starts a replica set and three services, lets
/// clients write and read while a seeded schedule kills, freezes, cuts off and restarts, and proves
/// from every answer and all that is stored that each promise was kept. All options go to it:
/// `cargo xtask chaos --help` explains them.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Options of `sessionstore-chaos`, such as --minutes N and --seed S
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION"
    )]
    options: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let server = cargo::build_programs()?;
    let is_about_files = args.options.first().is_some_and(|it| it == "check");
    let mut command = program(&server)?;
    if !is_about_files {
        command.arg("--bin").arg(&server);
    }
    process::run(command.args(&args.options))
}

/// A run of about two minutes, which has every kind of fault in it. Always the same trouble: a
/// change is judged by what it does, not by what it meets. Other seeds are for longer runs.
pub(crate) fn check(server: &Path) -> anyhow::Result<()> {
    let mut chaos = program(server)?;
    chaos.arg("--bin").arg(server);
    process::run(chaos.args(["--seed", "77"]))
}

/// The program that was built together with the service.
fn program(server: &Path) -> anyhow::Result<Command> {
    let folder = server.parent().context("a binary lies in a folder")?;
    let program = folder.join("sessionstore-chaos");
    ensure!(program.exists(), "{} was not built", program.display());
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    Ok(command)
}

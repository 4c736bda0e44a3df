//! `cargo xtask deny`: licences, sources and advisories of all dependencies, by `deny.toml`.

use std::process::Command;

use crate::{process, tools, workspace};

/// Check licences, sources and bans of all dependencies
///
/// The rules and their reasons are in deny.toml. cargo-deny is compiled into the cache the first
/// time, which takes about a minute on two cores.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look for known vulnerabilities too; fetches the advisory database from GitHub
    #[arg(long)]
    advisories: bool,
}

/// Whether to look for known vulnerabilities. They appear without any change here and need the
/// network, so the tests of a change leave them out and the scheduled workflow looks.
#[derive(Clone, Copy)]
pub(crate) enum Advisories {
    Check,
    Skip,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    check(if args.advisories {
        Advisories::Check
    } else {
        Advisories::Skip
    })
}

pub(crate) fn check(advisories: Advisories) -> anyhow::Result<()> {
    let mut deny = Command::new(tools::cargo_deny()?);
    deny.current_dir(workspace::root()).args([
        "--workspace",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    if let Advisories::Check = advisories {
        deny.arg("advisories");
    }
    process::run(&mut deny)
}

//! `cargo xtask`: the chores of this repository, one subcommand and one file each.
//!
//! Nothing of the service lives here. What a chore needs from outside (Python tools, dialogues)
//! is fetched in a pinned version into a cache folder beside all checkouts, never into one.

mod ahead;
mod bench;
mod cargo;
mod chaos;
mod chart;
mod cluster;
mod deny;
mod deployment;
mod dev;
mod dialogues;
mod failures;
mod generate;
mod kubernetes;
mod mongo;
mod process;
mod schemathesis;
mod sim;
mod suite;
mod tally;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of the SessionStore repository
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Start with `cargo xtask test`: it needs Rust, Go, root and the package \
                  registries, and runs all that a change has to pass; with --no-kubernetes \
                  neither Go nor root."
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Test(suite::Args),
    /// Fetch the pinned tools and data that the other chores need
    ///
    /// They are fetched when first needed anyway; this does it ahead, before going offline. They go
    /// into the folder that `SESSIONSTORE_CACHE` names, by default ~/.cache/sessionstore. What is
    /// there already costs nothing. The largest is Kubernetes: it is compiled, which takes some ten
    /// minutes on two cores.
    Tools,
    Dialogues(dialogues::Args),
    Schemathesis(schemathesis::Args),
    Sim(sim::Args),
    Chaos(chaos::Args),
    Chart(chart::Args),
    Generate(generate::Args),
    Bench(bench::Args),
    Deny(deny::Args),
    Mongo(mongo::Args),
    Cluster(cluster::Args),
    Dev(dev::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test(args) => return suite::run(&args),
        Chore::Tools => tools::fetch_all(),
        Chore::Dialogues(args) => dialogues::run(&args),
        Chore::Schemathesis(args) => schemathesis::run(&args),
        Chore::Sim(args) => sim::run(&args),
        Chore::Chaos(args) => chaos::run(&args),
        Chore::Chart(args) => chart::run(&args),
        Chore::Generate(args) => generate::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Deny(args) => deny::run(&args),
        Chore::Mongo(args) => mongo::run(&args),
        Chore::Cluster(args) => cluster::run(&args),
        Chore::Dev(args) => dev::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `cargo xtask sim`: many simulated histories of the committer, or one again.

use std::process::Command;

use crate::{
    cargo::{OPTIMISED_SERVICE, cargo},
    process,
};

/// Run the simulator: committers against a store that delays, fails, loses answers and crashes
///
/// Every seed is one history. Invariants are checked after each step; a seed that breaks one is
/// printed, and `cargo xtask sim --seed S` runs that history again.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many histories to run
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    seeds: u32,
    /// Run the history of this seed only
    #[arg(long, value_name = "S", conflicts_with = "seeds")]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let seeds = args.seed.is_none().then_some(args.seeds);
    process::run(&mut simulation(seeds, args.seed))
}

/// The command that simulates so many histories, or the one of a seed.
pub(crate) fn simulation(seeds: Option<u32>, seed: Option<u64>) -> Command {
    let mut command = cargo(["test", "--workspace", "--test", "simulation"]);
    // What plays the histories on a real database decides nothing by the seed.
    let libtest = ["--", "--nocapture", "--skip", "mongodb::"];
    command.args(OPTIMISED_SERVICE).args(libtest);
    if let Some(seeds) = seeds {
        command.env("SESSIONSTORE_SIM_SEEDS", seeds.to_string());
    }
    if let Some(seed) = seed {
        command.env("SESSIONSTORE_SIM_SEED", seed.to_string());
    }
    command
}

//! `sessionstore-chaos`: runs, or judges a run again from its files.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use sessionstore_chaos::{
    clients::Numbers,
    history::values::FaultKind,
    run::{self, Outcome, Settings},
    world::World,
};
use sessionstore_replica_set::Election;

/// Prove that nothing is lost while members and processes die
///
/// Starts a replica set of three members and three service processes on it. Clients create, append,
/// close, erase, read and stream through all three, while a schedule kills, freezes and restarts
/// members and processes, steps the primary down, holds a secondary back, and cuts connections. Every
/// request and answer goes to a history file. At the end everything that is stored is read, and a
/// checker proves from both that every promise of the service was kept, or shows the operations that
/// prove the opposite.
///
/// The seed decides what goes wrong and when, and what the clients intend; threads and machines decide
/// the rest, so the same seed is the same trouble, not the same run. The exit code is 0 only if every
/// promise was kept and enough was tried to say so.
#[derive(Parser)]
#[command(
    name = "sessionstore-chaos",
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
        cargo xtask chaos\n  \
        cargo xtask chaos --minutes 30 --keep\n  \
        cargo xtask chaos --seed 42 --fault kill-primary --fault freeze-primary\n  \
        cargo xtask chaos check history.jsonl --final final.jsonl"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    args: Args,
}

#[derive(Subcommand)]
enum Command {
    /// Judge a run again from its files
    Check {
        /// The history
        history: PathBuf,
        /// What was stored at the end
        #[arg(long = "final", value_name = "FILE")]
        stored: PathBuf,
    },
}

#[derive(clap::Args)]
struct Args {
    /// The binary of the service
    #[arg(long, value_name = "FILE", required = true)]
    bin: Option<PathBuf>,
    /// How long things go wrong; two minutes have every kind of fault in them
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    minutes: f64,
    /// What decides the faults and the clients [default: a new one, printed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Only this kind of fault; may be given several times
    #[arg(long, value_enum, value_name = "KIND")]
    fault: Vec<FaultKind>,
    /// Nothing goes wrong
    #[arg(long, conflicts_with = "fault")]
    calm: bool,
    /// How long a fault lasts that is mended, in seconds [default: what suits its kind]
    ///
    /// Longer than an election: what is measured then is how long the set takes without its primary.
    #[arg(long, value_name = "S")]
    lasting: Option<u64>,
    /// The election settings of the set: `tuned` are those that docs/mongodb.md recommends
    #[arg(long, value_enum, default_value_t = Elections::Tuned)]
    election: Elections,
    /// On which store: one process on the embedded store can only be killed, stopped and frozen
    #[arg(long, value_enum, default_value_t = Store::Mongodb)]
    store: Store,
    /// Clients with sessions of their own; those of other kinds come in proportion
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    writers: u32,
    /// Seconds that a busy machine may add to the service's deadline of 10
    #[arg(long, value_name = "S", default_value_t = 5)]
    slack: u64,
    /// Keep all data and logs, also when every promise was kept
    #[arg(long)]
    keep: bool,
    /// Where data, logs and the history go [default: a new temporary folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Mongodb,
    Embedded,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Elections {
    Tuned,
    /// Those that a member has when nobody sets any
    Defaults,
}

impl From<Elections> for Election {
    fn from(elections: Elections) -> Self {
        match elections {
            Elections::Tuned => Self::Tuned,
            Elections::Defaults => Self::Defaults,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Check { history, stored }) => check(&history, &stored),
        None => chaos(&cli.args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(history: &Path, stored: &Path) -> anyhow::Result<bool> {
    let outcome = run::judge_files(history, stored)?;
    Ok(show(&outcome))
}

fn chaos(args: &Args) -> anyhow::Result<bool> {
    let binary = args.bin.as_deref().context("--bin is missing")?;
    // Short enough to be typed again.
    let seed = args
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let folder = folder(args)?;
    let settings = Settings {
        seed,
        length: Duration::try_from_secs_f64(args.minutes * 60.0).context("--minutes")?,
        kinds: kinds(args),
        lasting: args.lasting.map(Duration::from_secs),
        numbers: numbers(args.writers),
        slack: Duration::from_secs(args.slack),
        folder: folder.clone(),
    };
    println!("seed {seed}; history in {}", settings.history().display());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let world = match args.store {
            Store::Mongodb => World::replicated(binary, &folder, args.election.into()).await?,
            Store::Embedded => World::embedded(binary, &folder).await?,
        };
        anyhow::Ok(run::run(&settings, &world).await?)
    });
    // Whatever went wrong, its evidence stays.
    let is_good = outcome.as_ref().is_ok_and(show);
    if is_good && !args.keep && args.folder.is_none() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    } else {
        println!("history, logs and data are in {}", folder.display());
    }
    println!("repeat it with: {}", again(args, seed));
    outcome.map(|_| is_good)
}

/// Shows figures and verdict. Whether all is well: every promise kept, and enough tried to say so.
fn show(outcome: &Outcome) -> bool {
    let Outcome { verdict, report } = outcome;
    println!("\n{report}\n{verdict}");
    if !report.is_enough() {
        println!("too little was tried to say anything");
    }
    verdict.is_clean() && report.is_enough()
}

fn folder(args: &Args) -> anyhow::Result<PathBuf> {
    let Some(folder) = &args.folder else {
        let folder = tempfile::Builder::new()
            .prefix("sessionstore-chaos-")
            .tempdir()?;
        return Ok(folder.keep());
    };
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    Ok(folder.clone())
}

fn kinds(args: &Args) -> Vec<FaultKind> {
    match (args.calm, args.fault.as_slice()) {
        (true, _) => Vec::new(),
        (false, []) => FaultKind::ALL.to_vec(),
        (false, some) => some.to_vec(),
    }
}

/// So many writers, and others in the proportion of the default.
fn numbers(writers: u32) -> Numbers {
    let default = Numbers::default();
    let as_many = |count: u32| (count * writers / default.writers).max(1);
    Numbers {
        writers,
        crowd: as_many(default.crowd),
        readers: as_many(default.readers),
        followers: as_many(default.followers),
    }
}

/// The command that makes the same trouble again.
fn again(args: &Args, seed: u64) -> String {
    let mut command = format!("cargo xtask chaos --seed {seed} --minutes {}", args.minutes);
    if args.calm {
        command.push_str(" --calm");
    }
    for fault in &args.fault {
        let _ = write!(command, " --fault {fault}");
    }
    if let Some(store) = args.store.to_possible_value() {
        command.push_str(" --store ");
        command.push_str(store.get_name());
    }
    if let Some(seconds) = args.lasting {
        let _ = write!(command, " --lasting {seconds}");
    }
    if args.election == Elections::Defaults {
        command.push_str(" --election defaults");
    }
    if args.writers != Numbers::default().writers {
        let _ = write!(command, " --writers {}", args.writers);
    }
    command
}

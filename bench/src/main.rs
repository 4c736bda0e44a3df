//! Load generator: how many requests a second the service answers, how fast, and at what cost of
//! CPU and memory.
//!
//! Closed loop: each connection sends its next request when it has the answer to the last. That
//! finds the throughput at a given concurrency; latency under a given rate is another question.
//! `workload` says what is sent, `load` sends it, `measure` reads what it cost, `report` shows it.

mod load;
mod measure;
mod raw;
mod report;
mod workload;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::Parser;
use hyper::Uri;
use sessionstore_launch::Server;
use sessionstore_replica_set::{Options, ReplicaSet};
use tempfile::TempDir;

use crate::{
    load::{Load, Stop},
    measure::Process,
    report::{Measurement, Report, Round},
    workload::{Source, Workload},
};

/// Measure the service under load
///
/// Each workload gets a fresh server on an empty store (with --bin), is prepared, warmed up and
/// measured in rounds. The exit code is 0 only if every answer was the expected one.
#[derive(Parser)]
#[command(name = "sessionstore-bench")]
struct Args {
    /// Start this binary of the service, built for release, on a folder of its own
    #[arg(long, value_name = "FILE", required_unless_present = "url")]
    bin: Option<PathBuf>,
    /// Measure a server that runs already, such as `http://127.0.0.1:8080`
    #[arg(long, conflicts_with = "bin")]
    url: Option<Uri>,
    /// The process of that server, to measure its CPU and memory too
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Where to make the store's folder: measure on the disk that matters, not in memory
    #[arg(long, value_name = "FOLDER", conflicts_with = "url")]
    folder: Option<PathBuf>,
    /// Only this workload; may be given several times
    #[arg(long, value_enum, value_name = "NAME")]
    workload: Vec<Workload>,
    /// Connections, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Seconds of a round
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Rounds of a workload; the table shows the median of their rates
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Seconds before the first round that do not count
    #[arg(long, value_name = "S", default_value_t = 3)]
    warm_up: u64,
    /// Measure on MongoDB: start three members here, and show each figure as a ratio to what the
    /// plain driver does on the same members
    #[arg(long, requires = "bin", conflicts_with = "folder")]
    mongodb: bool,
    /// Start so many processes of the service on them, and spread the connections
    #[arg(long, value_name = "N", default_value_t = 1, requires = "mongodb")]
    processes: usize,
    /// Store so many events in 20,000 other sessions first
    #[arg(long, value_name = "EVENTS", default_value_t = 0)]
    preload: u64,
    /// Write all figures, the machine and the commit to this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is measured: servers of our own, which end with this value, or somebody else's.
struct Target {
    urls: Vec<Uri>,
    /// The process whose costs are measured: the only one, or one of several.
    process: Option<Process>,
    _own: Vec<(Server, TempDir)>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(report) if report.has_errors() => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Report> {
    // One thread: the server needs the other cores, and this much load needs no more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(measure_all(args))?;
    println!("{report}");
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(report)
}

async fn measure_all(args: &Args) -> anyhow::Result<Report> {
    let workloads = if args.workload.is_empty() {
        Workload::ALL.to_vec()
    } else {
        args.workload.clone()
    };
    // Ids of an earlier run against the same server must not come again.
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let set = if args.mongodb {
        eprintln!("starting three members of a replica set");
        Some(ReplicaSet::start(Options::default()).await?)
    } else {
        None
    };
    let mut measurements = Vec::new();
    for workload in workloads {
        let run = format!("bench-{started:x}-{workload}");
        let measurement = measure(args, set.as_ref(), workload, &run)
            .await
            .with_context(|| format!("workload {workload}"))?;
        measurements.push(measurement);
    }
    Ok(Report::new(
        args.connections,
        args.seconds,
        args.preload,
        measurements,
    ))
}

async fn measure(
    args: &Args,
    set: Option<&ReplicaSet>,
    workload: Workload,
    run: &str,
) -> anyhow::Result<Measurement> {
    let target = target(args, set).await?;
    let mut load = Load::connect(&target.urls, args.connections).await?;

    eprintln!("{workload}: preparing");
    for (source, requests) in workload::preload(run, args.preload) {
        prepare(&mut load, &source, requests).await?;
    }
    for (source, requests) in workload.preparation(run) {
        prepare(&mut load, &source, requests).await?;
    }
    if let Some(server) = target.process {
        server.reset_peak()?;
    }

    let source = workload.source(run);
    let until = |seconds| Stop::At(Instant::now() + Duration::from_secs(seconds));
    let mut next = load.run(&source, 0, until(args.warm_up)).await?.next;
    let ceiling = match set {
        Some(set) => raw::Ceiling::of(workload, set).await?,
        None => None,
    };
    let mut ceilings = Vec::with_capacity(args.rounds);
    let mut rounds = Vec::with_capacity(args.rounds);
    for number in 1..=args.rounds {
        let before = cpu_times(target.process)?;
        let outcome = load.run(&source, next, until(args.seconds)).await?;
        next = outcome.next;
        let round = Round::new(outcome, before, cpu_times(target.process)?);
        let rate = round.requests_per_second();
        eprintln!("{workload}: round {number} of {}: {rate:.0}/s", args.rounds);
        rounds.push(round);
        if let Some(ceiling) = &ceiling {
            let rate = ceiling.measure(args.connections, Duration::from_secs(args.seconds))?;
            eprintln!("{}: {rate:.0}/s", ceiling.name());
            ceilings.push(rate);
        }
    }
    let memory = target.process.map(Process::memory).transpose()?;
    let ceiling = ceiling.map(|it| (it.name(), ceilings.as_slice()));
    Measurement::new(workload, &rounds, memory, ceiling)
}

/// Sends what a workload needs to be there; here every answer has to be the expected one.
async fn prepare(load: &mut Load, source: &Source, requests: u64) -> anyhow::Result<()> {
    let outcome = load.run(source, 0, Stop::Before(requests)).await?;
    anyhow::ensure!(
        outcome.failures.is_empty(),
        "cannot prepare the store: {:?}",
        outcome.failures
    );
    Ok(())
}

async fn target(args: &Args, set: Option<&ReplicaSet>) -> anyhow::Result<Target> {
    if let Some(url) = &args.url {
        return Ok(Target {
            urls: vec![url.clone()],
            process: args.pid.map(Process::Other),
            _own: Vec::new(),
        });
    }
    let binary = args.bin.as_ref().context("neither --bin nor --url")?;
    let database = match set {
        Some(set) => Some(set.fresh_database().await?),
        None => None,
    };
    let mut own = Vec::with_capacity(args.processes);
    for _ in 0..args.processes {
        let folder = match &args.folder {
            Some(parent) => TempDir::new_in(parent)?,
            None => TempDir::new()?,
        };
        let server = match &database {
            Some(url) => Server::start_on(binary, url, folder.path())?,
            None => Server::start(binary, folder.path())?,
        };
        own.push((server, folder));
    }
    let urls = own.iter().map(|(server, _)| server.url().parse());
    Ok(Target {
        urls: urls.collect::<Result<_, _>>()?,
        process: own.first().map(|(server, _)| Process::Other(server.pid())),
        _own: own,
    })
}

/// CPU time of the server, if it can be read, and of this generator.
fn cpu_times(server: Option<Process>) -> anyhow::Result<(Option<Duration>, Duration)> {
    let server = server.map(Process::cpu_time).transpose()?;
    Ok((server, Process::Own.cpu_time()?))
}

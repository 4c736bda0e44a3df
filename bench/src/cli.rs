//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};
use hyper::Uri;

use crate::{
    backend::Backend,
    lab::Service,
    plan::{Part, Wish},
    workload::Workload,
};

/// Measure the service under load
///
/// Without options everything is measured that the documents of this project quote, on the embedded
/// store and on a replica set of three members that is started here: each workload at 1, 16, 64 and
/// 256 connections, given rates, overload, streams, growth and memory (--part names them). That
/// takes about an hour and a half. --quick gives a coarse picture in three minutes, --dry-run says
/// what would be done.
///
/// Each step gets a fresh server on an empty store, is prepared, warmed up and measured in rounds.
/// Between the rounds of a workload its ceilings are measured: what the plain parts below the
/// service do on the same machine. On a machine that is shared, the ratio to a ceiling tells more
/// than the figure itself.
///
/// At the end stand the goals of the project beside what was measured of them. The exit code is 0
/// only if every answer was the expected one.
#[derive(Parser)]
#[command(
    name = "sessionstore-bench",
    args_conflicts_with_subcommands = true,
    after_long_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) args: Args,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench --quick --json now.json
      A coarse picture, kept in a file
  cargo xtask bench --backend mongodb --workload append --connections 64 --rounds 10
      One workload on MongoDB, well measured
  cargo xtask bench --backend embedded --workload append --rate 2000
      How long appends take when 2,000 come every second
  cargo xtask bench --url http://127.0.0.1:8080 --pid 1234 --workload get20
      A server that runs already
  cargo xtask bench compare before.json now.json
      What changed beyond noise
  cargo xtask bench plot now.json docs/benchmarks
      Pictures of it

How to read the figures: docs/benchmarks/README.md";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the tables of a run again
    Show {
        /// What --json has written
        file: PathBuf,
        /// As Markdown, for docs/benchmarks
        #[arg(long)]
        markdown: bool,
    },
    /// Draw a run: throughput, latency and growth, as SVG
    Plot {
        /// What --json has written
        file: PathBuf,
        /// Where the pictures go, such as docs/benchmarks
        folder: PathBuf,
    },
    /// Say what changed between two runs beyond noise
    ///
    /// A figure has changed if the rounds of the two runs are farther apart than the rounds of
    /// either, and their medians differ by 3 % at least. Ratios to ceilings can be compared even
    /// when the machine was in another state, which a note tells.
    Compare {
        /// What --json has written before
        before: PathBuf,
        /// And now
        after: PathBuf,
    },
    /// Serve the API without a store, as a ceiling
    #[command(hide = true)]
    ServeRoute,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A coarse picture in three minutes: short rounds, fewer numbers of connections, nothing that
    /// has to grow first
    #[arg(long)]
    quick: bool,
    /// Say what would be measured and about how long that takes, and end
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write all figures, the machine and the commit to this file, after every step
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Only this part; may be given several times
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        help_heading = "What is measured"
    )]
    part: Vec<Part>,
    /// Only on this backend; may be given several times
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        help_heading = "What is measured"
    )]
    backend: Vec<Backend>,
    /// The same as --backend mongodb
    #[arg(long, conflicts_with = "backend", help_heading = "What is measured")]
    mongodb: bool,
    /// Only this workload; may be given several times. In a closed loop, unless --part or --rate
    /// says otherwise
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        help_heading = "What is measured"
    )]
    workload: Vec<Workload>,
    /// Connections, each with one request in flight; may be given several times
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        help_heading = "What is measured"
    )]
    connections: Vec<u32>,
    /// Requests a second of an open loop, sent when they are due, however long earlier ones take;
    /// may be given several times [default: 10 to 90 % of what a closed loop gets through]
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "What is measured")]
    rate: Vec<f64>,
    /// Store so many events in 20,000 other sessions before each workload
    #[arg(
        long,
        value_name = "EVENTS",
        default_value_t = 0,
        help_heading = "What is measured"
    )]
    pub(crate) preload: u64,

    /// Events of the store that has grown, for --part growth [default: 1000000]
    #[arg(long, value_name = "EVENTS", help_heading = "What is measured")]
    events: Option<u64>,

    /// Seconds of a round [default: 5, with --quick 1]
    #[arg(long, value_name = "S", value_parser = seconds, help_heading = "How long")]
    seconds: Option<Duration>,
    /// Rounds; a table shows the median, and how far apart they were [default: 3, with --quick 2]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1_000),
        help_heading = "How long"
    )]
    rounds: Option<u16>,
    /// Seconds before the first round that do not count [default: 2, with --quick 0.5]
    #[arg(long, value_name = "S", value_parser = seconds, help_heading = "How long")]
    warm_up: Option<Duration>,
    /// Seconds of --part soak [default: 600]
    #[arg(long, value_name = "S", value_parser = seconds, help_heading = "How long")]
    soak: Option<Duration>,

    /// Start this binary of the service, built for release [default: the one beside this program]
    #[arg(long, value_name = "FILE", help_heading = "The service")]
    bin: Option<PathBuf>,
    /// Where to make the folders of embedded stores: measure on the disk that matters, not in
    /// memory
    #[arg(long, value_name = "FOLDER", help_heading = "The service")]
    folder: Option<PathBuf>,
    /// Start so many processes of the service on one replica set, and spread the connections
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        requires = "mongodb",
        help_heading = "The service"
    )]
    processes: usize,
    /// Measure a server that runs already, such as `http://127.0.0.1:8080`, with whatever it
    /// stores; nothing is started, so there are no ceilings
    #[arg(
        long,
        conflicts_with_all = ["bin", "folder", "backend", "mongodb"],
        help_heading = "The service"
    )]
    url: Option<Uri>,
    /// The process of that server, to measure its CPU and memory too
    #[arg(long, requires = "url", help_heading = "The service")]
    pid: Option<u32>,
}

impl Args {
    pub(crate) fn wish(&self) -> Wish {
        let backends = if self.url.is_some() {
            vec![Backend::Given]
        } else if self.mongodb {
            vec![Backend::Mongodb]
        } else {
            self.backend.clone()
        };
        Wish {
            quick: self.quick,
            parts: self.part.clone(),
            backends,
            rates: self.rate.clone(),
            workloads: self.workload.clone(),
            connections: self.connections.iter().map(|it| *it as usize).collect(),
            events: self.events,
            soak: self.soak,
            warm_up: self.warm_up,
            round: self.seconds,
            rounds: self.rounds.map(usize::from),
        }
    }

    pub(crate) fn service(&self) -> anyhow::Result<Service> {
        if let Some(url) = &self.url {
            return Ok(Service::Running {
                url: url.clone(),
                pid: self.pid,
            });
        }
        Ok(Service::Binary {
            file: self.bin.clone().map_or_else(beside_this_program, Ok)?,
            folder: self.folder.clone(),
            processes: self.processes,
        })
    }
}

/// Where cargo puts all programs of the workspace.
fn beside_this_program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let file = own.with_file_name("sessionstore");
    anyhow::ensure!(
        file.exists(),
        "there is no {}: name the service's binary with --bin",
        file.display()
    );
    Ok(file)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (1.0..=1e6).contains(&rate) {
        Ok(rate)
    } else {
        Err("not between 1 and 1,000,000 a second".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(86_400) {
        return Err("longer than a day".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::ceiling::SUBCOMMAND;

    fn wish(options: &[&str]) -> Wish {
        let program = ["sessionstore-bench"].iter();
        let cli = Cli::try_parse_from(program.chain(options)).unwrap();
        cli.args.wish()
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_become_wishes() {
        let wish = wish(&["--mongodb", "--connections", "8", "--seconds", "0.5"]);
        assert_eq!(wish.backends, [Backend::Mongodb]);
        assert_eq!(wish.connections, [8]);
        assert_eq!(wish.round, Some(Duration::from_millis(500)));
    }

    #[test]
    fn a_server_that_runs_already_is_the_only_backend() {
        assert_eq!(wish(&["--url", "http://h:1"]).backends, [Backend::Given]);
    }

    #[test]
    fn the_service_without_a_store_is_a_subcommand_that_nobody_sees() {
        let cli = Cli::try_parse_from(["sessionstore-bench", SUBCOMMAND]).unwrap();
        assert!(matches!(cli.command, Some(Command::ServeRoute)));
        assert!(
            !Cli::command()
                .render_long_help()
                .to_string()
                .contains(SUBCOMMAND)
        );
    }
}

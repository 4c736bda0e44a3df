//! The command line: what `sessionstore-operator` can be told to do.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Settings;
use crate::{crd, install_key, run, version};

/// Turns SessionStore manifests into running stores
///
/// A SessionStore is one manifest; the operator makes of it a MongoDB replica set and the API that
/// keeps its sessions, and looks after both: it grows and shrinks the set, restarts members one by
/// one, and says in the manifest's status what it does and what it waits for. Without a command it
/// runs, with the settings of `run`.
#[derive(Parser, Debug)]
#[command(
    name = "sessionstore-operator",
    version = version::long(),
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Look after the SessionStores of a cluster (what is done without a command)
    #[command(after_long_help = HELP)]
    Run(Box<Settings>),
    InstallKey(InstallKeyArgs),
    /// Print the custom resource definition, for `kubectl apply --server-side -f -`
    Crd {
        /// Print the reference of its fields instead, as Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  source <(sessionstore-operator completions bash)")]
    Completions {
        /// Which one
        shell: clap_complete::Shell,
    },
}

/// Put a replica set's key file where mongod accepts it
///
/// mongod starts only with a key file that nobody but its owner may read, and a mounted Secret
/// is not always that. The copy belongs to the user that this runs as and has mode 0400. It may run
/// any number of times. Meant for the init container that the operator puts into mongod's pods.
#[derive(Args, Debug)]
struct InstallKeyArgs {
    /// The key as the Secret is mounted
    #[arg(long, env = "SESSIONSTORE_OPERATOR_KEY_FROM", value_name = "FILE")]
    from: PathBuf,
    /// Where mongod looks for it: in a volume in memory that this user may write to
    #[arg(long, env = "SESSIONSTORE_OPERATOR_KEY_TO", value_name = "FILE")]
    to: PathBuf,
}

/// How settings are given; printed below them.
const HELP: &str = "\
Settings:
  A setting is given as a flag or as the variable named beside it; a flag wins. A value that makes
  no sense stops the start with exit code 2.

  DURATION  a number with its unit: 500ms, 15s, 2m

The cluster:
  In a pod it is the one that the pod runs in, by its service account. Elsewhere it is the current
  context of KUBECONFIG or ~/.kube/config.

Several operators:
  Any number may run; the one that holds the Lease works, the others wait. On SIGTERM it gives the
  Lease away and another one goes on within seconds; if it dies, after --lease-duration.

Traces:
  Exported by OTLP (http/protobuf) when OTEL_EXPORTER_OTLP_ENDPOINT or
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. The other standard variables count too:
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS,
  OTEL_BSP_*, OTEL_SDK_DISABLED and so on.

Signals:
  SIGTERM and SIGINT stop it: the work in flight ends, the Lease is given away. A second one ends
  it at once.

Examples:
  sessionstore-operator --api-image ghcr.io/sessionstore/sessionstore:0.1.0 \\
    --operator-image ghcr.io/sessionstore/sessionstore-operator:0.1.0
  SESSIONSTORE_OPERATOR_LOG=debug sessionstore-operator run --namespace voice …
  sessionstore-operator install-key --from /secret/key --to /key/mongodb";

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        // Help goes to standard output and is no failure; clap knows.
        Err(error) => error.exit(),
    };
    match cli.command {
        Command::Run(settings) => run::run(*settings),
        Command::InstallKey(args) => match install_key::install_key(&args.from, &args.to) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Command::Crd { markdown: true } => print(crd::markdown().as_bytes()),
        Command::Crd { markdown: false } => match crd::yaml() {
            Ok(yaml) => print(yaml.as_bytes()),
            Err(error) => fail(&error, 1),
        },
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command(), "sessionstore-operator", &mut text);
            print(&text)
        }
    }
}

/// The command line, as help and completions show it: they name variables, not what is in them.
fn command() -> clap::Command {
    fn hide_values(command: clap::Command) -> clap::Command {
        command
            .mut_args(|arg| arg.hide_env_values(true))
            .mut_subcommands(hide_values)
    }
    hide_values(Cli::command())
}

impl Cli {
    fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments: Vec<_> = arguments.into_iter().collect();
        if is_run(arguments.get(1).map(OsString::as_os_str)) {
            arguments.insert(1, "run".into());
        }
        let matches = command().try_get_matches_from(arguments)?;
        Self::from_arg_matches(&matches)
    }
}

/// Whether the command was left out: the first argument is none, or a flag of `run`. (Flattening its
/// settings into the program's own would make them required of every other command.)
fn is_run(first: Option<&OsStr>) -> bool {
    let Some(first) = first.and_then(OsStr::to_str) else {
        return first.is_none();
    };
    first.starts_with('-') && !["-h", "--help", "-V", "--version"].contains(&first)
}

/// Tells why it cannot go on.
fn fail(error: &impl Display, code: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}

fn print(text: &[u8]) -> ExitCode {
    match io::stdout()
        .write_all(text)
        .and_then(|()| io::stdout().flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format_args!("cannot write standard output: {error}"), 1),
    }
}

#[cfg(test)]
mod tests;

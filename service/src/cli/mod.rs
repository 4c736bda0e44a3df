//! The command line: what `sessionstore` can be told to do. Each command that is more than a line
//! has a file of its own; `serve` is where the parts of the server are put together.

mod answer;
mod client;
mod export;
mod import;
mod output;
mod progress;
mod serve;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime;

use crate::config::{ContradictionError, Environment, Settings, SourceError, Sources};
use crate::http;
use crate::shutdown::Signals;
use crate::version;

use export::{ExportArgs, ExportError};
use import::{ImportArgs, ImportError};

/// Keeps the record of every conversation: sessions and their events, over HTTP
///
/// A voice, chat or contact-centre platform keeps one record of each conversation: a session, and
/// in it the events (what the user said, what the bot said, what the system did). SessionStore is
/// that record as a service: retries are always safe, nothing acknowledged is lost, order is
/// exact. Without a command it serves, on an embedded store in ./data.
#[derive(Parser, Debug)]
#[command(
    name = "sessionstore",
    version = version::long(),
    args_conflicts_with_subcommands = true,
    after_long_help = HELP,
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Box<Settings>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve the API (what is done without a command)
    #[command(after_long_help = HELP)]
    Serve(Box<Settings>),
    Import(ImportArgs),
    Export(ExportArgs),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Print the list of errors, as it is in docs/errors.md
    #[command(hide = true)]
    Errors,
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  source <(sessionstore completions bash)")]
    Completions {
        /// Which one
        shell: clap_complete::Shell,
    },
}

/// How settings are given; printed below them.
const HELP: &str = "\
Settings:
  A setting is given as a flag, as the variable named beside it, or as a key of the TOML file of
  --config, named like the flag: log-format = \"json\". A flag wins over a variable, a variable
  over the file, the file over the default. A value that makes no sense stops the start with one
  line that says where it came from, and exit code 2.

  DURATION  a whole number with its unit: 500ms, 10s, 2m, 1h
  BYTES     a whole number, in bytes or with a unit: 4096, 256KiB, 8MiB

Traces:
  Exported by OTLP (http/protobuf) when OTEL_EXPORTER_OTLP_ENDPOINT or
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. The other standard variables count too:
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS,
  OTEL_BSP_*, OTEL_SDK_DISABLED and so on.

Signals:
  SIGTERM and SIGINT stop it: readiness fails, requests in flight finish, the store is closed. A
  second one ends it at once.

Examples:
  sessionstore
  sessionstore --http-addr 0.0.0.0:8080 --store-url embedded:/var/lib/sessionstore
  SESSIONSTORE_LOG=debug sessionstore --config /etc/sessionstore.toml
  sessionstore import conversations.jsonl
  sessionstore export --status completed backup.jsonl";

/// Ended by the user.
const INTERRUPTED: u8 = 130;

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let environment = |name: &str| env::var_os(name);
    let cli = match Cli::read(env::args_os().collect(), &environment) {
        Ok(cli) => cli,
        Err(StartError::Source(SourceError::CommandLine(help))) if !help.use_stderr() => {
            // A pipe that is closed early has seen enough.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error, 2),
    };
    match cli.command {
        None => serve::run(*cli.settings),
        Some(Command::Serve(settings)) => serve::run(*settings),
        Some(Command::Import(args)) => wait_for(import::run(args), |error| {
            matches!(error, ImportError::Interrupted)
        }),
        Some(Command::Export(args)) => wait_for(export::run(args), |error| {
            matches!(error, ExportError::Interrupted)
        }),
        Some(Command::Openapi) => print(http::openapi::openapi_json().as_bytes()),
        Some(Command::Errors) => print(http::errors_markdown().as_bytes()),
        Some(Command::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command(), "sessionstore", &mut text);
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

/// Why nothing is begun.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Contradiction(#[from] ContradictionError),
}

impl Cli {
    fn read(arguments: Vec<OsString>, environment: Environment<'_>) -> Result<Self, StartError> {
        let sources = Sources {
            arguments,
            environment,
        };
        let given = sources.parse(&command(), "serve")?;
        let mut cli = Self::from_arg_matches(&given.matches).map_err(SourceError::CommandLine)?;
        let settings = match &mut cli.command {
            None => &mut cli.settings,
            Some(Command::Serve(settings)) => settings,
            Some(_) => return Ok(cli),
        };
        settings.resolve_store_url(&given)?;
        settings.check()?;
        Ok(cli)
    }
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

/// Runs a command that is a client of a server, on this thread.
fn wait_for<E: Display>(
    command: impl Future<Output = Result<(), E>>,
    is_interruption: impl FnOnce(&E) -> bool,
) -> ExitCode {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let result = runtime.block_on(command);
    // A name that is being looked up cannot be interrupted, and need not be waited for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_interruption(&error) => fail(&error, INTERRUPTED),
        Err(error) => fail(&error, 1),
    }
}

/// Until the user wants it to end.
async fn interruption() {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        // Without handlers the signals end the process by themselves.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

//! The operator's binary.

use std::{io::Write, process::ExitCode};

use clap::{Parser, Subcommand};
use sessionstore_operator::crd;

/// Runs `SessionStore` resources
#[derive(Parser)]
#[command(name = "sessionstore-operator", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the custom resource definition, for `kubectl apply --server-side -f -`
    Crd {
        /// Print the reference of its fields instead, as Markdown
        #[arg(long)]
        markdown: bool,
    },
}

fn main() -> ExitCode {
    let Command::Crd { markdown } = Cli::parse().command;
    let text = if markdown {
        Ok(crd::markdown())
    } else {
        crd::yaml()
    };
    match text
        .map_err(|error| error.to_string())
        .and_then(|text| print(&text))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}

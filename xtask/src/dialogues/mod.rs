//! `cargo xtask dialogues`: real conversations in many languages as sessions and events.
//!
//! `corpus` reads the files of the chatterbot corpus and says what was odd in them, `lines` turns
//! them into the lines that `sessionstore import` takes, `verify` proves that a server gives back
//! what was imported.

mod corpus;
mod lines;
mod verify;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::ValueEnum;

use self::{corpus::Corpus, lines::Line};
use crate::{cargo, tools};

/// Convert real dialogues into input for `sessionstore import`
///
/// The chatterbot corpus (28 languages) becomes JSON Lines: every conversation one completed
/// session, every line of it one event, user and bot in turn. The same corpus always makes the
/// same bytes. What is odd in the data is handled as the printed counts say.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file to write; standard output without
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Instead of writing: import twice into a fresh server, export and compare
    #[arg(long, conflicts_with = "out")]
    verify: bool,
    /// What the server of --verify stores on
    #[arg(long, value_enum, default_value_t = Backend::Embedded, requires = "verify")]
    backend: Backend,
}

/// What a server stores on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Backend {
    /// A folder
    Embedded,
    /// A MongoDB replica set, on which two processes run: one imports, the other exports
    Mongodb,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.verify {
        return verify(&cargo::build_server()?, args.backend);
    }
    let lines = source()?;
    match &args.out {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            write_lines(&lines, file)
        }
        None => write_lines(&lines, io::stdout().lock()),
    }
}

/// The step of the test suite.
pub(crate) fn verify(server: &Path, backend: Backend) -> anyhow::Result<()> {
    verify::verify(server, &source()?, backend)
}

/// Reads the corpus, says what is in it, and returns it as lines.
fn source() -> anyhow::Result<Vec<Line>> {
    let corpus = Corpus::read(&tools::corpus()?)?;
    eprintln!("{}", corpus.description());
    Ok(lines::lines_of(&corpus.dialogues))
}

fn write_lines(lines: &[Line], file: impl Write) -> anyhow::Result<()> {
    let mut file = BufWriter::new(file);
    for line in lines {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

//! Load generator: how many requests a second the service answers, how fast, and at what cost of
//! CPU and memory, beside what the parts below it do on the same machine.
//!
//! `plan` says what is measured, `lab` starts it, `measure` measures it, `results` is what comes
//! out, `table` shows it, `goals` beside what it should be, `compare` beside another run, `plot`
//! draws it. Below them: `workload` is what is sent, `closed` and `open` are two ways of
//! sending it, over the connections of `client`, and `stream` receives; `ceiling` does the same without the service; `process`,
//! `metrics`, `machine` and `figures` are what is read and counted.

mod backend;
mod ceiling;
mod cli;
mod client;
mod closed;
mod compare;
mod figures;
mod goals;
mod lab;
mod machine;
mod measure;
mod metrics;
mod open;
mod plan;
mod plot;
mod process;
mod results;
mod run;
mod stream;
mod table;
mod workload;

use std::{path::Path, process::ExitCode};

use clap::Parser;

use crate::{
    ceiling::serve,
    cli::{Args, Cli, Command},
    plan::Plan,
    results::Results,
};

fn main() -> ExitCode {
    let Cli { command, args } = Cli::parse();
    let done = match command {
        None => run(&args),
        Some(Command::Show { file, markdown }) => show(&file, markdown),
        Some(Command::Plot { file, folder }) => plot(&file, &folder),
        Some(Command::Compare { before, after }) => compare(&before, &after),
        Some(Command::ServeRoute) => serve::run().map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let plan = Plan::of(&args.wish());
    if args.dry_run {
        println!("{plan}");
        return Ok(ExitCode::SUCCESS);
    }
    let results = run::run(&plan, args)?;
    println!("{}", table::text(&results));
    Ok(if results.has_errors() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn show(file: &Path, markdown: bool) -> anyhow::Result<ExitCode> {
    let results = Results::read(file)?;
    let shown = if markdown {
        table::markdown(&results)
    } else {
        table::text(&results)
    };
    println!("{shown}");
    Ok(ExitCode::SUCCESS)
}

fn plot(file: &Path, folder: &Path) -> anyhow::Result<ExitCode> {
    for path in plot::write(&Results::read(file)?, folder)? {
        println!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(before: &Path, after: &Path) -> anyhow::Result<ExitCode> {
    let [before, after] = [Results::read(before)?, Results::read(after)?];
    println!("{}", compare::compare(&before, &after));
    Ok(ExitCode::SUCCESS)
}

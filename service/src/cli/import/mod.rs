//! `sessionstore import`: JSON Lines into a server.
//!
//! `line` reads one line, `work` cuts lines into work, both without IO; `worker` carries work out,
//! `input` reads the file. Here is what connects them: one thread that reads, several workers,
//! every session with the same one, so that its lines are done in order. Queues are short, so a
//! file of any size costs the same memory.

mod input;
mod line;
mod work;
mod worker;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Args;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::client::{CallError, Client, ServerArgs};
use crate::cli::interruption;
use crate::cli::progress::Progress;
use crate::config::{bytes, count};

use input::Input;
use work::{Bounds, Work};
use worker::{Counts, Worker};

/// Store sessions and events from JSON Lines
///
/// Reads lines as `export` writes them, {"session": {…}} or {"event": {…}}, and stores them
/// through the API. The events of a session follow its line. A session whose status is completed
/// or failed is closed after them. What only a server makes (createdAt, seq, recordedAt, version
/// and the like) is ignored.
///
/// Safe to interrupt and to repeat: what is stored already is recognised, and stays as it is.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessionstore import conversations.jsonl
  zcat backup.jsonl.gz | sessionstore import --url https://sessions.example.org -")]
pub(super) struct ImportArgs {
    /// The file to read; - is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Go on after a line that cannot be stored, leaving out the rest of its session
    #[arg(long)]
    keep_going: bool,
    /// Sessions that are worked on at the same time
    #[arg(long, value_name = "COUNT", default_value = "16", value_parser = count(1, 1000))]
    concurrency: usize,
    /// Events in one request; at most the server's --limit-batch-items
    #[arg(long, value_name = "COUNT", default_value = "500", value_parser = count(1, 10_000))]
    batch_items: usize,
    /// Bytes in one request; at most the server's --limit-batch-body
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "1MiB",
        value_parser = bytes(1 << 10, 64 << 20),
    )]
    batch_bytes: usize,
    #[command(flatten)]
    server: ServerArgs,
}

/// Why an import is not complete.
#[derive(Debug, Error)]
pub(super) enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// Its name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is no way to call a server.
    #[error(transparent)]
    NoClient(#[from] CallError),
    /// Lines were not stored. Each has been told.
    #[error("not all was imported; once the cause is mended, run the same command again")]
    Failed,
    /// The user wants it to end.
    #[error("interrupted; run the same command again to go on")]
    Interrupted,
}

/// What everybody who takes part in an import shares.
struct Run {
    progress: Progress,
    keep_going: bool,
    /// Ends it before its end.
    stop: CancellationToken,
    /// Events that were worked on.
    events: AtomicU64,
    /// Failures that were told.
    failures: AtomicU64,
}

impl Run {
    /// Tells a failure, which ends the import unless it is to go on.
    fn fail(&self, failure: impl fmt::Display) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.progress.line(format_args!("error: {failure}"));
        if !self.keep_going {
            self.stop.cancel();
        }
    }
}

pub(super) async fn run(args: ImportArgs) -> Result<(), ImportError> {
    let client = Client::new(&args.server)?;
    let input = Input::open(&args.file)?;
    let started = Instant::now();
    let run = Arc::new(Run {
        progress: Progress::start(input.size()),
        keep_going: args.keep_going,
        stop: CancellationToken::new(),
        events: AtomicU64::new(0),
        failures: AtomicU64::new(0),
    });
    let bounds = Bounds {
        items: args.batch_items,
        bytes: args.batch_bytes,
    };

    let (workers, queues) = start_workers(&run, &client, args.concurrency);
    let reading = input.start(Arc::clone(&run), bounds, queues);
    let result = tokio::select! {
        counts = total(workers, &run) => Ok(counts),
        () = interruption() => Err(ImportError::Interrupted),
    };
    run.progress.end();
    let counts = result?;
    eprintln!("{counts} in {:.1} s", started.elapsed().as_secs_f64());
    if run.failures.load(Ordering::Relaxed) > 0 {
        return Err(ImportError::Failed);
    }
    // All workers have ended without being stopped, so the reader has ended too.
    reading.await.unwrap_or(Ok(()))
}

/// One queue a worker. A single piece waits in each: the reader is faster than any server.
fn start_workers(
    run: &Arc<Run>,
    client: &Client,
    count: usize,
) -> (JoinSet<Counts>, Vec<mpsc::Sender<Work>>) {
    let mut workers = JoinSet::new();
    let mut queues = Vec::with_capacity(count);
    for _ in 0..count {
        let (sender, receiver) = mpsc::channel(1);
        workers.spawn(work_off(
            Arc::clone(run),
            Worker::new(client.clone()),
            receiver,
        ));
        queues.push(sender);
    }
    (workers, queues)
}

async fn work_off(run: Arc<Run>, mut worker: Worker, mut queue: mpsc::Receiver<Work>) -> Counts {
    let mut counts = Counts::default();
    loop {
        let work = tokio::select! {
            biased;
            () = run.stop.cancelled() => break,
            work = queue.recv() => work,
        };
        let Some(work) = work else { break };
        let events = work.events.len() as u64;
        for failure in worker.carry_out(work, &mut counts).await {
            run.fail(failure);
        }
        let events = run.events.fetch_add(events, Ordering::Relaxed) + events;
        run.progress.say(format_args!("{events} events"));
    }
    counts
}

async fn total(mut workers: JoinSet<Counts>, run: &Run) -> Counts {
    let mut total = Counts::default();
    while let Some(ended) = workers.join_next().await {
        match ended {
            Ok(counts) => total += counts,
            Err(panic) => run.fail(panic),
        }
    }
    total
}

#[cfg(test)]
mod tests;

//! Reading the lines of an import, on a thread of its own: a read of standard input can neither be
//! awaited nor be broken off.

use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::cli::import::line::Line;
use crate::cli::import::work::{Bounds, Cutter, Work};
use crate::cli::import::{ImportError, Run};

/// What is read.
pub(super) struct Input {
    name: String,
    size: Option<u64>,
    reader: Box<dyn Read + Send>,
}

/// The longest line: what the largest batch could carry is far below.
const LINE_BYTES: u64 = 128 * 1024 * 1024;

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        if path == Path::new("-") {
            return Ok(Self {
                name: "standard input".to_owned(),
                size: None,
                reader: Box::new(io::stdin()),
            });
        }
        let name = path.display().to_string();
        let open = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata.is_file().then_some(metadata.len())))
        };
        match open() {
            Ok((file, size)) => Ok(Self {
                name,
                size,
                reader: Box::new(file),
            }),
            Err(source) => Err(ImportError::Unreadable { name, source }),
        }
    }

    /// Its size in bytes, if it has one.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Reads everything into the queues, and answers once all is read.
    pub(super) fn start(
        self,
        run: Arc<Run>,
        bounds: Bounds,
        queues: Vec<mpsc::Sender<Work>>,
    ) -> oneshot::Receiver<Result<(), ImportError>> {
        let (sender, receiver) = oneshot::channel();
        thread::spawn(move || {
            let outcome = read(BufReader::new(self.reader), &run, bounds, &queues);
            let outcome = outcome.map_err(|source| ImportError::Unreadable {
                name: self.name,
                source,
            });
            // The outcome first, then the end of the queues, which ends the workers. Nobody
            // listens any more if they were interrupted.
            let _ = sender.send(outcome);
            drop(queues);
        });
        receiver
    }
}

fn read(
    mut input: impl BufRead,
    run: &Run,
    bounds: Bounds,
    queues: &[mpsc::Sender<Work>],
) -> io::Result<()> {
    let mut cutter = Cutter::new(bounds);
    let mut text = Vec::new();
    for number in 1_u64.. {
        text.clear();
        let length = (&mut input).take(LINE_BYTES).read_until(b'\n', &mut text)? as u64;
        if length == 0 || run.stop.is_cancelled() {
            break;
        }
        run.progress.advance(length);
        if length == LINE_BYTES {
            return Err(io::Error::other(format!(
                "line {number} is longer than {LINE_BYTES} bytes"
            )));
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        match Line::parse(&text) {
            Ok(line) => send(queues, cutter.push(number, line)),
            Err(error) => run.fail(format_args!("line {number}: {error}")),
        }
    }
    send(queues, cutter.finish());
    Ok(())
}

/// Gives work to the worker of its session.
fn send(queues: &[mpsc::Sender<Work>], work: Option<Work>) {
    let Some(work) = work else { return };
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&work.session_id);
    let queue = &queues[usize::try_from(hash % queues.len() as u64).unwrap_or(0)];
    // A worker that takes nothing any more has been stopped, and the reader is about to be.
    let _ = queue.blocking_send(work);
}

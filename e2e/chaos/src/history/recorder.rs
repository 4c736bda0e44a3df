//! Writing a history while it happens.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{Line, Operation, Run, values::Moment};

/// The one writer of a history, and the one clock of a run.
#[derive(Debug)]
pub struct Recorder {
    start: Instant,
    next: AtomicU64,
    path: PathBuf,
    file: Mutex<BufWriter<File>>,
    tally: Tally,
}

/// What has been recorded so far, for progress lines.
#[derive(Debug, Default)]
struct Tally {
    operations: AtomicU64,
    acknowledged: AtomicU64,
    unavailable: AtomicU64,
    failed: AtomicU64,
}

/// The figures of a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// All operations.
    pub operations: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Answers 503.
    pub unavailable: u64,
    /// Operations without an answer.
    pub failed: u64,
}

impl Recorder {
    /// Begins a history: time starts now.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn begin(path: &Path, run: Run) -> io::Result<Self> {
        let recorder = Self {
            start: Instant::now(),
            next: AtomicU64::new(1),
            path: path.to_owned(),
            file: Mutex::new(BufWriter::new(File::create(path)?)),
            tally: Tally::default(),
        };
        recorder.write(&Line::Run(run))?;
        Ok(recorder)
    }

    /// Where the history is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The time.
    pub fn now(&self) -> Moment {
        self.start.elapsed().into()
    }

    /// A number for an operation or a stream that begins.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes a line. A run without its history proves nothing, so a line that cannot be written
    /// ends the run.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, line: &Line) -> io::Result<()> {
        if let Line::Operation(operation) = line {
            self.tally.count(operation);
        }
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes())
    }

    /// Puts all lines into the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn flush(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush()
    }

    /// What has been recorded so far.
    pub fn figures(&self) -> Figures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            operations: read(&self.tally.operations),
            acknowledged: read(&self.tally.acknowledged),
            unavailable: read(&self.tally.unavailable),
            failed: read(&self.tally.failed),
        }
    }
}

impl Tally {
    fn count(&self, operation: &Operation) {
        let add = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        add(&self.operations);
        match operation.status() {
            None => add(&self.failed),
            Some(503) => add(&self.unavailable),
            Some(_) if operation.request.is_write() && operation.is_acknowledged() => {
                add(&self.acknowledged);
            }
            Some(_) => {}
        }
    }
}

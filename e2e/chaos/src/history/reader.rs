//! Reading a history back, so that a file can be checked again.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{History, Line};

/// Why a file is no history.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}, line {number}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is no line that says how the run was set up.
    #[error("{path} does not say how the run was set up: it has no line `run`")]
    NoRun {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a whole history.
///
/// # Errors
///
/// [`ReadError`] when the file cannot be read or is no history.
pub fn read(path: &Path) -> Result<History, ReadError> {
    let mut run = None;
    let mut operations = Vec::new();
    let mut streams = Vec::new();
    let mut faults = Vec::new();
    for_each_line(path, |line: Line| match line {
        Line::Run(line) => run = Some(line),
        Line::Operation(line) => operations.push(line),
        Line::Stream(line) => streams.push(line),
        Line::Fault(line) => faults.push(line),
    })?;
    let run = run.ok_or_else(|| ReadError::NoRun {
        path: path.to_owned(),
    })?;
    operations.sort_by_key(|operation| operation.id);
    streams.sort_by_key(|stream| stream.id);
    faults.sort_by_key(|fault| fault.began);
    Ok(History {
        run,
        operations,
        streams,
        faults,
    })
}

/// Reads a file of JSON lines.
pub(crate) fn for_each_line<T: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(T),
) -> Result<(), ReadError> {
    let io = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    let lines = BufReader::new(File::open(path).map_err(io)?).lines();
    for (index, line) in lines.enumerate() {
        let line = serde_json::from_str(&line.map_err(io)?).map_err(|source| ReadError::Line {
            path: path.to_owned(),
            number: index + 1,
            source,
        })?;
        take(line);
    }
    Ok(())
}

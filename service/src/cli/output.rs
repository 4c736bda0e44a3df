//! Where a command writes to: standard output, or a file that appears only once it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::json::Value;

/// The output.
pub(super) struct Output {
    name: String,
    writer: BufWriter<Sink>,
}

enum Sink {
    Stdout(io::Stdout),
    /// A pipe or a device, which cannot be replaced.
    Special(File),
    /// Lies beside the file that it will replace. Removed when it is dropped before.
    File(NamedTempFile, PathBuf),
}

impl Output {
    /// Begins to write to `path`, `-` being standard output.
    pub(super) fn create(path: &Path) -> Result<Self, OutputError> {
        let name = path.display().to_string();
        match Sink::create(path) {
            Ok(sink) => Ok(Self {
                name,
                writer: BufWriter::new(sink),
            }),
            Err(source) => Err(OutputError { name, source }),
        }
    }

    /// Writes the line `{"kind": value}`.
    pub(super) fn line(&mut self, kind: &str, value: Value<'_>) -> Result<(), OutputError> {
        let text = value.text();
        let result = writeln!(self.writer, "{{\"{kind}\":{text}}}");
        result.map_err(|source| OutputError {
            name: self.name.clone(),
            source,
        })
    }

    /// Ends the output: from now on the file is there, as a whole.
    pub(super) fn complete(self) -> Result<(), OutputError> {
        let result = self.writer.into_inner().map_err(io::Error::from);
        result
            .and_then(Sink::complete)
            .map_err(|source| OutputError {
                name: self.name,
                source,
            })
    }
}

/// The output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {name}: {source}")]
pub(super) struct OutputError {
    name: String,
    source: io::Error,
}

impl Sink {
    fn create(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout(io::stdout()));
        }
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(Self::Special(File::options().write(true).open(path)?));
        }
        // In the same folder, since only there it can take the other's place in one step.
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any other new file: what the umask leaves of it.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .prefix(".sessionstore-export-")
            .tempfile_in(folder)?;
        Ok(Self::File(file, path.to_owned()))
    }

    fn complete(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush(),
            Self::Special(mut file) => file.flush(),
            Self::File(file, path) => {
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Special(file) => file.write(bytes),
            Self::File(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Special(file) => file.flush(),
            Self::File(file, _) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::json::check;

    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let mut output = Output::create(&path).unwrap();
        output
            .line("event", check(b"{\"n\":1.0}").unwrap())
            .unwrap();
        assert!(!path.exists());
        output.complete().unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"event\":{\"n\":1.0}}\n"
        );
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn an_output_that_is_given_up_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        fs::write(&path, "earlier").unwrap();
        let mut output = Output::create(&path).unwrap();
        output.line("event", check(b"{}").unwrap()).unwrap();
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_device_is_written_not_replaced() {
        let output = Output::create(Path::new("/dev/null")).unwrap();
        assert!(matches!(output.writer.get_ref(), Sink::Special(_)));
        output.complete().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Output::create(Path::new("no/such/folder/x")).err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("cannot write no/such/folder/x: ")
        );
    }
}

//! What a process writes, kept line by line and awaited.

use std::{
    io::{BufRead, BufReader, Read},
    sync::Arc,
};

use serde_json::Value;
use tokio::sync::watch;

use crate::within;

/// One output of a process. A process that ends closes its outputs, so the end of a log is also how
/// the end of a process is awaited.
#[derive(Clone)]
pub struct Log(Arc<watch::Sender<Written>>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Follows `output` on a thread of its own: a runtime ends with its test, a shared server does not.
    pub fn follow(output: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::new(watch::Sender::new(Written::default())));
        let writer = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                writer.0.send_modify(|written| written.lines.push(line));
            }
            writer.0.send_modify(|written| written.ended = true);
        });
        log
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    /// The lines so far as one text, each with its end.
    pub fn text(&self) -> String {
        self.0
            .borrow()
            .lines
            .iter()
            .flat_map(|line| [line, "\n"])
            .collect()
    }

    /// Waits for the first line that `is_it` accepts; `None` when the log ends without one.
    pub async fn wait_for(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let find = |written: &Written| written.lines.iter().find(|line| is_it(line)).cloned();
        let mut written = self.0.subscribe();
        let seen = within(
            "log line",
            written.wait_for(|written| written.ended || find(written).is_some()),
        )
        .await
        .expect("the sender lives in self");
        find(&seen)
    }

    /// Waits until the process has closed this output.
    pub async fn end(&self) {
        let mut written = self.0.subscribe();
        within(
            "end of a process",
            written.wait_for(|written| written.ended),
        )
        .await
        .expect("the sender lives in self");
    }
}

/// A field of a JSON log line, whether the fields are nested under `fields` or not.
pub fn field(line: &str, name: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let value = line.get(name).or_else(|| line.get("fields")?.get(name))?;
    Some(
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
    )
}

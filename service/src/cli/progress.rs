//! How far a command is: a bar on a terminal, nothing anywhere else.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The bar. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Progress(ProgressBar);

/// How often the bar is drawn anew.
const TICK: Duration = Duration::from_millis(100);

impl Progress {
    /// Of an input of this many bytes, or of something without a known end.
    pub(super) fn start(bytes: Option<u64>) -> Self {
        // indicatif draws on standard error, and only if that is a terminal.
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{bar:30} {bytes}/{total_bytes} {msg} {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {elapsed} {msg}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    /// So many bytes more are read.
    pub(super) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// What is done so far, in words.
    pub(super) fn say(&self, done: impl Display) {
        if !self.0.is_hidden() {
            self.0.set_message(done.to_string());
        }
    }

    /// Writes a line to standard error without harming the bar.
    pub(super) fn line(&self, line: impl Display) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}

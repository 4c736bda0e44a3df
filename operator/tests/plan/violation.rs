//! What the model finds.

use std::fmt;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The promise.
    pub(crate) promise: &'static str,
    /// What happened instead.
    pub(crate) finding: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}\n  {}", self.promise, self.finding)
    }
}

/// Checks a promise; the finding is only put into words when it is broken.
pub(crate) fn promise(
    promise: &'static str,
    holds: bool,
    finding: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        let finding = finding();
        Err(Violation { promise, finding })
    }
}

//! What figures depend on: the machine and the commit.

use std::{fmt, fs, process::Command, thread};

use serde::{Deserialize, Serialize};

use crate::process::{field, kib};

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_kib: Option<u64>,
    pub(crate) kernel: String,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            cores,
            kernel,
            ..
        } = self;
        write!(f, "{processor}, {cores} cores, Linux {kernel}")
    }
}

impl Machine {
    /// The machine of this process.
    pub(crate) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processor = field(&read("/proc/cpuinfo"), "model name")
            .unwrap_or("unknown")
            .to_owned();
        Self {
            processor,
            cores: thread::available_parallelism().map_or(0, Into::into),
            memory_kib: kib(&read("/proc/meminfo"), "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// The commit that is checked out where this program was built, and whether anything was changed
/// since; `None` where there is no checkout any more.
pub(crate) fn commit() -> Option<String> {
    let output = Command::new("git")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "describe",
            "--always",
            "--dirty",
            "--exclude=*",
            "--abbrev=12",
        ])
        .output()
        .ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores() {
        assert!(Machine::here().cores > 0);
    }
}

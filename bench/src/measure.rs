//! What a process costs and what machine it runs on, read from Linux's `/proc`.

use std::{fmt, fs, io, thread, time::Duration};

use anyhow::Context;
use serde::Serialize;

/// A process whose costs are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Process {
    /// This one.
    Own,
    /// The one with this id.
    Other(u32),
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_kib: u64,
    /// The most since the last [`Process::reset_peak`].
    pub(crate) peak_kib: u64,
}

/// What figures depend on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_kib: Option<u64>,
    kernel: String,
}

/// The unit of CPU times in `/proc`: `USER_HZ`, 100 on every architecture that Rust supports.
const TICK: Duration = Duration::from_millis(10);

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

impl Process {
    /// CPU time of all its threads so far, user and system.
    pub(crate) fn cpu_time(self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(self.file("stat"))
            .with_context(|| format!("cannot read {}", self.file("stat")))?;
        let ticks = cpu_ticks(&stat).context("unknown format of /proc/<pid>/stat")?;
        Ok(TICK * ticks)
    }

    pub(crate) fn memory(self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(self.file("status"))
            .with_context(|| format!("cannot read {}", self.file("status")))?;
        memory_of(&status).context("unknown format of /proc/<pid>/status")
    }

    /// Makes the peak of its memory the present size, so that what was done before (a preload)
    /// does not count.
    pub(crate) fn reset_peak(self) -> io::Result<()> {
        // 5 resets the peak of the resident set size: `man 5 proc_pid_clear_refs`.
        fs::write(self.file("clear_refs"), "5")
    }

    fn file(self, name: &str) -> String {
        match self {
            Self::Own => format!("/proc/self/{name}"),
            Self::Other(pid) => format!("/proc/{pid}/{name}"),
        }
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

/// User and system time, fields 14 and 15. The name in field 2 may hold blanks and brackets, so
/// counting starts behind the last bracket: `man 5 proc_pid_stat`.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn memory_of(status: &str) -> Option<Memory> {
    Some(Memory {
        resident_kib: kib(status, "VmRSS")?,
        peak_kib: kib(status, "VmHWM")?,
    })
}

fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix(" kB")?.parse().ok()
}

/// The value of the first line `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "42 (session) store (1)) S 1 42 42 0 -1 4194304 500 0 0 0 1234 56 0 0 20 0 4 0";
        assert_eq!(cpu_ticks(stat), Some(1_290));
    }

    #[test]
    fn memory_is_read_in_kib() {
        let status =
            "Name:\tsessionstore\nVmPeak:\t  900 kB\nVmHWM:\t   41000 kB\nVmRSS:\t   39000 kB\n";
        let memory = memory_of(status).unwrap();
        assert_eq!((memory.resident_kib, memory.peak_kib), (39_000, 41_000));
    }

    #[test]
    fn this_process_can_be_measured() {
        assert!(Process::Own.memory().unwrap().resident_kib > 0);
        assert!(Process::Own.cpu_time().is_ok());
        assert!(Machine::here().cores > 0);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        // Above the highest id that Linux gives.
        assert!(Process::Other(u32::MAX).cpu_time().is_err());
    }
}

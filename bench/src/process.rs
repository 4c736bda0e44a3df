//! What processes cost, read from Linux's `/proc`.

use std::{fs, io, time::Duration};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// A process whose costs are measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Process {
    /// This one.
    Own,
    /// The one with this id.
    Other(u32),
}

/// Those whose costs are measured, beside this one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    /// Of the service; none if they are not known.
    pub(crate) service: Vec<Process>,
    /// Of the database, if it has any.
    pub(crate) mongods: Vec<Process>,
}

/// CPU time of all threads, user and system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    pub(crate) service: Option<Duration>,
    pub(crate) mongods: Option<Duration>,
    pub(crate) generator: Duration,
}

/// Resident memory in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_kib: u64,
    /// The most since the last [`Process::reset_peak`].
    pub(crate) peak_kib: u64,
}

/// The unit of CPU times in `/proc`: `USER_HZ`, 100 on every architecture that Rust supports.
const TICK: Duration = Duration::from_millis(10);

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
    fn reset_peak(self) -> io::Result<()> {
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

impl Watched {
    /// CPU times so far.
    pub(crate) fn cpu_times(&self) -> anyhow::Result<CpuTimes> {
        Ok(CpuTimes {
            service: sum(&self.service)?,
            mongods: sum(&self.mongods)?,
            generator: Process::Own.cpu_time()?,
        })
    }

    /// The memory of the largest process of the service.
    pub(crate) fn memory(&self) -> anyhow::Result<Option<Memory>> {
        let each = self.service.iter().map(|it| it.memory());
        let all: Vec<Memory> = each.collect::<Result<_, _>>()?;
        Ok(all.into_iter().max_by_key(|memory| memory.peak_kib))
    }

    /// Makes the peak of the service's memory its present size.
    pub(crate) fn reset_peak(&self) -> anyhow::Result<()> {
        for process in &self.service {
            process.reset_peak().context("cannot reset peak memory")?;
        }
        Ok(())
    }
}

impl CpuTimes {
    /// What was used since then.
    pub(crate) fn since(self, before: Self) -> Self {
        let both = |before: Option<Duration>, after: Option<Duration>| {
            Some(after?.saturating_sub(before?))
        };
        Self {
            service: both(before.service, self.service),
            mongods: both(before.mongods, self.mongods),
            generator: self.generator.saturating_sub(before.generator),
        }
    }
}

/// `None` of nobody.
fn sum(processes: &[Process]) -> anyhow::Result<Option<Duration>> {
    let times: Vec<Duration> = processes
        .iter()
        .map(|it| it.cpu_time())
        .collect::<Result<_, _>>()?;
    Ok((!times.is_empty()).then(|| times.iter().sum()))
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

/// The value of a line `name: value kB`.
pub(crate) fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix(" kB")?.parse().ok()
}

/// The value of the first line `name: value`.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
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
        let own = Watched {
            service: vec![Process::Own],
            mongods: Vec::new(),
        };
        assert!(own.memory().unwrap().unwrap().resident_kib > 0);
        let times = own.cpu_times().unwrap();
        assert!(times.service.is_some());
        assert_eq!(times.mongods, None);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        // Above the highest id that Linux gives.
        assert!(Process::Other(u32::MAX).cpu_time().is_err());
    }

    #[test]
    fn costs_are_what_was_used_in_between() {
        let at = |seconds| CpuTimes {
            service: Some(Duration::from_secs(seconds)),
            mongods: None,
            generator: Duration::from_secs(2 * seconds),
        };
        assert_eq!(at(5).since(at(3)), at(2));
    }
}

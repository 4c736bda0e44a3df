//! The processes of pods: they run on this machine, and only their cgroup names the pod.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The processes of a program in a pod; at least one.
pub(crate) fn of(pod_uid: &str, program: &str) -> Vec<Pid> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let file = |name: &str| fs::read_to_string(process.path().join(name)).unwrap_or_default();
        let Some(pid) = process.file_name().to_str().and_then(|it| it.parse().ok()) else {
            continue;
        };
        let line = file("cmdline");
        let called = line.split('\0').next().unwrap_or_default();
        let is_it = called.rsplit('/').next() == Some(program);
        if is_it && file("cgroup").contains(pod_uid) {
            found.push(Pid::from_raw(pid).unwrap());
        }
    }
    assert!(!found.is_empty(), "no {program} runs in the pod {pod_uid}");
    found
}

/// The resident memory of a program in a pod, in KiB.
pub(crate) fn resident_kib(pod_uid: &str, program: &str) -> u64 {
    let of_one = |process: &Pid| {
        let file = format!("/proc/{}/status", process.as_raw_nonzero());
        let status = fs::read_to_string(file).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let kib = line.and_then(|it| it.split_whitespace().next());
        kib.unwrap().parse::<u64>().unwrap()
    };
    of(pod_uid, program).iter().map(of_one).sum()
}

/// Kills a program in a pod, as a crash would.
pub(crate) fn kill(pod_uid: &str, program: &str) {
    for process in of(pod_uid, program) {
        kill_process(process, Signal::KILL).unwrap();
    }
}

/// A program in a pod that does nothing any more, and goes on when this is dropped.
pub(crate) struct Frozen(Vec<Pid>);

impl Frozen {
    /// From now on.
    pub(crate) fn now(pod_uid: &str, program: &str) -> Self {
        let processes = of(pod_uid, program);
        for process in &processes {
            kill_process(*process, Signal::STOP).unwrap();
        }
        Self(processes)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.0 {
            // It may have gone with its pod.
            let _ = kill_process(*process, Signal::CONT);
        }
    }
}

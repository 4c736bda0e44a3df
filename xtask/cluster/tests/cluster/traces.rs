//! What a cluster may have left on this machine, looked for without the library that should have
//! removed it.

use std::{fs, path::Path, process::Command};

use crate::output_of;

/// One line for each thing that is left.
pub(crate) fn of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let mut traces = Vec::new();
    let mut look = |what: &str, list: String| {
        let found = list.lines().filter(|line| {
            line.contains(&folder)
                || [
                    "sstore",
                    "SESSIONSTORE-",
                    "sessionstore-node",
                    "10.244.",
                    "10.96.0.",
                    "10.89.",
                ]
                .iter()
                .any(|mark| line.contains(mark))
        });
        traces.extend(found.map(|line| format!("{what}: {line}")));
    };
    look("mount", fs::read_to_string("/proc/mounts").unwrap());
    look("loop device", said("losetup", &["--list", "--noheadings"]));
    look("link", said("ip", &["-oneline", "link"]));
    look("route", said("ip", &["route"]));
    look("firewall", said("iptables-save", &[]));
    let controllers = fs::read_dir("/sys/fs/cgroup").unwrap();
    for controller in controllers.filter_map(Result::ok) {
        let groups = fs::read_dir(controller.path()).into_iter().flatten();
        let names = groups.filter_map(|it| it.ok()?.file_name().into_string().ok());
        look("cgroup", names.collect::<Vec<_>>().join("\n"));
    }
    traces.extend(processes(&folder));
    if Path::new(&folder).exists() {
        traces.push(format!("folder: {folder}"));
    }
    for file in [
        "/var/lib/kubelet",
        "/var/lib/cni",
        "/var/log/pods",
        "/var/log/containers",
    ] {
        if Path::new(file).exists() {
            traces.push(format!("folder: {file}"));
        }
    }
    traces
}

/// Those that carry the folder in their environment or arguments.
fn processes(folder: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let names = entries.filter_map(|it| it.file_name().into_string().ok());
    names
        .filter(|name| name.parse::<u32>().is_ok())
        .filter_map(|pid| {
            let read = |file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let text = [read("environ"), read("cmdline")].concat();
            let text = String::from_utf8_lossy(&text).replace('\0', " ");
            text.contains(folder)
                .then(|| format!("process {pid}: {text}"))
        })
        .collect()
}

fn said(program: &str, args: &[&str]) -> String {
    output_of(Command::new(program).args(args)).unwrap()
}

/// Ends a process that the test has chosen, the hard way.
pub(crate) fn kill(pid: u32) {
    output_of(Command::new("kill").args(["-9", &pid.to_string()])).unwrap();
}

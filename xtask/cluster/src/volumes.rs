//! The volumes of a cluster as the machine sees them: files, and loop devices while in use.

use std::{path::Path, process::Command};

use crate::{ClusterError, folder::Folder, output, part::Part, programs::Programs};

/// Makes, grows and deletes volumes.
pub(crate) fn controller() -> Part {
    Part::of_the_machine("volumes")
}

pub(crate) fn start_controller(folder: &Folder, programs: &Programs) -> Result<(), ClusterError> {
    let mut command = programs.command("volumes");
    command
        .arg(format!("--folder={}", folder.volumes().display()))
        .arg(format!(
            "--kubeconfig={}",
            folder.kubeconfig("volumes").display()
        ));
    controller().start(folder, &command)
}

/// The loop devices on files in `folder`.
pub(crate) fn loop_devices(folder: &Path) -> Result<Vec<String>, ClusterError> {
    let mut command = Command::new("losetup");
    command.env("PATH", crate::part::search_path()).args([
        "--list",
        "--noheadings",
        "--raw",
        "--output",
        "NAME,BACK-FILE",
    ]);
    Ok(devices_in(folder, &output::of(&mut command)?))
}

fn devices_in(folder: &Path, list: &str) -> Vec<String> {
    let prefix = format!("{}/", folder.display());
    list.lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, file)| file.starts_with(&prefix))
        .map(|(device, _)| device.to_owned())
        .collect()
}

/// Frees the loop devices that a crash has left behind.
pub(crate) fn detach(folder: &Folder) -> Result<(), ClusterError> {
    for device in loop_devices(&folder.volumes())? {
        // The kernel frees those itself whose last mount goes at this moment.
        let _ = output::run("losetup", &["--detach", &device]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_other_files_are_left_alone() {
        let list =
            "/dev/loop0 /c/volumes/a.img\n/dev/loop1 /other/b.img\n/dev/loop2 /c/volumes2/c.img\n";
        assert_eq!(devices_in(Path::new("/c/volumes"), list), ["/dev/loop0"]);
    }
}

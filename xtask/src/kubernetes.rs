//! The operator on a Kubernetes of its own: up, images, chart, tests, down.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use sessionstore_cluster::{Cluster, Options};

use crate::{
    cargo::{self, cargo},
    cluster,
};

/// Not that of `cargo xtask cluster`, which may be somebody's: if that runs, this says so and leaves
/// it alone, since there can be one cluster with nodes on a machine.
const FOLDER: &str = "cluster-of-the-tests";

/// The step of the test suite: brings up three nodes, installs the chart with the programs beside
/// `server`, runs the tests with `run`, and takes all down again, also if something fails.
pub(crate) fn operator<T>(
    server: &Path,
    run: impl FnOnce(&mut Command) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = Cluster::default_folder()?.with_file_name(FOLDER);
    let mut times = Times::default();
    let outcome = tested(server, &folder, &mut times, |folder| {
        let tests = cargo(["test", "--workspace", "--test", "operator"]);
        let mut tests = cargo::with_server(tests, server);
        // All are there at once, and take their turns by themselves.
        tests.args(["--", "--test-threads=64"]);
        run(tests.env("SESSIONSTORE_E2E_CLUSTER", folder))
    });
    let down = times.of("down", || Cluster::down(&folder));
    println!("{}", times.told());
    let outcome = outcome?;
    down?;
    Ok(outcome)
}

fn tested<T>(
    server: &Path,
    folder: &Path,
    times: &mut Times,
    run: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let options = Options {
        nodes: 3,
        audit: true,
        folder: Some(folder.to_owned()),
    };
    let up = times.of("up", || Cluster::up(&options, &|step| eprintln!("{step}")))?;
    times.of("images", || cluster::load(&up, server))?;
    times.of("install", || cluster::install(&up))?;
    times.of("tests", || run(folder))
}

/// What was done, and how long it took.
#[derive(Default)]
struct Times(Vec<(&'static str, Duration)>);

impl Times {
    fn of<T>(&mut self, what: &'static str, act: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = act();
        self.0.push((what, start.elapsed()));
        done
    }

    fn told(&self) -> String {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(what, took)| format!("{what} {:.1} s", took.as_secs_f64()))
            .collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_each_part_is_told_in_order() {
        let times = Times(vec![
            ("up", Duration::from_millis(14_200)),
            ("down", Duration::from_secs(2)),
        ]);
        assert_eq!(times.told(), "up 14.2 s, down 2.0 s");
    }
}

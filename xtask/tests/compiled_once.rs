//! What `cargo xtask` compiles to run is what the steps of `cargo xtask test` need.
#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests are tests: they fail by panicking"
)]

use std::{collections::BTreeSet, env, process::Command};

/// Every crate that would be compiled, with its version and its features.
fn compiled(selection: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env::var_os("CARGO").unwrap())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["tree", "--locked", "--prefix", "none"])
        .args(["--format", "{p} {f}"])
        .args(selection)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    crates.map(str::to_owned).collect()
}

const TO_RUN: [&str; 4] = ["--package", "xtask", "--edges", "normal,build"];
const TO_TEST: [&str; 3] = ["--workspace", "--edges", "normal,build,dev"];
const WITHOUT_XTASK: [&str; 5] = [
    "--workspace",
    "--exclude",
    "xtask",
    "--edges",
    "normal,build,dev",
];

#[test]
fn nothing_is_compiled_once_to_run_the_chores_and_once_more_to_test() {
    let to_test = compiled(&TO_TEST);
    let twice = compiled(&TO_RUN);
    let twice: Vec<_> = twice.difference(&to_test).collect();
    assert!(
        twice.is_empty(),
        "other members want more features of these; name them in xtask/Cargo.toml: {twice:#?}"
    );
}

#[test]
fn the_chores_ask_for_no_feature_that_nobody_else_wants() {
    let others = compiled(&WITHOUT_XTASK);
    let shared: BTreeSet<&str> = others.iter().map(|it| name(it)).collect();
    let to_run = compiled(&TO_RUN);
    let more = to_run.difference(&others);
    let more: Vec<_> = more.filter(|it| shared.contains(name(it))).collect();
    assert!(
        more.is_empty(),
        "xtask/Cargo.toml names features of these that no other member wants: {more:#?}"
    );
}

fn name(compiled: &str) -> &str {
    compiled.split(' ').next().unwrap_or_default()
}

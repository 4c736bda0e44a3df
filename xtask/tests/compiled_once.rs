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

#[test]
fn nothing_is_compiled_once_to_run_the_chores_and_once_more_to_test() {
    let to_run = compiled(&["--package", "xtask", "--edges", "normal,build"]);
    let to_test = compiled(&["--workspace", "--edges", "normal,build,dev"]);
    let twice: Vec<&String> = to_run.difference(&to_test).collect();
    assert!(
        twice.is_empty(),
        "compiled twice, since other members want more features of them; name those in \
         xtask/Cargo.toml: {twice:#?}"
    );
}

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

/// For this machine as a host, which compiles macros with features of their own, and as the target.
const BOTH: [&str; 2] = ["normal,build,dev", "normal,dev,no-proc-macro"];

fn by_xtask(edges: &str, options: &[&str]) -> BTreeSet<String> {
    // Nobody tests while `cargo xtask` is compiled.
    let edges = edges.replace(",dev", "");
    compiled(&[&["--package", "xtask", "--edges", &edges], options].concat())
}

#[test]
fn nothing_is_compiled_once_to_run_the_chores_and_once_more_to_test() {
    for edges in BOTH {
        let to_test = compiled(&["--workspace", "--edges", edges]);
        let to_run = by_xtask(edges, &[]);
        let twice: Vec<_> = to_run.difference(&to_test).collect();
        assert!(
            twice.is_empty(),
            "other members want more features of these; name them in xtask/Cargo.toml: {twice:#?}"
        );
    }
}

#[test]
fn the_chores_ask_for_no_feature_that_nobody_else_wants() {
    for edges in BOTH {
        let others = compiled(&["--workspace", "--exclude", "xtask", "--edges", edges]);
        let shared: BTreeSet<&str> = others.iter().map(|it| name(it)).collect();
        let named = by_xtask(edges, &["--depth", "1"]);
        let to_run = by_xtask(edges, &[]);
        let more = to_run.difference(&others);
        // What only the chores' own crates need is theirs; what is named, or shared, is not.
        let not_theirs = |it: &&String| named.contains(*it) || shared.contains(name(it));
        let more = more.filter(not_theirs);
        let more: Vec<_> = more.filter(|it| !it.starts_with("xtask ")).collect();
        assert!(
            more.is_empty(),
            "xtask/Cargo.toml names these, or features of them, that nobody else wants: {more:#?}"
        );
    }
}

/// Of a crate, with its version: some are there in two.
fn name(compiled: &str) -> &str {
    let version = compiled.match_indices(' ').nth(1);
    version.map_or(compiled, |(end, _)| &compiled[..end])
}

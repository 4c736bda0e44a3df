//! The runbook and the program name the same conditions and reasons, so that whoever reads one in
//! `kubectl describe` finds what to do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use sessionstore_operator::status::{PAUSED, condition};

/// The functions that name reasons, by file.
const REASONS: [(&str, &[&str]); 6] = [
    ("mongo/plan/next.rs", &["reason"]),
    ("dereference.rs", &["reason"]),
    ("validate.rs", &["reason"]),
    ("reconcile.rs", &["reason"]),
    (
        "status.rs",
        &[
            "conditions",
            "obstacle",
            "doing",
            "mongo_available",
            "api_available",
        ],
    ),
    (
        "reconcile/report.rs",
        &[
            "report_conflicts",
            "tell_retained",
            "tell_adopted",
            "unreadable_status",
        ],
    ),
];

/// What is written like a reason in these functions and is none: kinds, fields, verbs of Events.
const NO_REASONS: [&str; 11] = [
    "Apply",
    "Create",
    "Delete",
    "SessionStore",
    "ServiceMonitor",
    "False",
    "True",
    "Ready",
    "Stalled",
    // Who does not lead, or sees that it has to look again, writes no condition.
    "NotLeading",
    "Outdated",
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap()
}

/// From the head of a function to the brace that closes it, by its indentation.
fn body<'a>(source: &'a str, function: &str) -> &'a str {
    let head = Regex::new(&format!(
        r"(?m)^( *)(pub(\([a-z]+\))? )?(async )?fn {function}\("
    ))
    .unwrap();
    let found = head.captures(source).unwrap();
    let from = found.get(0).unwrap().start();
    let end = format!("\n{}}}\n", &found[1]);
    let length = source[from..].find(&end).unwrap();
    &source[from..from + length]
}

/// What the program can say.
fn said() -> BTreeSet<String> {
    let word = Regex::new(r#""([A-Z][a-z]+(?:[A-Z][A-Za-z]+)*)""#).unwrap();
    let mut said: BTreeSet<String> = condition::ALL.map(str::to_owned).into();
    said.insert(PAUSED.to_owned());
    for (file, functions) in REASONS {
        let source = read(&format!("src/{file}"));
        for function in functions {
            let words = word.captures_iter(body(&source, function));
            said.extend(words.map(|it| it[1].to_owned()));
        }
    }
    said.retain(|it| condition::ALL.contains(&it.as_str()) || !NO_REASONS.contains(&it.as_str()));
    said
}

#[test]
fn every_condition_and_reason_has_its_place_in_the_runbook() {
    let runbook = read("../docs/runbook.md");
    let missing: Vec<String> = said()
        .into_iter()
        .filter(|it| !runbook.contains(&format!("`{it}`")))
        .collect();
    assert!(missing.is_empty(), "not in the runbook: {missing:?}");
}

#[test]
fn the_runbook_names_no_reason_that_nobody_says() {
    let runbook = read("../docs/runbook.md");
    let (_, tables) = runbook.split_once("\n## Conditions\n").unwrap();
    let rows = tables.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| {
        let first = row.split('|').nth(1).unwrap();
        first.split('`').skip(1).step_by(2)
    });
    let said = said();
    let unsaid: Vec<&str> = names.filter(|it| !said.contains(*it)).collect();
    assert!(unsaid.is_empty(), "nobody says {unsaid:?}");
}

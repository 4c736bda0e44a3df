//! The alerts: right by Prometheus' own tool, each tested, each with a section in the runbook.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::{process, workspace};

use super::manifest::{self, Manifest};
use super::metrics::Known;

const FOLDER: &str = "k8s/alerts";
const RUNBOOK: &str = "docs/runbook.md";
/// Where an alert leads whoever is called by it.
const RUNBOOK_URL: &str = "https://github.com/sessionstore/sessionstore/blob/main/docs/runbook.md#";

pub(super) fn check(promtool: &Path, known: &Known) -> anyhow::Result<()> {
    let folder = workspace::root().join(FOLDER);
    let mut rules = Command::new(promtool);
    process::run(rules.current_dir(&folder).args([
        "check",
        "rules",
        "--lint-fatal",
        "sessionstore.yaml",
    ]))?;
    let mut tests = Command::new(promtool);
    process::run(
        tests
            .current_dir(&folder)
            .args(["test", "rules", "tests.yaml"]),
    )?;

    let rules = document(&folder.join("sessionstore.yaml"))?;
    let tests = document(&folder.join("tests.yaml"))?;
    let runbook = fs::read_to_string(workspace::root().join(RUNBOOK))?;
    let fired = fired(&tests);
    for group in rules.list("/groups") {
        for rule in group["rules"].as_array().into_iter().flatten() {
            let name = rule["alert"].as_str().context("a rule is no alert")?;
            check_alert(rule, name, &runbook, known)?;
            ensure!(fired.contains(&name), "no test lets {name} fire");
        }
    }
    Ok(())
}

fn check_alert(rule: &Value, name: &str, runbook: &str, known: &Known) -> anyhow::Result<()> {
    known.check(rule["expr"].as_str().unwrap_or_default())?;
    let severity = rule["labels"]["severity"].as_str();
    ensure!(
        matches!(severity, Some("critical" | "warning")),
        "{name} has the severity {severity:?}"
    );
    for annotation in ["summary", "description"] {
        let text = rule["annotations"][annotation].as_str();
        ensure!(
            text.is_some_and(|it| !it.is_empty()),
            "{name} has no {annotation}"
        );
    }
    let url = format!("{RUNBOOK_URL}{}", name.to_lowercase());
    ensure!(
        rule["annotations"]["runbook_url"] == url,
        "{name} does not lead to {url}"
    );
    ensure!(
        runbook.lines().any(
            |line| line.trim_start_matches('#') == format!(" {name}") && line.starts_with("##")
        ),
        "{RUNBOOK} has no section {name}"
    );
    Ok(())
}

/// The alerts that a test expects.
fn fired(tests: &Manifest) -> Vec<&str> {
    let tests = tests.list("/tests").iter();
    let cases = tests.flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten());
    cases
        .filter(|case| {
            case["exp_alerts"]
                .as_array()
                .is_some_and(|it| !it.is_empty())
        })
        .filter_map(|case| case["alertname"].as_str())
        .collect()
}

fn document(path: &Path) -> anyhow::Result<Manifest> {
    let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
    manifest::read(&text)?
        .pop()
        .with_context(|| format!("{} is empty", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_test_that_expects_an_alert_counts() {
        let tests = Manifest(json!({"tests": [{"alert_rule_test": [
            {"alertname": "A", "exp_alerts": [{}]},
            {"alertname": "B", "exp_alerts": []},
        ]}]}));
        assert_eq!(fired(&tests), ["A"]);
    }
}

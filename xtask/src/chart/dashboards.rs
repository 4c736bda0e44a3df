//! The dashboards: every query is one by Prometheus' own parser, for metrics that there are.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{process, workspace};

use super::copies::dashboards_below;
use super::metrics::Known;

pub(super) fn check(promtool: &Path, known: &Known) -> anyhow::Result<()> {
    let mut expressions = Vec::new();
    for path in dashboards_below(workspace::root().join("k8s/dashboards"))? {
        let text = fs::read_to_string(&path)?;
        let dashboard: Value = serde_json::from_str(&text)?;
        let found = check_dashboard(&dashboard, known);
        expressions.extend(found.with_context(|| path.display().to_string())?);
    }
    parse(promtool, &expressions)
}

/// Looks through one, and returns its queries.
fn check_dashboard(dashboard: &Value, known: &Known) -> anyhow::Result<Vec<String>> {
    let mut ids = BTreeSet::new();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        let title = &panel["title"];
        ensure!(
            ids.insert(panel["id"].as_u64()),
            "{title} has the id of another panel"
        );
        if panel["type"] == "row" {
            continue;
        }
        let description = panel["description"].as_str();
        ensure!(
            description.is_some_and(|it| !it.is_empty()),
            "{title} does not say what it shows"
        );
        let targets = panel["targets"].as_array().map(Vec::as_slice);
        let targets = targets.unwrap_or_default();
        ensure!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            ensure!(
                target["datasource"]["uid"] == "${datasource}",
                "{title} asks a Prometheus that nobody chose"
            );
            let expression = target["expr"].as_str().unwrap_or_default();
            known.check(expression).with_context(|| title.to_string())?;
            expressions.push(filled_in(expression));
        }
    }
    ensure!(!expressions.is_empty(), "there is no panel");
    for variable in dashboard["templating"]["list"]
        .as_array()
        .into_iter()
        .flatten()
    {
        known.check(variable["definition"].as_str().unwrap_or_default())?;
    }
    Ok(expressions)
}

/// As Grafana sends it; its other variables stand in quotes, where any text will do.
fn filled_in(expression: &str) -> String {
    expression.replace("$__rate_interval", "5m")
}

/// A file of rules with all of them is checked, since promtool parses expressions there only.
fn parse(promtool: &Path, expressions: &[String]) -> anyhow::Result<()> {
    let rule = |(number, expression): (usize, &String)| json!({"record": format!("dashboard:query:{number}"), "expr": expression});
    let rules: Vec<Value> = expressions.iter().enumerate().map(rule).collect();
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    // JSON is YAML.
    let groups = json!({"groups": [{"name": "dashboards", "rules": rules}]});
    fs::write(file.path(), groups.to_string())?;
    process::run(
        Command::new(promtool)
            .args(["check", "rules"])
            .arg(file.path()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_filled_in() {
        let expression = r#"rate(x{namespace=~"$namespace"}[$__rate_interval])"#;
        assert_eq!(
            filled_in(expression),
            r#"rate(x{namespace=~"$namespace"}[5m])"#
        );
    }
}

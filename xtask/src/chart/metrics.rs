//! Which metrics there are: those that the source of service and operator names. That they are really
//! served, with the labels that queries use, is seen end to end by scraping.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, ensure};

/// Where metrics are named.
const SOURCES: [&str; 2] = ["service/src", "operator/src"];

/// Of histograms.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// What a metric of our own begins with; others (`up`, `process_…`) belong to Prometheus and its
/// libraries.
const PREFIXES: [&str; 2] = ["sessionstore_", "http_server_"];

/// That the operator is to have, and has not yet. To be removed from here as soon as it has them.
const AWAITED: [&str; 3] = [
    "sessionstore_operator_condition",
    "sessionstore_operator_member_lag_seconds",
    "sessionstore_operator_member_state",
];

/// The metrics that there are.
pub(super) struct Known(BTreeSet<String>);

impl Known {
    /// Reads the source below the root.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut known = BTreeSet::new();
        for source in SOURCES {
            collect(&root.join(source), &mut known)?;
        }
        for awaited in AWAITED {
            ensure!(
                known.insert(awaited.to_owned()),
                "{awaited} is there: remove it from AWAITED"
            );
        }
        Ok(Self(known))
    }

    /// Fails if an expression asks for a metric that nobody serves.
    pub(super) fn check(&self, expression: &str) -> anyhow::Result<()> {
        for name in names(expression) {
            let histogram = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
            ensure!(
                self.0.contains(name) || histogram.is_some_and(|it| self.0.contains(it)),
                "neither service nor operator has the metric {name}"
            );
        }
        Ok(())
    }
}

/// The names of our own metrics in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

/// Takes all texts in the source that are such names.
fn collect(folder: &Path, known: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, known)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            let source = fs::read_to_string(&path)?;
            let texts = source.split('"').skip(1).step_by(2);
            known.extend(
                texts
                    .filter(|text| names(text).eq([*text]))
                    .map(str::to_owned),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_expressions() {
        let expression = "sum by (job) (rate(sessionstore_a_count{x=\"sessions\"}[5m])) / up";
        assert!(names(expression).eq(["sessionstore_a_count"]));
    }

    #[test]
    fn a_part_of_a_histogram_is_known_by_the_whole() {
        let known = Known(["sessionstore_a".to_owned()].into());
        assert!(known.check("sessionstore_a_bucket").is_ok());
        assert!(known.check("sessionstore_a_buckets").is_err());
        assert!(known.check("sessionstore_b").is_err());
    }
}

//! Which metrics there are: those that the source of service and operator names. That they are really
//! served, with the labels that queries use, is seen end to end by scraping.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

/// Where metrics are named.
const SOURCES: [&str; 2] = ["service/src", "operator/src"];

/// Of histograms.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// What a metric of our own begins with; others (`up`, `process_…`) belong to Prometheus and its
/// libraries.
const PREFIXES: [&str; 2] = ["sessionstore_", "http_server_"];

/// The metrics that there are: the source that names them.
pub(super) struct Known(String);

impl Known {
    /// Reads the source below the root.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut source = String::new();
        for folder in SOURCES {
            collect(&root.join(folder), &mut source)?;
        }
        Ok(Self(source))
    }

    /// Fails if an expression asks for a metric that nobody serves.
    pub(super) fn check(&self, expression: &str) -> anyhow::Result<()> {
        for name in names(expression) {
            let histogram = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
            ensure!(
                self.names(name) || histogram.is_some_and(|it| self.names(it)),
                "neither service nor operator has the metric {name}"
            );
        }
        Ok(())
    }

    fn names(&self, metric: &str) -> bool {
        self.0.contains(&format!("\"{metric}\""))
    }
}

/// The names of our own metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
}

/// Appends all source below a folder.
fn collect(folder: &Path, source: &mut String) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, source)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            source.push_str(&fs::read_to_string(&path)?);
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
        let known = Known("Opts::new(\"sessionstore_a\")".to_owned());
        assert!(known.check("sessionstore_a_bucket").is_ok());
        assert!(known.check("sessionstore_a_buckets").is_err());
        assert!(known.check("sessionstore_b").is_err());
    }
}

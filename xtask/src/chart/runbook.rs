//! The runbook: whatever a condition can say as its reason is explained there.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, ensure};

use crate::workspace;

const RUNBOOK: &str = "docs/runbook.md";

/// Where the operator's source names conditions and reasons.
const SOURCES: [&str; 4] = [
    "operator/src/dereference.rs",
    "operator/src/mongo/plan/next.rs",
    "operator/src/reconcile.rs",
    "operator/src/status.rs",
];

/// Words there that are neither, and the reason of an error that no condition ever shows.
const OTHERS: [&str; 3] = ["True", "False", "NotLeading"];

/// Fails if one is not explained.
pub(super) fn check() -> anyhow::Result<()> {
    let root = workspace::root();
    let runbook = fs::read_to_string(root.join(RUNBOOK)).context(RUNBOOK)?;
    for source in SOURCES {
        let text = fs::read_to_string(root.join(source))
            .with_context(|| format!("reasons are looked for in {source}, which is gone"))?;
        for word in words(&text) {
            ensure!(
                OTHERS.contains(&word) || runbook.contains(&format!("`{word}`")),
                "{RUNBOOK} does not explain `{word}` of {source}"
            );
        }
    }
    Ok(())
}

/// Texts of one word in the form of a reason, such as `NodeLost`.
fn words(source: &str) -> BTreeSet<&str> {
    // Looked for behind each quotation mark, whether it opens a text or ends one: no word of this
    // form stands between two texts.
    let quoted = source.split('"').skip(1);
    quoted.filter(|text| is_reason(text)).collect()
}

fn is_reason(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_uppercase())
        && text.chars().all(|it| it.is_ascii_alphanumeric())
        && text.chars().any(|it| it.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_from_other_texts() {
        let source = r#"A => "NodeLost", B => "is lost", C => "PRIMARY", D => "Paused", E => """#;
        assert!(words(source).into_iter().eq(["NodeLost", "Paused"]));
    }
}

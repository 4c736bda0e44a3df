//! Results in files.

use std::{fs, path::Path};

use anyhow::Context;
use serde::Deserialize;

use crate::results::{FORMAT, Results};

impl Results {
    /// Writes a file whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", path.display());
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(self)?).with_context(cannot)?;
        fs::rename(&new, path).with_context(cannot)
    }

    /// Reads what [`Self::save`] has written.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} holds no results", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let Form { format } = serde_json::from_str(text)?;
        anyhow::ensure!(
            format == FORMAT,
            "it has form {format}, this version reads form {FORMAT}: measure again"
        );
        Ok(serde_json::from_str(text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::Backend, results::samples, workload::Workload};

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        let append = samples::closed(Backend::Mongodb, Workload::Append, 64, 1_234.5);
        let results = samples::results(vec![append]);
        results.save(&path).unwrap();
        let again = Results::read(&path).unwrap();
        assert_eq!(
            serde_json::to_value(again).unwrap(),
            serde_json::to_value(results).unwrap()
        );
    }

    #[test]
    fn a_file_of_another_form_is_refused_with_both() {
        let error = Results::parse(r#"{"format": 99}"#).unwrap_err().to_string();
        assert!(error.contains("form 99"), "{error}");
    }
}

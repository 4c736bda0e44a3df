//! Results as pictures: `charts` and `growth` say what is in them, `axis` how figures lie on a line,
//! `draw` makes text of SVG out of it.

mod axis;
mod charts;
mod draw;
mod growth;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::results::Results;

/// Writes every picture that the results give into a folder; returns their files.
pub(crate) fn write(results: &Results, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = |path: &Path| format!("cannot write {}", path.display());
    fs::create_dir_all(folder).with_context(|| cannot(folder))?;
    let mut files = Vec::new();
    for chart in charts::of(results) {
        let path = folder.join(format!("{}.svg", chart.name));
        fs::write(&path, draw::svg(&chart)?).with_context(|| cannot(&path))?;
        files.push(path);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::Backend, results::samples, workload::Workload};

    #[test]
    fn pictures_of_a_file_of_results_are_svg_and_say_what_they_show() {
        let folder = tempfile::tempdir().unwrap();
        let at =
            |connections| samples::closed(Backend::Mongodb, Workload::Append, connections, 1_000.0);
        let results = samples::results(vec![at(1), at(64)]);
        let files = write(&results, folder.path()).unwrap();
        assert!(!files.is_empty());
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            assert!(text.starts_with("<svg"), "{text}");
            assert!(text.trim_end().ends_with("</svg>"), "{text}");
            assert!(text.contains("append"), "{text}");
        }
    }
}

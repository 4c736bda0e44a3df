//! Reading the text format of Prometheus, as far as tests ask for it.

/// The samples whose name and labels contain all of these texts, summed up.
pub fn sum(metrics: &str, parts: &[&str]) -> f64 {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let matching = samples.filter(|line| parts.iter().all(|part| line.contains(part)));
    matching.map(value).sum()
}

fn value(sample: &str) -> f64 {
    let value = sample.rsplit(' ').next().and_then(|it| it.parse().ok());
    value.unwrap_or_else(|| panic!("a sample without a value: {sample}"))
}

/// Asserts that each metric has a text that explains it.
#[track_caller]
pub fn assert_all_have_help(metrics: &str) {
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or(line);
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        let helped = |name: &str| metrics.contains(&format!("# HELP {name} "));
        assert!(helped(family) || helped(name), "{name} has no help");
    }
}

//! The registry that all metrics are kept in, and what the process itself tells.

use prometheus::{GaugeVec, Opts, Registry};

use crate::version;

/// A registry with what is known of this build and this process.
///
/// # Errors
/// When a name is registered already.
pub fn registry() -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    let build_info = GaugeVec::new(
        Opts::new(
            "sessionstore_build_info",
            "Always 1; its labels say what was built.",
        ),
        &["version", "revision"],
    )?;
    let revision = version::revision().unwrap_or("unknown");
    build_info
        .with_label_values(&[version::VERSION, revision])
        .set(1.0);
    registry.register(Box::new(build_info))?;
    // CPU seconds, resident memory, open files, threads: read from /proc when asked for.
    #[cfg(target_os = "linux")]
    registry.register(Box::new(
        prometheus::process_collector::ProcessCollector::for_self(),
    ))?;
    Ok(registry)
}

#[cfg(test)]
mod tests {
    use prometheus::proto::MetricFamily;

    use super::*;

    #[test]
    fn the_build_and_the_process_tell_about_themselves() {
        let families = registry().unwrap().gather();
        let names: Vec<_> = families.iter().map(MetricFamily::name).collect();
        for name in [
            "sessionstore_build_info",
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
            "process_open_fds",
        ] {
            assert!(names.contains(&name), "no {name} in {names:?}");
        }
    }
}

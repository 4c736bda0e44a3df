//! What was built.

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, where the build said so by `SESSIONSTORE_REVISION`.
pub fn revision() -> Option<&'static str> {
    option_env!("SESSIONSTORE_REVISION").filter(|revision| !revision.is_empty())
}

/// Version and commit, as the command line shows them.
pub fn long() -> String {
    match revision() {
        Some(revision) => format!("{VERSION} ({revision})"),
        None => VERSION.to_owned(),
    }
}

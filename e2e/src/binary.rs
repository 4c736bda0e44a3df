//! Where the `sessionstore` binary is: `SESSIONSTORE_BIN`, or the one this workspace builds.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The path of the binary under test; the first call builds it unless `SESSIONSTORE_BIN` names one.
pub fn path() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("SESSIONSTORE_BIN").map_or_else(build, PathBuf::from))
}

/// Builds the service with the profile, and into the target folder, of the running test.
fn build() -> PathBuf {
    let test = env::current_exe().expect("the running test has a path");
    let mut above = test.ancestors().skip(2); // <target>/<profile>/deps/<test>
    let artifacts = above.next().expect("the test lies in a profile's folder");
    let target = above
        .next()
        .expect("a profile's folder lies in a target folder");
    let profile = match artifacts.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => panic!("{} has no profile in it", test.display()),
    };

    let build = Command::new(env!("CARGO"))
        .args([
            "build",
            "--package",
            "sessionstore-service",
            "--bin",
            "sessionstore",
        ])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs");
    assert!(
        build.status.success(),
        "the service does not build:\n{}",
        String::from_utf8_lossy(&build.stderr)
    );
    artifacts.join("sessionstore")
}

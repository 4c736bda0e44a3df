//! Fetching ahead: what late steps need is fetched and compiled while early ones run.

use std::{
    env,
    fs::{self, File},
    process::{Child, Command, Stdio},
};

use anyhow::Context;

use crate::workspace;

/// `cargo xtask tools` in the background. It takes only what the others leave of the processors:
/// tests wait a lot, and Kubernetes takes nine minutes of one to compile.
pub(crate) struct Ahead(Child);

impl Ahead {
    /// Begins. A step that needs something before it is there waits for it, and fetches it itself,
    /// with what goes wrong in the open, if this could not.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let folder = workspace::root().join("target");
        fs::create_dir_all(&folder)?;
        let path = folder.join("tools.log");
        let log = File::create(&path).with_context(|| path.display().to_string())?;
        let child = Command::new("nice")
            .args(["-n", "19"])
            .arg(env::current_exe()?)
            .arg("tools")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot run nice")?;
        eprintln!(
            "what later steps need is fetched meanwhile, with its log in {}",
            path.display()
        );
        Ok(Self(child))
    }
}

impl Drop for Ahead {
    /// No step is left that needs anything of it.
    fn drop(&mut self) {
        // Neither can fail but for a process that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! A real Kubernetes on one machine: an API server with all that belongs to it, and one or three
//! nodes that can be hurt in every way that production knows. Gone again without a trace.
//!
//! `cargo xtask cluster` and the tests of the operator share it. It knows Kubernetes; of this
//! project it knows how the three images are made, and where the chart is.
//!
//! All calls wait for what they do. What is real and what is not is in `docs/cluster.md`.
//!
//! ```no_run
//! # fn example() -> Result<(), sessionstore_cluster::ClusterError> {
//! use sessionstore_cluster::{Cluster, Options};
//!
//! let options = Options { nodes: 3, ..Options::default() };
//! let cluster = Cluster::up(&options, &|step| eprintln!("{step}"))?;
//! cluster.node(1).power_off()?;
//! cluster.node(1).power_on()?;
//! cluster.await_ready()?;
//! Cluster::down(cluster.folder())?;
//! # Ok(())
//! # }
//! ```

mod addons;
mod cluster;
mod control_plane;
mod error;
mod folder;
mod guard;
mod guardian;
mod helm;
mod image;
mod keys;
mod kubectl;
mod limits;
mod machine;
mod network;
mod node;
mod options;
mod output;
mod part;
mod programs;
mod record;
mod status;
mod volumes;
mod wait;

pub use cluster::Cluster;
pub use error::ClusterError;
pub use guard::Leaks;
pub use guardian::Guardian;
pub use image::{Image, Loaded};
pub use node::Node;
pub use options::Options;
pub use programs::{KUBERNETES, client_tools};
pub use status::{NodeStatus, PartStatus, Status};

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

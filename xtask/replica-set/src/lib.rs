//! A real MongoDB replica set on loopback: started, hurt in every way that production knows, and
//! gone again without a trace.
//!
//! Tests, measurements and chores share it. It knows mongod and the role that the service needs
//! there; it knows nothing of the service's documents or of its API.
//!
//! ```no_run
//! # async fn example() -> Result<(), sessionstore_replica_set::SetError> {
//! use sessionstore_replica_set::{Options, ReplicaSet};
//!
//! let set = ReplicaSet::start(Options::default()).await?;
//! let url = set.fresh_database().await?;
//! let primary = set.primary().await?;
//! set.member(primary).kill().await?;
//! let successor = set.primary().await?;
//! # Ok(())
//! # }
//! ```

mod background;
mod bootstrap;
mod config;
mod disk;
mod error;
mod failpoint;
mod folder;
mod guardian;
mod limits;
mod loose;
mod member;
mod mongod;
mod options;
mod ports;
mod process;
mod proxy;
mod role;
mod secret;
mod set;
mod standing;
mod status;
mod tls;
mod url;
mod wait;

pub use error::SetError;
pub use loose::LooseMembers;
pub use member::Member;
pub use mongod::mongod;
pub use options::{Election, Options, Tls};
pub use proxy::{Cut, ProxyGroup};
pub use set::ReplicaSet;
pub use standing::{StandingSet, StandingStatus};
pub use status::{MemberStatus, SetStatus};
pub use tls::Certificates;

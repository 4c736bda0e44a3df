//! What kind of replica set is wanted.

use std::path::PathBuf;

/// What kind of replica set is wanted. The default: three members, quick elections, no proxies,
/// data in a folder of the system for temporary files.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many members: 1, 3 or 5.
    pub members: usize,
    /// How fast a lost primary is replaced.
    pub election: Election,
    /// Whether [`ReplicaSet::url`](crate::ReplicaSet::url) leads through proxies, one a member,
    /// that can be cut.
    pub proxied: bool,
    /// Whether everybody talks over TLS. Proxies cannot look into that.
    pub tls: Option<Tls>,
    /// The size in bytes of each member's data folder, so that it can be filled up. Such folders
    /// are file systems in memory, which only root can mount. mongod wants some 350 MiB to start.
    pub data_limit: Option<u64>,
    /// Where data and logs go; must be missing or empty, and is kept. Without: a folder that goes
    /// with the set.
    pub folder: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            members: 3,
            election: Election::Tuned,
            proxied: false,
            tls: None,
            data_limit: None,
            folder: None,
        }
    }
}

/// Who has to show a certificate of the set's own authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The members only.
    Members,
    /// Their clients too.
    Mutual,
}

/// How fast a lost primary is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Election {
    /// The server's defaults: about 11 seconds after a kill.
    Defaults,
    /// Election timeout 3 s, heartbeats each second, catch-up 500 ms, no chained replication:
    /// about 4 to 5 seconds.
    Tuned,
}

//! A mongod: what it has on its volume, and what it is while it runs.

use sessionstore_operator::mongo::plan::{Config, ConfigMember, OpTime, SETTINGS, Version};

/// How many entries of the log members keep for those that are behind.
pub(crate) const WINDOW: usize = 8;

/// An entry of the log: written in this term, at this second, which no other entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) term: i64,
    pub(crate) seconds: u32,
}

/// A configuration with what the server does not tell: who was just added and does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerConfig {
    pub(crate) set_id: String,
    pub(crate) version: Version,
    /// Ordinals; `true` for those that were just added.
    pub(crate) members: Vec<(usize, bool)>,
}

/// What lies on a volume.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) config: Option<ServerConfig>,
    pub(crate) log: Vec<Entry>,
    pub(crate) term: i64,
    /// Whether the data is complete; not so until an initial sync is through.
    pub(crate) has_data: bool,
    /// How many secrets the users have been given; those of today let everybody in.
    pub(crate) secrets: Option<u32>,
}

/// What a running mongod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It has not read its own configuration yet, and answers like a new one.
    Reading,
    /// It could not find itself in its configuration when it started.
    Lost,
    /// It goes by its configuration: a secondary, a member in initial sync, none, or new.
    Follower,
    Primary,
}

/// A running mongod.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) role: Role,
    /// How far it knows a majority to be.
    pub(crate) commit: usize,
    /// As primary: how far each member has said that it is.
    pub(crate) acknowledged: Vec<usize>,
    pub(crate) too_stale: bool,
    /// As primary: heartbeats without a majority. As former primary: until it may lead again.
    pub(crate) patience: u8,
    /// What it has last heard of each other member.
    pub(crate) heard: Vec<Option<Heard>>,
}

/// What a member hears of another one.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) is_primary: bool,
    pub(crate) is_secondary: bool,
    pub(crate) applied: OpTime,
    pub(crate) version: Option<Version>,
}

impl ServerConfig {
    pub(crate) fn lists(&self, ordinal: usize) -> bool {
        self.members.iter().any(|(it, _)| *it == ordinal)
    }

    /// Those that count.
    pub(crate) fn voters(&self) -> Vec<usize> {
        let counting = self.members.iter().filter(|(_, is_new)| !is_new);
        counting.map(|(ordinal, _)| *ordinal).collect()
    }

    pub(crate) fn is_majority(&self, count: usize) -> bool {
        count > self.voters().len() / 2
    }

    /// As `replSetGetConfig` tells it.
    pub(crate) fn told(&self, host: impl Fn(usize) -> String) -> Config {
        let member = |(ordinal, _): &(usize, bool)| ConfigMember {
            id: i32::try_from(*ordinal).unwrap_or(0),
            host: host(*ordinal),
            votes: true,
        };
        Config {
            set_id: self.set_id.clone(),
            version: self.version,
            members: self.members.iter().map(member).collect(),
            settings: SETTINGS,
        }
    }
}

impl Disk {
    pub(crate) fn applied(&self) -> OpTime {
        optime(self.log.last())
    }

    /// How far this log and another one are the same.
    pub(crate) fn common(&self, other: &[Entry]) -> usize {
        let pairs = self.log.iter().zip(other);
        pairs.take_while(|(one, other)| one == other).count()
    }
}

impl Process {
    pub(crate) fn new(role: Role, members: usize) -> Self {
        Self {
            role,
            commit: 0,
            acknowledged: vec![0; members],
            too_stale: false,
            patience: 0,
            heard: vec![None; members],
        }
    }
}

pub(crate) fn optime(entry: Option<&Entry>) -> OpTime {
    entry.map_or(OpTime::default(), |entry| OpTime {
        term: entry.term,
        seconds: entry.seconds,
        increment: 1,
    })
}

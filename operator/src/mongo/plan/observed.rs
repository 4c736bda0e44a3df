//! What is seen of the replica set: its pods, and what its members answer.

/// What is seen of the replica set at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// `spec.replicas` of the `StatefulSet`.
    pub replicas: usize,
    /// By ordinal, as many as there are hosts.
    pub members: Vec<Member>,
}

/// What is seen of one ordinal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its pod, if there is one.
    pub pod: Option<Pod>,
    /// Its volume claim, if there is one, with or without a pod.
    pub volume: Option<Volume>,
    /// What its mongod answers.
    pub answer: Answer,
}

/// The volume claim of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// `metadata.uid`.
    pub uid: String,
    /// Whether it is being deleted, which nobody can take back: it goes, with the data, as soon as
    /// its pod does.
    pub leaving: bool,
}

/// The pod of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`.
    pub uid: String,
    /// The revision of the template that it was made from.
    pub revision: String,
    /// Whether its mongod listens, as the readiness probe sees it; the readiness gate has no part
    /// in this.
    pub serving: bool,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// Where it runs, once that is decided.
    pub node: Option<Node>,
}

/// The node of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is gone or does not report any more.
    pub lost: bool,
    /// Whether it is cordoned: its pods are about to be evicted.
    pub cordoned: bool,
}

/// What a mongod answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, and why.
    Unreachable(String),
    /// It refuses the key of the set, and is no member that the others could hear.
    KeyRefused,
    /// It says that it has no configuration (94), but there is one on its volume: it has just started
    /// and not read it yet. For long, if its name does not resolve.
    Starting,
    /// It has no configuration (94), not even on its volume.
    NotInitiated,
    /// It is no member by the configuration that it has (93), or could not find itself there.
    Removed(Option<Config>),
    /// It is a member.
    Member(Box<View>),
}

/// How a member sees the set and itself (`replSetGetStatus`, `replSetGetConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its own state.
    pub state: State,
    /// The highest term that it knows.
    pub term: i64,
    /// How far it is.
    pub applied: OpTime,
    /// How far it knows a majority to be.
    pub committed: OpTime,
    /// It can never catch up by itself, since all others have forgotten what it misses.
    pub too_stale: bool,
    /// How many members count in elections: all that vote but those that were just added.
    pub voters: usize,
    /// The other members as it hears of them.
    pub peers: Vec<Peer>,
    /// The configuration that it has.
    pub config: Config,
    /// Whether it lets the operator in and, if it is the primary, the service.
    pub logins: Logins,
    /// Whether it refuses the key of the set, though it lets users in: it has been started with
    /// another one. Only a primary is tried, and who knows of none.
    pub refuses_key: bool,
}

/// Another member, as a member hears of it by heartbeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Host and port.
    pub host: String,
    /// Its state when it was last heard.
    pub state: State,
    /// Whether it is heard.
    pub healthy: bool,
    /// How far it was.
    pub applied: OpTime,
}

/// Whether users can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logins {
    /// All that were tried can.
    Accepted,
    /// One is missing or has another password.
    Refused,
    /// All that were tried can, but they may do what another release wanted.
    Outdated,
}

/// A position in the log of the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpTime {
    /// The term in which it was written.
    pub term: i64,
    /// Seconds since 1970.
    pub seconds: u32,
    /// The number within the second.
    pub increment: u32,
}

/// The state of a member, by the numbers of `replSetGetStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// 0: reads its configuration.
    Startup,
    /// 1.
    Primary,
    /// 2.
    Secondary,
    /// 3: not to be read from; checks itself, or is too stale.
    Recovering,
    /// 5: copies everything from another member.
    Startup2,
    /// 6: never heard of.
    Unknown,
    /// 7.
    Arbiter,
    /// 8: not heard of any more.
    Down,
    /// 9: takes back what no majority had.
    Rollback,
    /// 10.
    Removed,
}

/// A configuration of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `settings.replicaSetId`: given at the initiation, the same for ever.
    pub set_id: String,
    /// Which one it is.
    pub version: Version,
    /// Who is a member.
    pub members: Vec<ConfigMember>,
    /// How elections go.
    pub settings: Settings,
}

/// Orders configurations as members do: by term, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Of the primary that made it.
    pub term: i64,
    /// The number.
    pub version: i64,
}

/// A member as a configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMember {
    /// Its `_id`.
    pub id: i32,
    /// Host and port.
    pub host: String,
    /// Whether it votes; all of ours do.
    pub votes: bool,
}

/// The settings that decide how soon a lost primary is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A primary that is not heard for this long is replaced.
    pub election_timeout_millis: i64,
    /// How often members ask each other.
    pub heartbeat_interval_millis: i64,
    /// How long a new primary looks for what others have and it has not.
    pub catch_up_timeout_millis: i64,
    /// Whether a secondary may copy from another one.
    pub chaining_allowed: bool,
}

impl Observed {
    /// How many ordinals have a pod, or are to have one, of those that can be members. There are more
    /// pods if somebody has scaled the `StatefulSet` by hand, but nobody waits for them.
    pub(super) fn ordinals(&self) -> usize {
        self.replicas.min(self.members.len())
    }
}

impl State {
    /// The name that MongoDB has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Startup => "STARTUP",
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
            Self::Recovering => "RECOVERING",
            Self::Startup2 => "STARTUP2",
            Self::Unknown => "UNKNOWN",
            Self::Arbiter => "ARBITER",
            Self::Down => "DOWN",
            Self::Rollback => "ROLLBACK",
            Self::Removed => "REMOVED",
        }
    }

    /// The state with this number; a number that is none counts as unknown.
    pub fn of(number: i32) -> Self {
        match number {
            0 => Self::Startup,
            1 => Self::Primary,
            2 => Self::Secondary,
            3 => Self::Recovering,
            5 => Self::Startup2,
            7 => Self::Arbiter,
            8 => Self::Down,
            9 => Self::Rollback,
            10 => Self::Removed,
            _ => Self::Unknown,
        }
    }
}

impl Observed {
    /// Whether there is a set that works, with another key than the one that pods are given now. A
    /// pod that is made anew would be no member of it any more.
    pub fn has_other_key(&self) -> bool {
        let views = self.members.iter().filter_map(|it| it.answer.view());
        views
            .into_iter()
            .any(|it| it.state == State::Primary && it.refuses_key)
    }
}

impl Config {
    /// Whether a host is a member.
    pub fn lists(&self, host: &str) -> bool {
        self.members.iter().any(|it| it.host == host)
    }
}

impl Answer {
    /// The configuration that the member has.
    pub fn config(&self) -> Option<&Config> {
        match self {
            Self::Removed(config) => config.as_ref(),
            Self::Member(view) => Some(&view.config),
            Self::Unreachable(_) | Self::KeyRefused | Self::Starting | Self::NotInitiated => None,
        }
    }

    /// Whether it has another key than the one that pods are given now.
    pub fn refuses_key(&self) -> bool {
        *self == Self::KeyRefused || self.view().is_some_and(|it| it.refuses_key)
    }

    /// How the member sees the set, if it is one.
    pub fn view(&self) -> Option<&View> {
        match self {
            Self::Member(view) => Some(view),
            _ => None,
        }
    }
}

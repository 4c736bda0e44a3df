//! What the replica set is to be.

use super::observed::Settings;

/// The place of a member in the `StatefulSet`, from 0.
pub type Ordinal = usize;

/// The most members that a set may have: seven vote at most, and the manifest allows 1, 3 and 5.
pub const MAX_MEMBERS: usize = 5;

/// The annotation by which a person lets the operator delete the data of members. Its value is a
/// list of [`Permit`]s, separated by commas.
pub const RESYNC_ANNOTATION: &str = "sessionstore.dev/resync";

/// The election settings: a lost primary is replaced within 4 to 5 seconds and no election comes of
/// a busy machine alone. `docs/mongodb.md` says what was measured with which.
pub const SETTINGS: Settings = Settings {
    election_timeout_millis: 3_000,
    heartbeat_interval_millis: 1_000,
    catch_up_timeout_millis: 500,
    chaining_allowed: false,
};

/// What the replica set is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Host and port of each member that there may be, by ordinal, as the configuration of the set
    /// names them. More than `members`: those that are to go have names too.
    pub hosts: Vec<String>,
    /// How many members there are to be: the ordinals below this.
    pub members: usize,
    /// The revision of the pod template that every pod is to have.
    pub revision: String,
    /// The `replicaSetId` that the set is known to have, once that has been written down. It tells
    /// the set from one that somebody else has initiated.
    pub known_set: Option<String>,
    /// Whether the passwords are stored, so that users can be given them.
    pub passwords_are_stored: bool,
    /// Whose data a person allows to delete.
    pub permits: Vec<Permit>,
}

/// A person's word that the data of one member may be deleted. It names the volume, so that it is
/// used up by what it permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The member.
    pub ordinal: Ordinal,
    /// The UID of its volume claim.
    pub volume: String,
}

impl Desired {
    /// The member with this host and port, if it is one of ours.
    pub fn ordinal(&self, host: &str) -> Option<Ordinal> {
        self.hosts.iter().position(|it| it == host)
    }

    /// The name of a member's pod: the first label of its host name.
    pub fn pod(&self, ordinal: Ordinal) -> &str {
        let host = self.hosts.get(ordinal).map_or("", String::as_str);
        host.split('.').next().unwrap_or(host)
    }

    /// Reads the value of [`RESYNC_ANNOTATION`]: `POD/UID` of one or more members. What names no
    /// member of the set permits nothing.
    pub fn permits(&self, annotation: &str) -> Vec<Permit> {
        let read = |text: &str| {
            let (pod, volume) = text.trim().split_once('/')?;
            let mut ordinals = 0..self.hosts.len();
            let ordinal = ordinals.find(|it| self.pod(*it) == pod)?;
            let volume = volume.to_owned();
            Some(Permit { ordinal, volume })
        };
        annotation.split(',').filter_map(read).collect()
    }
}

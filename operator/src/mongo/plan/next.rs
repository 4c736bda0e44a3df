//! What the plan can decide: one thing to do, or to wait for.

use std::fmt;

use super::desired::{Ordinal, RESYNC_ANNOTATION};
use super::observed::Version;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this, then look again.
    Do(Action),
    /// Do nothing until something else has changed.
    Wait(Why),
    /// All is as it is to be.
    Done,
}

/// One thing to do. Each may be repeated, may come late and may be cut off in the middle: what it
/// leaves is something that the plan goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a set of the first so many members, at ordinal 0.
    Initiate {
        /// How many.
        members: usize,
    },
    /// Create or update roles and users.
    EnsureUsers {
        /// The primary.
        primary: Ordinal,
    },
    /// Change the configuration.
    Reconfigure {
        /// Who is asked to.
        primary: Ordinal,
        /// The configuration that is changed. If there is a newer one, nothing happens.
        base: Version,
        /// How.
        change: Change,
    },
    /// Hand over to a secondary, in time for what is about to happen to the primary.
    StepDown {
        /// Who hands over.
        primary: Ordinal,
    },
    /// Let the `StatefulSet` make a pod anew.
    RestartPod {
        /// Whose.
        ordinal: Ordinal,
        /// The pod; another one is left alone.
        pod: String,
        /// How.
        restart: Restart,
    },
    /// Delete the volume claim and the pod, so that the member copies everything anew. A person has
    /// permitted it.
    Resync {
        /// Whose.
        ordinal: Ordinal,
        /// The volume claim; another one is left alone.
        volume: String,
        /// The pod, if there is one; another one is left alone.
        pod: Option<String>,
        /// The node of the pod does not answer, and the person knows that it is off: nobody else
        /// can end the pod.
        node_lost: bool,
    },
}

/// How a configuration is changed. All other fields stay as they are, but the election settings,
/// which every change sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the election settings.
    Settings,
    /// One more member, as an ordinary voter: the server lets it count when it has caught up.
    Add {
        /// Its `_id`.
        id: i32,
        /// Host and port.
        host: String,
    },
    /// One member less.
    Remove {
        /// Host and port.
        host: String,
    },
}

/// How a pod is to be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The member is in use: by eviction, so that disruption budgets are kept.
    Planned,
    /// It does nothing for the set: by deletion, since no budget would let it go while others are
    /// away too.
    Useless,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing can begin before all members answer.
    NotAllReachable(Vec<Missing>),
    /// All members are empty, and there are volumes of further ones, which may hold the data.
    RetainedVolumes(Vec<String>),
    /// There was a set, and all its members are empty.
    DataGone,
    /// The configuration names a member that is not ours.
    UnknownHost(String),
    /// Members belong to another set.
    ForeignMember(Vec<Stuck>),
    /// No majority, so no primary.
    MajorityLost(Vec<Missing>),
    /// A majority is about to elect a primary.
    Electing,
    /// Users are to get passwords whose Secrets are not there yet.
    PasswordsNotStored,
    /// The last change of the configuration or of the primary has not reached a majority.
    Settling,
    /// A member is to be added when it runs.
    NotJoined(Missing),
    /// A member that was removed is to learn that before its pod goes.
    Leaving(Missing),
    /// A member copies everything from another one.
    Syncing(String),
    /// A member is behind the primary.
    CatchingUp {
        /// The pod.
        pod: String,
        /// By so many seconds.
        seconds: u32,
    },
    /// A member's pod is on its way.
    Restarting(String),
    /// A member does not answer, or not as a member.
    Unwell(Missing),
    /// A member has another key.
    KeyRefused(String),
    /// A member's node is lost.
    NodeLost {
        /// The member.
        stuck: Stuck,
        /// The node.
        node: String,
    },
    /// A member can never catch up by itself.
    TooStale(Stuck),
    /// A member's volume claim is deleted, so its data goes with its pod, and may be needed.
    VolumeDeleted(String),
}

/// A member that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its pod.
    pub pod: String,
    /// What is there instead.
    pub because: String,
}

/// A member that only a person can help, by letting its data be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its pod.
    pub pod: String,
    /// The UID of its volume claim; none as long as its data may be needed.
    pub volume: Option<String>,
}

impl Why {
    /// The reason of a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAllReachable(_) => "NotAllReachable",
            Self::RetainedVolumes(_) => "RetainedVolumes",
            Self::DataGone => "DataGone",
            Self::UnknownHost(_) => "UnknownHost",
            Self::ForeignMember(_) => "ForeignMember",
            Self::MajorityLost(_) => "MajorityLost",
            Self::Electing => "Electing",
            Self::PasswordsNotStored => "PasswordsNotStored",
            Self::Settling => "Settling",
            Self::NotJoined(_) => "NotJoined",
            Self::Leaving(_) => "Leaving",
            Self::Syncing(_) => "Syncing",
            Self::CatchingUp { .. } => "CatchingUp",
            Self::Restarting(_) => "Restarting",
            Self::Unwell(_) => "Unwell",
            Self::KeyRefused(_) => "KeyRefused",
            Self::NodeLost { .. } => "NodeLost",
            Self::TooStale(_) => "TooStale",
            Self::VolumeDeleted(_) => "VolumeDeleted",
        }
    }

    /// Whether nothing will change until a person does something.
    pub fn is_stalled(&self) -> bool {
        match self {
            Self::RetainedVolumes(_)
            | Self::DataGone
            | Self::UnknownHost(_)
            | Self::ForeignMember(_)
            | Self::MajorityLost(_)
            | Self::KeyRefused(_)
            | Self::NodeLost { .. }
            | Self::TooStale(_)
            | Self::VolumeDeleted(_) => true,
            Self::NotAllReachable(_)
            | Self::Electing
            | Self::PasswordsNotStored
            | Self::Settling
            | Self::NotJoined(_)
            | Self::Leaving(_)
            | Self::Syncing(_)
            | Self::CatchingUp { .. }
            | Self::Restarting(_)
            | Self::Unwell(_) => false,
        }
    }
}

/// The message of a condition: what is waited for and, where only a person can help, how.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllReachable(missing) => {
                write!(f, "the set begins when all members answer; ")?;
                list(f, missing)
            }
            Self::RetainedVolumes(pods) => write!(
                f,
                "the members are empty, and the volumes of {} may hold the data: set \
                 spec.mongodb.members so that they take part, or delete their volume claims",
                pods.join(", ")
            ),
            Self::DataGone => f.write_str(
                "all members have lost their data: bring their volumes back, or delete the \
                 SessionStore and create it again to begin with an empty one",
            ),
            Self::UnknownHost(host) => write!(
                f,
                "the configuration of the set names {host}, which is no member of this \
                 SessionStore: remove it with rs.remove(), or correct the operator's cluster domain"
            ),
            Self::ForeignMember(members) => {
                f.write_str("not of this set; to delete the data of one and let it join: ")?;
                let remedies: Vec<String> =
                    members.iter().map(|it| Remedy(it).to_string()).collect();
                f.write_str(&remedies.join(", or "))
            }
            Self::MajorityLost(missing) => {
                f.write_str("no majority, so no writes; bring members back: ")?;
                list(f, missing)
            }
            Self::Electing => f.write_str("a primary is being elected"),
            Self::PasswordsNotStored => {
                f.write_str("users get their passwords when the Secrets with them are stored")
            }
            Self::Settling => f.write_str("a majority is to have the last configuration"),
            Self::NotJoined(missing) => write!(f, "to be added: {missing}"),
            Self::Leaving(missing) => {
                write!(f, "to learn that it is no member any more: {missing}")
            }
            Self::Syncing(pod) => write!(f, "{pod} copies the data of another member"),
            Self::CatchingUp { pod, seconds } => write!(f, "{pod} is {seconds} s behind"),
            Self::Restarting(pod) => write!(f, "{pod} starts"),
            Self::Unwell(missing) => write!(f, "{missing}"),
            Self::KeyRefused(pod) => write!(
                f,
                "{pod} has another key: restore the key Secret, or delete all pods so that all \
                 start with the new one"
            ),
            Self::NodeLost { stuck, node } => write!(
                f,
                "{} is on node {node}, which does not answer: bring it back, or delete its Node \
                 object if it is off for good; if the volume is lost with it, {}",
                stuck.pod,
                Remedy(stuck)
            ),
            Self::TooStale(stuck) => write!(
                f,
                "{} can never catch up by itself; to let it copy everything anew, {}",
                stuck.pod,
                Remedy(stuck)
            ),
            Self::VolumeDeleted(pod) => write!(
                f,
                "the volume claim of {pod} is deleted and goes with its pod, so the pod is not \
                 restarted before others have all of its data: bring the other members back, or \
                 set spec.mongodb.members to 3 if there are none"
            ),
        }
    }
}

/// How to permit the deletion of a member's data.
struct Remedy<'a>(&'a Stuck);

impl fmt::Display for Remedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stuck { pod, volume } = self.0;
        match volume {
            Some(volume) => write!(
                f,
                "annotate the SessionStore with {RESYNC_ANNOTATION}={pod}/{volume}"
            ),
            None => f.write_str("bring the other members back first: its data may be needed"),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pod, self.because)
    }
}

fn list(f: &mut fmt::Formatter<'_>, missing: &[Missing]) -> fmt::Result {
    for (number, missing) in missing.iter().enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        write!(f, "{comma}{missing}")?;
    }
    Ok(())
}

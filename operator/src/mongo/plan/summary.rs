//! What the status of a `SessionStore` tells of its members.

use super::desired::{Desired, Ordinal};
use super::observed::{Observed, State};
use super::picture::{Picture, Standing};

/// The set as the status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The `replicaSetId` of our set, to be kept for [`Desired::known_set`].
    pub set_id: Option<String>,
    /// The primary, if there is one.
    pub primary: Option<Ordinal>,
    /// Whether writes are possible: a primary and a majority.
    pub is_available: bool,
    /// All that are members or are to be, by ordinal.
    pub members: Vec<MemberSummary>,
}

/// A member as the status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSummary {
    /// Its ordinal.
    pub ordinal: Ordinal,
    /// The name of its pod.
    pub pod: String,
    /// `PRIMARY`, `SECONDARY`, or what it is instead.
    pub state: &'static str,
    /// Whether it serves and has caught up.
    pub is_healthy: bool,
    /// How many seconds it is behind; only as long as it has not caught up, since a number that
    /// changes all the time is a metric.
    pub lag: Option<u32>,
}

impl Summary {
    /// Sums up what is seen.
    pub fn of(desired: &Desired, observed: &Observed) -> Self {
        let Ok(picture) = Picture::of(desired, observed) else {
            let wanted = 0..desired.members;
            return Self {
                members: wanted.map(|it| unseen(desired, it)).collect(),
                ..Self::default()
            };
        };
        let shown = (0..observed.members.len())
            .filter(|it| picture.is_configured(*it) || *it < desired.members);
        Self {
            set_id: Some(picture.config.set_id.clone()),
            primary: picture.primary.map(|(ordinal, _)| ordinal),
            is_available: is_available(&picture),
            members: shown.map(|it| member(&picture, it)).collect(),
        }
    }
}

/// Members that were just added do not count yet.
fn is_available(picture: &Picture<'_>) -> bool {
    let serves = |ordinal: &Ordinal| {
        matches!(
            picture.standing(*ordinal),
            Standing::Primary | Standing::Follows | Standing::Behind(_)
        ) || picture.is_followed_by(*ordinal)
    };
    let serving = picture.configured().filter(serves).count();
    picture
        .primary
        .is_some_and(|(_, view)| serving > view.voters / 2)
}

fn unseen(desired: &Desired, ordinal: Ordinal) -> MemberSummary {
    MemberSummary {
        ordinal,
        pod: desired.pod(ordinal).to_owned(),
        state: State::Unknown.name(),
        is_healthy: false,
        lag: None,
    }
}

fn member(picture: &Picture<'_>, ordinal: Ordinal) -> MemberSummary {
    let standing = picture.standing(ordinal);
    let state = match standing {
        Standing::Primary => State::Primary,
        Standing::Follows | Standing::Behind(_) => State::Secondary,
        Standing::Syncing if picture.is_configured(ordinal) => State::Startup2,
        Standing::Syncing => State::Startup,
        Standing::Passing(state) => state,
        Standing::TooStale => State::Recovering,
        Standing::Removed => State::Removed,
        Standing::Foreign | Standing::KeyRefused => State::Unknown,
        Standing::NodeLost(_) | Standing::Unreachable(_) => {
            picture.peer(ordinal).map_or(State::Down, |it| it.state)
        }
    };
    let lag = match standing {
        Standing::Behind(seconds) => Some(seconds),
        _ => None,
    };
    MemberSummary {
        ordinal,
        pod: picture.desired.pod(ordinal).to_owned(),
        state: state.name(),
        is_healthy: matches!(standing, Standing::Primary | Standing::Follows),
        lag,
    }
}

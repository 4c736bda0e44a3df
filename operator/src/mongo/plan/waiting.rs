//! What keeps the set from being as it is to be, when there is nothing to do about it.

use super::desired::Ordinal;
use super::next::{Stuck, Why};
use super::observed::State;
use super::picture::{Picture, Standing};
use super::{replicas, resync};

/// Why there is no majority. Whoever is silent is to come back first; then those who belong to
/// another set may join, and those who have another key get the same.
pub(super) fn majority(picture: &Picture<'_>) -> Why {
    let missing = || picture.configured().filter(|it| !picture.is_well(*it));
    let is_foreign = |it: Ordinal| picture.standing(it) == Standing::Foreign;
    let is_silent = |it: Ordinal| {
        matches!(
            picture.standing(it),
            Standing::Unreachable(_) | Standing::NodeLost(_) | Standing::Removed
        )
    };
    if missing().all(is_foreign) {
        let foreign = missing().map(|it| picture.stuck(it));
        return Why::ForeignMember(foreign.collect());
    }
    match with_other_key(picture) {
        Some(other) if !missing().any(|it| is_silent(it) || is_foreign(it)) => {
            Why::KeyRefused(picture.desired.pod(other).to_owned())
        }
        _ => Why::MajorityLost(missing().map(|it| picture.missing(it)).collect()),
    }
}

/// Why there is no primary, though there could be one. Members with different keys do not hear each
/// other.
pub(super) fn election(picture: &Picture<'_>) -> Why {
    match with_other_key(picture) {
        Some(other) => Why::KeyRefused(picture.desired.pod(other).to_owned()),
        None => Why::Electing,
    }
}

fn with_other_key(picture: &Picture<'_>) -> Option<Ordinal> {
    let mut configured = picture.configured();
    configured.find(|it| picture.observed.members[*it].answer.refuses_key())
}

/// Why the last change has not reached a majority.
pub(super) fn settling(picture: &Picture<'_>) -> Why {
    let grave = remaining(picture).filter(Why::is_stalled);
    grave.unwrap_or(Why::Settling)
}

/// The gravest of what is left.
pub(super) fn remaining(picture: &Picture<'_>) -> Option<Why> {
    let ordinals = 0..picture.observed.members.len();
    let concerned = ordinals
        .filter(|it| is_concerned(picture, *it))
        .filter_map(|it| trouble(picture, it));
    let gravest = concerned.min_by_key(gravity);
    gravest.or_else(|| is_changing(picture).then_some(Why::Settling))
}

fn is_concerned(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    let has_pod = ordinal < picture.observed.replicas;
    let may_go = replicas::is_removed(picture, ordinal) && replicas::may_go(picture, ordinal);
    picture.is_configured(ordinal) || (has_pod && !may_go) || ordinal < picture.desired.members
}

fn is_changing(picture: &Picture<'_>) -> bool {
    let is_due = |ordinal: Ordinal| {
        let is_outdated = picture
            .pod(ordinal)
            .is_some_and(|it| it.revision != picture.desired.revision);
        is_outdated || ordinal >= picture.desired.members
    };
    picture.is_joining() || picture.configured().any(is_due)
}

fn trouble(picture: &Picture<'_>, ordinal: Ordinal) -> Option<Why> {
    let pod = || picture.desired.pod(ordinal).to_owned();
    let is_member = picture.is_configured(ordinal);
    Some(match picture.standing(ordinal) {
        Standing::Foreign => Why::ForeignMember(vec![picture.stuck(ordinal)]),
        Standing::KeyRefused => Why::KeyRefused(pod()),
        Standing::NodeLost(node) => Why::NodeLost {
            stuck: stuck(picture, ordinal),
            node: node.to_owned(),
        },
        Standing::TooStale => Why::TooStale(stuck(picture, ordinal)),
        _ if picture.pod(ordinal).is_none_or(|it| it.leaving) => Why::Restarting(pod()),
        _ if is_member && picture.is_doomed(ordinal) => Why::VolumeDeleted(pod()),
        _ if !is_member && ordinal < picture.desired.members => {
            Why::NotJoined(picture.missing(ordinal))
        }
        _ if !is_member => Why::Leaving(picture.missing(ordinal)),
        Standing::Primary | Standing::Follows => return None,
        Standing::Syncing => Why::Syncing(pod()),
        Standing::Behind(seconds) => Why::CatchingUp {
            pod: pod(),
            seconds,
        },
        Standing::Passing(State::Startup) => Why::Restarting(pod()),
        Standing::Removed | Standing::Passing(_) | Standing::Unreachable(_) => {
            Why::Unwell(picture.missing(ordinal))
        }
    })
}

/// What only a person can change comes first; of that, what a person is able to change now.
fn gravity(why: &Why) -> (bool, bool) {
    let needs_others = matches!(
        why,
        Why::TooStale(Stuck { volume: None, .. }) | Why::VolumeDeleted(_)
    );
    (!why.is_stalled(), needs_others)
}

/// A member of our set that a person may let go, if its data is not needed.
fn stuck(picture: &Picture<'_>, ordinal: Ordinal) -> Stuck {
    let mut stuck = picture.stuck(ordinal);
    if !resync::is_safe(picture, ordinal) {
        stuck.volume = None;
    }
    stuck
}

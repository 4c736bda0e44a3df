//! How many pods there are to be.

use super::desired::{Desired, Ordinal};
use super::observed::{Answer, Observed};
use super::picture::{Picture, Standing};

/// `spec.replicas` of the `StatefulSet`: a pod is there before its member is added, and goes after it
/// was removed. Fewer than there are only if a majority of the members has said, in the same
/// observation, that the configuration does without them, and each that goes knows that.
pub fn replicas(desired: &Desired, observed: &Observed) -> usize {
    let Ok(picture) = Picture::of(desired, observed) else {
        return desired.members.max(observed.replicas);
    };
    let needed = needed(&picture);
    let mut pods = (needed..observed.replicas).rev();
    let staying = pods.find(|it| !may_go(&picture, *it));
    let staying = staying.map_or(0, |it| it + 1);
    if picture.is_in_force() {
        needed.max(staying)
    } else {
        needed.max(observed.replicas)
    }
}

fn needed(picture: &Picture<'_>) -> usize {
    let configured = picture.configured().last().map_or(0, |it| it + 1);
    picture.desired.members.max(configured)
}

/// Whether a pod is neither that of a member nor of one that is to be.
pub(super) fn is_removed(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    !picture.is_configured(ordinal) && ordinal >= picture.desired.members
}

/// Whether a pod that is not needed can go. Its volume may stay: if that had a configuration in
/// which it still is a member, it could later help to elect somebody by that one, together with
/// others who have lost their volumes and with them all knowledge of newer ones.
pub(super) fn may_go(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    let host = picture.desired.hosts.get(ordinal);
    let (Some(host), Some(member)) = (host, picture.observed.members.get(ordinal)) else {
        // Beyond all that could be members: somebody has scaled the StatefulSet by hand.
        return true;
    };
    let knows = match &member.answer {
        Answer::NotInitiated => true,
        Answer::Removed(Some(config)) => !config.lists(host),
        _ => false,
    };
    let is_foreign = picture.standing(ordinal) == Standing::Foreign;
    member.volume.is_none() || knows || is_foreign
}

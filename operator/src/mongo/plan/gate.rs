//! The readiness gate of each pod.

use super::desired::Desired;
use super::observed::Observed;
use super::picture::{Picture, Standing};

/// By ordinal, whether the condition `sessionstore.dev/member` is true: the member is the primary,
/// or a secondary that has caught up. A member that the primary hears counts even if we do not.
pub fn ready_members(desired: &Desired, observed: &Observed) -> Vec<bool> {
    let Ok(picture) = Picture::of(desired, observed) else {
        return vec![false; observed.members.len()];
    };
    let is_ready = |ordinal| {
        picture.is_configured(ordinal)
            && match picture.standing(ordinal) {
                Standing::Primary | Standing::Follows => true,
                Standing::Unreachable(_) => picture.is_followed_by(ordinal),
                _ => false,
            }
    };
    (0..observed.members.len()).map(is_ready).collect()
}

//! How many pods there are to be.

use super::desired::Desired;
use super::observed::Observed;
use super::picture::Picture;

/// `spec.replicas` of the `StatefulSet`: a pod is there before its member is added, and goes after it
/// was removed. Fewer than there are only if a majority of the members has said, in the same
/// observation, that the configuration does without them.
pub fn replicas(desired: &Desired, observed: &Observed) -> usize {
    let Ok(picture) = Picture::of(desired, observed) else {
        return desired.members.max(observed.replicas);
    };
    let configured = picture.configured().last().map_or(0, |it| it + 1);
    let needed = desired.members.max(configured);
    if picture.is_in_force() {
        needed
    } else {
        needed.max(observed.replicas)
    }
}

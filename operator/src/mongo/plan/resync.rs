//! Deleting the data of a member that cannot catch up by itself, when a person permits it. It is two
//! calls, the claim first and then the pod; what was begun is finished, whoever began it.

use std::cmp::Reverse;

use super::desired::Ordinal;
use super::next::Action;
use super::observed::{Answer, Observed, OpTime, View};
use super::picture::{Picture, Standing, is_doomed, is_permitted};

/// A member of our own set that is stuck or has lost its claim, and whose data may go.
pub(super) fn next(picture: &Picture<'_>) -> Option<Action> {
    let is_due = |ordinal: &Ordinal| {
        let is_wanted = is_stuck(picture, *ordinal)
            && is_permitted(picture.desired, picture.observed, *ordinal);
        (is_wanted || is_begun(picture.observed, *ordinal)) && is_safe(picture, *ordinal)
    };
    let victim = (0..picture.observed.members.len()).find(is_due)?;
    wipe(picture.observed, victim)
}

fn is_stuck(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    matches!(
        picture.standing(ordinal),
        Standing::TooStale | Standing::NodeLost(_)
    )
}

/// Whether a claim is deleted and its pod goes on. A pod on a lost node is nothing that the operator
/// may end without a person's word.
pub(super) fn is_begun(observed: &Observed, ordinal: Ordinal) -> bool {
    let pod = observed.members[ordinal].pod.as_ref();
    let goes_on = pod.is_some_and(|pod| {
        let is_lost = pod.node.as_ref().is_some_and(|it| it.lost);
        !pod.leaving && !is_lost
    });
    goes_on && is_doomed(observed, ordinal)
}

/// Whether the data of a member can go without danger. An empty member has a vote, so it could help
/// somebody to lead who lacks what was acknowledged: only when who has all of that is in every
/// majority.
pub(super) fn is_safe(picture: &Picture<'_>, victim: Ordinal) -> bool {
    if !picture.is_configured(victim) {
        return true;
    }
    let Some((primary, view)) = picture.primary.filter(|(it, _)| *it != victim) else {
        return false;
    };
    let mut all = 0..picture.observed.members.len();
    if picture.is_outrun() || all.any(|it| is_unaware(picture, it)) {
        return false;
    }
    let acknowledged = acknowledged_at_most(picture, view);
    let has_all = |ordinal: &Ordinal| {
        let applied = picture.applied(*ordinal);
        *ordinal == primary || applied.is_some_and(|it| it >= acknowledged)
    };
    let others = picture.configured().filter(|it| *it != victim);
    let having = others.filter(|it| has_all(it) && picture.has_vote(*it));
    view.voters.saturating_sub(having.count()) <= view.voters / 2
}

/// Whether a member that was removed, and runs, has not said that it knows. By the configuration that
/// it has, the vote of an empty member counts for it, whatever it lacks itself: a member with data
/// knows the newer configuration and refuses. One that is being ended on a lost node is not waited
/// for: that may never come back, and when it does, the pod ends.
fn is_unaware(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    let member = &picture.observed.members[ordinal];
    let runs = match &member.pod {
        Some(pod) => !(pod.leaving && pod.node.as_ref().is_some_and(|it| it.lost)),
        None => ordinal < picture.observed.replicas,
    };
    let knows = matches!(member.answer, Answer::Removed(_) | Answer::NotInitiated);
    !picture.is_configured(ordinal) && runs && member.volume.is_some() && !knows
}

/// Nothing beyond this has been acknowledged. A primary knows how far a majority is once it has
/// written in its own term; before that, a majority is as far as the last of the foremost members
/// that make one. Who is silent may be as far as the primary.
fn acknowledged_at_most(picture: &Picture<'_>, view: &View) -> OpTime {
    let progress = |ordinal| picture.applied(ordinal).unwrap_or(view.applied);
    let mut progress: Vec<OpTime> = picture.configured().map(progress).collect();
    progress.sort_unstable_by_key(|it| Reverse(*it));
    let on_majority = progress.get(view.voters / 2).copied();
    let on_majority = on_majority.unwrap_or(view.applied);
    if view.committed.term == view.term {
        on_majority.min(view.committed)
    } else {
        on_majority
    }
}

/// Deletes whatever a member has.
pub(super) fn wipe(observed: &Observed, ordinal: Ordinal) -> Option<Action> {
    let member = &observed.members[ordinal];
    let node = member.pod.as_ref().and_then(|it| it.node.as_ref());
    Some(Action::Resync {
        ordinal,
        volume: member.volume.as_ref()?.uid.clone(),
        pod: member.pod.as_ref().map(|it| it.uid.clone()),
        node_lost: node.is_some_and(|it| it.lost),
    })
}

//! Which pod is made anew, and when.

use super::desired::{Desired, Ordinal};
use super::next::{Action, Restart};
use super::observed::{Answer, Config, Observed, Pod};
use super::picture::{Picture, Standing, is_doomed};

/// A pod that does not run and has an old template goes at once, whatever the others do: the new
/// template may be the cure, and the old one would never be replaced otherwise.
pub(super) fn of_broken(desired: &Desired, observed: &Observed) -> Option<Action> {
    observed
        .members
        .iter()
        .enumerate()
        .find_map(|(ordinal, it)| {
            let pod = it.pod.as_ref()?;
            let is_silent = matches!(it.answer, Answer::Unreachable(_));
            // Silent, it tells nobody whether its data is needed.
            let is_doomed = is_doomed(observed, ordinal);
            let is_broken =
                is_silent && !pod.serving && !pod.leaving && !is_lost(pod) && !is_doomed;
            (is_broken && pod.revision != desired.revision)
                .then(|| restart(ordinal, pod, Restart::Useless))
        })
}

/// A member whose own name did not resolve when it started takes itself for no member, and stays so
/// until it starts again. One that has an older configuration gets the new one by a heartbeat, as
/// long as it is a member by that.
pub(super) fn of_removed(picture: &Picture<'_>) -> Option<Action> {
    (0..picture.observed.members.len()).find_map(|ordinal| {
        let Answer::Removed(config) = &picture.observed.members[ordinal].answer else {
            return None;
        };
        let is_newest = |it: &Config| it.version >= picture.config.version;
        let is_lost = match config {
            Some(config) if !picture.is_configured(ordinal) => {
                config.lists(&picture.desired.hosts[ordinal])
            }
            config => picture.is_configured(ordinal) && config.as_ref().is_none_or(is_newest),
        };
        let is_ours = picture.standing(ordinal) == Standing::Removed;
        let pod = picture.pod(ordinal)?;
        let can_restart = is_lost && is_ours && !pod.leaving && !picture.is_doomed(ordinal);
        can_restart.then(|| restart(ordinal, pod, Restart::Useless))
    })
}

/// A member with another key than the primary is none until it starts again, and learns nothing, not
/// even that it is removed. One with the newest template would only get the same key again.
pub(super) fn of_estranged(picture: &Picture<'_>) -> Option<Action> {
    (0..picture.observed.members.len()).find_map(|ordinal| {
        let pod = picture.pod(ordinal)?;
        let is_estranged = picture.observed.members[ordinal].answer.refuses_key()
            && picture.peer(ordinal).is_none_or(|it| !it.healthy);
        let is_old = pod.revision != picture.desired.revision;
        let can_restart = is_old && !pod.leaving && !picture.is_doomed(ordinal);
        (is_estranged && can_restart).then(|| restart(ordinal, pod, Restart::Useless))
    })
}

/// Pods with an old template: first those that are no members, then members that are not well, then
/// secondaries, the primary last; each only when all others are well. A budget would not let it go
/// while any other pod is not ready, so that has to be waited for and told.
pub(super) fn of_outdated(picture: &Picture<'_>, primary: Ordinal) -> Option<Action> {
    let outdated = |ordinal: Ordinal| {
        let pod = picture.pod(ordinal)?;
        let is_old = pod.revision != picture.desired.revision;
        let can_restart = !pod.leaving && !is_lost(pod) && !picture.is_doomed(ordinal);
        (is_old && can_restart).then_some((ordinal, pod))
    };
    let is_idle = |ordinal: &Ordinal| {
        !picture.is_configured(*ordinal) && picture.standing(*ordinal) != Standing::Foreign
    };
    let mut idle = (0..picture.desired.members).filter(is_idle);
    if let Some((ordinal, pod)) = idle.find_map(outdated) {
        return Some(restart(ordinal, pod, Restart::Useless));
    }
    let rank = |ordinal: Ordinal| (ordinal == primary, picture.is_well(ordinal));
    let members = picture.configured().rev().filter_map(outdated);
    let (next, pod) = members.min_by_key(|(ordinal, _)| rank(*ordinal))?;
    if !can_spare(picture, next) {
        return None;
    }
    let is_alone = picture.configured().count() == 1;
    Some(if next == primary && !is_alone {
        Action::StepDown { primary }
    } else {
        restart(next, pod, Restart::Planned)
    })
}

/// Whether all others are well and a majority without this one. Only a single member that is to
/// stay alone is restarted with downtime.
fn can_spare(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    // Members may have no pod to be, if somebody has scaled the StatefulSet by hand.
    let all_pods = (0..picture.observed.replicas).chain(picture.configured());
    let mut others = all_pods.filter(|it| *it != ordinal);
    let are_well = others.all(|it| picture.is_configured(it) && picture.is_well(it));
    let all = picture.configured().count();
    let costs_majority = all - 1 <= all / 2 && picture.is_well(ordinal);
    let is_alone = all == 1 && picture.desired.members == 1;
    are_well && (is_alone || !costs_majority)
}

fn is_lost(pod: &Pod) -> bool {
    pod.node.as_ref().is_some_and(|it| it.lost)
}

fn restart(ordinal: Ordinal, pod: &Pod, restart: Restart) -> Action {
    Action::RestartPod {
        ordinal,
        pod: pod.uid.clone(),
        restart,
    }
}

//! Which pod is made anew, and when.

use super::desired::{Desired, Ordinal};
use super::next::{Action, Restart};
use super::observed::{Answer, Observed, Pod};
use super::picture::{Picture, Standing};

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
            let is_lost = pod.node.as_ref().is_some_and(|it| it.lost);
            let is_broken = is_silent && !pod.serving && !pod.leaving && !is_lost;
            (is_broken && pod.revision != desired.revision)
                .then(|| restart(ordinal, pod, Restart::Useless))
        })
}

/// A member whose own name did not resolve when it started takes itself for no member, and stays so
/// until it starts again. One that has an older configuration gets the new one by a heartbeat.
pub(super) fn of_removed(picture: &Picture<'_>) -> Option<Action> {
    picture.configured().find_map(|ordinal| {
        let Answer::Removed(config) = &picture.observed.members[ordinal].answer else {
            return None;
        };
        let has_newest = config
            .as_ref()
            .is_none_or(|it| it.version >= picture.config.version);
        let is_lost = has_newest && picture.standing(ordinal) == Standing::Removed;
        let pod = picture.pod(ordinal).filter(|it| is_lost && !it.leaving)?;
        Some(restart(ordinal, pod, Restart::Useless))
    })
}

/// Pods with an old template: first those that are no members, then members that are not well, then
/// secondaries, the primary last; each only when all others are well.
pub(super) fn of_outdated(picture: &Picture<'_>, primary: Ordinal) -> Option<Action> {
    let outdated = |ordinal: &Ordinal| {
        let pod = picture.pod(*ordinal)?;
        (pod.revision != picture.desired.revision && !pod.leaving).then_some((*ordinal, pod))
    };
    let mut wanted = 0..picture.desired.members;
    let not_joined = wanted.find_map(|it| outdated(&it).filter(|_| !picture.is_configured(it)));
    if let Some((ordinal, pod)) = not_joined {
        return Some(restart(ordinal, pod, Restart::Useless));
    }
    let rank = |ordinal: Ordinal| (ordinal == primary, picture.is_well(ordinal));
    let members = picture.configured().rev().filter_map(|it| outdated(&it));
    let (next, pod) = members.min_by_key(|(ordinal, _)| rank(*ordinal))?;
    let all = picture.configured().count();
    let is_well = |it: &Ordinal| *it != next && picture.is_well(*it);
    let well = picture.configured().filter(is_well).count();
    let is_alone = all == 1 && picture.desired.members == 1;
    let can_spare = well + 1 == all && (well > all / 2 || !picture.is_well(next));
    if is_alone {
        Some(restart(next, pod, Restart::Planned))
    } else if !can_spare {
        None
    } else if next == primary {
        Some(Action::StepDown { primary })
    } else {
        Some(restart(next, pod, Restart::Planned))
    }
}

fn restart(ordinal: Ordinal, pod: &Pod, restart: Restart) -> Action {
    Action::RestartPod {
        ordinal,
        pod: pod.uid.clone(),
        restart,
    }
}

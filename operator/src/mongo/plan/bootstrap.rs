//! Before there is a set, or while none can be seen.

use super::desired::{Desired, Ordinal};
use super::next::{Action, Missing, Next, Why};
use super::observed::{Answer, Member, Observed};
use super::picture::{Unclear, is_permitted, stuck};
use super::resync::wipe;

/// Initiates the set, or says why not. The first condition of all: every member must say that it is
/// empty. One that is silent may hold the data, and a set without it would be a second one.
pub(super) fn plan(desired: &Desired, observed: &Observed, unclear: Unclear) -> Next {
    if let Unclear::Foreign(members) = unclear {
        return foreign(desired, observed, &members);
    }
    // With pods that are not wanted, if they do not say that they are empty.
    let has_more = observed
        .members
        .iter()
        .any(|it| it.answer.config().is_some());
    let end = if has_more { observed.ordinals() } else { 0 };
    let pods = 0..desired.members.max(end);
    let missing: Vec<(Ordinal, Missing)> = pods
        .filter_map(|ordinal| Some((ordinal, missing(desired, observed, ordinal)?)))
        .collect();
    if !missing.is_empty() {
        // A member of some set has told all that it can.
        let member = |ordinal: Ordinal| observed.members.get(ordinal);
        let has_told = |it: Ordinal| member(it).is_some_and(|it| it.answer.config().is_some());
        let has_other_key = |ordinal: Ordinal| {
            let is_there = |it: &Member| it.pod.as_ref().is_some_and(|pod| !pod.leaving);
            member(ordinal).is_some_and(|it| is_there(it) && it.answer == Answer::KeyRefused)
        };
        let mut untold = missing
            .iter()
            .map(|(it, _)| *it)
            .filter(|it| !has_told(*it));
        if let Some(first) = untold.next()
            && has_other_key(first)
            && untold.all(has_other_key)
        {
            // Nobody else is waited for, and this has a remedy.
            return Next::Wait(Why::KeyRefused(desired.pod(first).to_owned()));
        }
        let missing = missing.into_iter().map(|(_, it)| it).collect();
        let why = if desired.known_set.is_some() {
            Why::MajorityLost
        } else {
            Why::NotAllReachable
        };
        return Next::Wait(why(missing));
    }
    if desired.known_set.is_some() {
        return Next::Wait(Why::DataGone);
    }
    let retained = retained(desired, observed);
    if !retained.is_empty() {
        return Next::Wait(Why::RetainedVolumes(retained));
    }
    Next::Do(Action::Initiate {
        members: desired.members,
    })
}

fn missing(desired: &Desired, observed: &Observed, ordinal: Ordinal) -> Option<Missing> {
    let member = observed.members.get(ordinal);
    let pod = member.and_then(|it| it.pod.as_ref());
    let node = pod.and_then(|it| it.node.as_ref());
    let because = match (pod, node, member.map(|it| &it.answer)) {
        (None, ..) => "it has no pod".to_owned(),
        (Some(pod), ..) if pod.leaving => "its pod is being deleted".to_owned(),
        (_, _, Some(Answer::NotInitiated)) => return None,
        (_, Some(node), _) if node.lost => format!("node {} is lost", node.name),
        (_, _, Some(Answer::Unreachable(why))) => why.clone(),
        (_, _, Some(Answer::KeyRefused)) => "it has another key".to_owned(),
        (_, _, Some(Answer::Starting)) => "it starts".to_owned(),
        _ => "it is a member of a set whose other members are missing".to_owned(),
    };
    let pod = desired.pod(ordinal).to_owned();
    Some(Missing { pod, because })
}

/// The volumes of members that are not wanted, and do not say that they are empty.
fn retained(desired: &Desired, observed: &Observed) -> Vec<String> {
    let further = observed.members.iter().enumerate().skip(desired.members);
    let holding = further
        .filter(|(_, it)| it.volume.is_some() && it.answer != Answer::NotInitiated)
        .map(|(ordinal, _)| desired.pod(ordinal).to_owned());
    holding.collect()
}

fn foreign(desired: &Desired, observed: &Observed, members: &[Ordinal]) -> Next {
    let permitted = members
        .iter()
        .find(|it| is_permitted(desired, observed, **it));
    let wipe = permitted.and_then(|it| wipe(observed, *it));
    match wipe {
        Some(action) => Next::Do(action),
        None => Next::Wait(Why::ForeignMember(
            members
                .iter()
                .map(|it| stuck(desired, observed, *it))
                .collect(),
        )),
    }
}

//! Who is a member: one change of the configuration at a time.

use super::desired::{Ordinal, SETTINGS};
use super::next::{Action, Change};
use super::observed::{Answer, View};
use super::picture::{Picture, Standing};
use super::replicas;

/// The next change of a configuration that has settled. Every change keeps a majority of members
/// that are well, so that it can be committed and writes go on.
pub(super) fn next(picture: &Picture<'_>, primary: Ordinal, view: &View) -> Option<Action> {
    let mut removed =
        (0..picture.observed.replicas).filter(|it| replicas::is_removed(picture, *it));
    if removed.any(|it| !replicas::may_go(picture, it)) {
        return None;
    }
    if let Some(action) = removal(picture, primary, view) {
        return Some(action);
    }
    if picture.is_joining() || !picture.has_majority(picture.configured()) {
        return None;
    }
    if picture.config.settings != SETTINGS {
        return Some(reconfigure(primary, view, Change::Settings));
    }
    addition(picture, primary, view)
}

/// Members that are not wanted go when those that stay are well: first one that is not well itself,
/// then the highest, and the primary only after it has handed over.
fn removal(picture: &Picture<'_>, primary: Ordinal, view: &View) -> Option<Action> {
    let surplus = || picture.configured().filter(|it| !is_wanted(picture, *it));
    let unwell = surplus().find(|it| !picture.is_well(*it));
    let others = surplus().rev().filter(|it| *it != primary);
    let going = unwell
        .filter(|it| *it != primary)
        .or_else(|| others.into_iter().next())
        .or_else(|| surplus().next())?;
    let staying = || picture.configured().filter(|it| *it != going);
    let are_well = staying().all(|it| picture.is_well(it) || !is_wanted(picture, it));
    if !are_well || !picture.has_majority(staying()) {
        return None;
    }
    Some(if going == primary {
        Action::StepDown { primary }
    } else {
        let host = picture.desired.hosts[going].clone();
        reconfigure(primary, view, Change::Remove { host })
    })
}

/// Members are added when they run and are empty, or have been members before.
fn addition(picture: &Picture<'_>, primary: Ordinal, view: &View) -> Option<Action> {
    let mut wanted = 0..picture.desired.members;
    let coming = wanted.find(|it| !picture.is_configured(*it) && can_join(picture, *it))?;
    let ids = || picture.config.members.iter().map(|it| it.id);
    let own = i32::try_from(coming).ok()?;
    let id = if ids().any(|it| it == own) {
        ids().max()? + 1
    } else {
        own
    };
    let host = picture.desired.hosts[coming].clone();
    Some(reconfigure(primary, view, Change::Add { id, host }))
}

fn can_join(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    let is_current = picture
        .pod(ordinal)
        .is_some_and(|it| !it.leaving && it.revision == picture.desired.revision);
    let answers = match &picture.observed.members[ordinal].answer {
        Answer::NotInitiated | Answer::Removed(_) | Answer::Member(_) => true,
        Answer::Unreachable(_) | Answer::KeyRefused | Answer::Starting => false,
    };
    let stays = !picture.is_doomed(ordinal);
    is_current && answers && stays && picture.standing(ordinal) != Standing::Foreign
}

fn is_wanted(picture: &Picture<'_>, ordinal: Ordinal) -> bool {
    ordinal < picture.desired.members
}

fn reconfigure(primary: Ordinal, view: &View, change: Change) -> Action {
    Action::Reconfigure {
        primary,
        base: view.config.version,
        change,
    }
}

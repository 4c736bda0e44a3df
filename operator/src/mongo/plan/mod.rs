//! From what is wanted and what is seen to the one thing to do next: pure, without client or clock.
//!
//! Every run starts from nothing but its arguments, so a crash between any two actions leaves
//! nothing that the next run could not go on from. Three rules make that safe:
//!
//! - **One change at a time.** The next one begins when a majority has the last one, the member that
//!   was added has caught up and the one that was restarted is back.
//! - **Every action names what it was decided on** (the configuration, a pod's or volume's UID), so
//!   that one that comes late does nothing.
//! - **No force.** Where only force would help, the plan waits and says what a person can do.
//!
//! Of the key, members can be asked alone whether they have it: a set whose key is lost lets users in
//! as before, and would lose each pod that is made anew with another one.

mod bootstrap;
mod desired;
mod gate;
mod membership;
mod next;
mod observed;
mod picture;
mod replicas;
mod restarts;
mod resync;
mod summary;
mod waiting;

#[cfg(test)]
mod tests;

pub use desired::{Desired, MAX_MEMBERS, Ordinal, Permit, RESYNC_ANNOTATION, SETTINGS};
pub use gate::ready_members;
pub use next::{Action, Change, Missing, Next, Restart, Stuck, Why};
pub use observed::{
    Answer, Config, ConfigMember, Logins, Member, Node, Observed, OpTime, Peer, Pod, Settings,
    State, Version, View, Volume,
};
pub use replicas::replicas;
pub use summary::{MemberSummary, Summary};

use picture::{Picture, Standing, is_permitted};

/// Decides what comes next.
pub fn plan(desired: &Desired, observed: &Observed) -> Next {
    if !observed.has_other_key()
        && let Some(action) = restarts::of_broken(desired, observed)
    {
        return Next::Do(action);
    }
    let picture = match Picture::of(desired, observed) {
        Ok(picture) => picture,
        Err(unclear) => return bootstrap::plan(desired, observed, unclear),
    };
    match action(&picture) {
        Ok(Some(action)) => Next::Do(action),
        Ok(None) => waiting::remaining(&picture).map_or(Next::Done, Next::Wait),
        Err(why) => Next::Wait(why),
    }
}

/// What can be done for a set that exists, the most urgent first; an error if something has to come
/// before all that is left.
fn action(picture: &Picture<'_>) -> Result<Option<Action>, Why> {
    if let Some(host) = picture.unknown_host() {
        return Err(Why::UnknownHost(host.to_owned()));
    }
    if let Some((primary, view)) = picture.primary
        && view.refuses_key
    {
        // Users come in as before, so all goes on as long as no pod is made anew.
        let other_key = Why::KeyRefused(picture.desired.pod(primary).to_owned());
        return hand_over(picture, primary).map(Some).ok_or(other_key);
    }
    if let Some(action) = wipe_of_foreign(picture).or_else(|| restarts::of_removed(picture)) {
        return Ok(Some(action));
    }
    if !picture.has_living_majority() {
        return Err(waiting::majority(picture));
    }
    let Some((primary, view)) = picture.primary else {
        return Err(waiting::election(picture));
    };
    if view.logins != Logins::Accepted {
        // Those that nobody keeps would open the set until this process ends.
        return if picture.desired.passwords_are_stored {
            Ok(Some(Action::EnsureUsers { primary }))
        } else {
            Err(Why::PasswordsNotStored)
        };
    }
    let urgent = hand_over(picture, primary)
        .or_else(|| restarts::of_estranged(picture))
        .or_else(|| resync::next(picture));
    if let Some(action) = urgent {
        return Ok(Some(action));
    }
    if !picture.is_settled() {
        return Err(waiting::settling(picture));
    }
    Ok(
        membership::next(picture, primary, view)
            .or_else(|| restarts::of_outdated(picture, primary)),
    )
}

/// A drain of the primary's node goes without an election if somebody else leads by then, and a
/// primary whose claim is deleted is not needed any more.
fn hand_over(picture: &Picture<'_>, primary: Ordinal) -> Option<Action> {
    let stays = |ordinal: Ordinal| {
        let pod = picture.pod(ordinal).filter(|_| !picture.is_doomed(ordinal));
        pod.is_some_and(|pod| {
            let node = pod.node.as_ref();
            !pod.leaving && node.is_none_or(|it| !it.cordoned && !it.lost)
        })
    };
    let can_follow =
        |ordinal: &Ordinal| *ordinal != primary && picture.is_well(*ordinal) && stays(*ordinal);
    let is_due = picture.pod(primary).is_some() && !stays(primary);
    (is_due && picture.configured().any(|it| can_follow(&it)))
        .then_some(Action::StepDown { primary })
}

/// Its data is none of ours, so nothing of ours depends on it.
fn wipe_of_foreign(picture: &Picture<'_>) -> Option<Action> {
    let mut ordinals = 0..picture.observed.members.len();
    let foreign = ordinals.find(|it| {
        picture.standing(*it) == Standing::Foreign
            && (is_permitted(picture.desired, picture.observed, *it)
                || resync::is_begun(picture.observed, *it))
    })?;
    resync::wipe(picture.observed, foreign)
}

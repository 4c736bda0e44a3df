//! Whether the database is fit to serve: found out at the start, and looked at again from time
//! to time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::store::Health;
use crate::store::mongo::erase;
use crate::store::mongo::error::CallError;
use crate::store::mongo::link::Link;
use crate::store::mongo::schema::{self, SchemaError};
use crate::store::mongo::sweep::{self, Sweep};
use crate::store::mongo::topology::View;

/// What the last look at the database found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing yet.
    Unknown,
    /// Everything that is needed is there.
    Fit,
    /// It was there once. Now it could not be looked at.
    Doubtful(String),
    /// Something that is needed is not there, or not allowed.
    Unfit(String),
}

/// Between two looks at a database that is not fit yet.
const SOON: Duration = Duration::from_millis(500);

/// Between two looks at one that is: somebody may drop an index.
const LATER: Duration = Duration::from_secs(10);

/// Between two looks for erasures that were broken off.
const ERASURES: Duration = Duration::from_secs(15);

impl State {
    pub(super) fn is_fit(&self) -> bool {
        matches!(self, Self::Fit | Self::Doubtful(_))
    }

    /// What an operator is told.
    pub(super) fn health(&self, view: &View) -> Health {
        if let Some(incompatible) = &view.incompatible {
            return Health::Down(incompatible.clone());
        }
        match self {
            Self::Unknown => match trouble(view) {
                Some(trouble) => Health::Down(trouble),
                None => Health::Down("its indexes are being checked".to_owned()),
            },
            Self::Unfit(reason) => Health::Down(reason.clone()),
            Self::Fit | Self::Doubtful(_) => match (trouble(view), self) {
                (Some(trouble), _) => Health::Degraded(trouble),
                (None, Self::Doubtful(reason)) => Health::Degraded(reason.clone()),
                (None, _) => Health::Serving,
            },
        }
    }
}

/// What is wrong with the set itself.
fn trouble(view: &View) -> Option<String> {
    let members: Vec<String> = view
        .unreachable
        .iter()
        .map(|(member, why)| format!("{member} ({why})"))
        .collect();
    match (&view.term, members.is_empty()) {
        (Some(_), true) => None,
        (Some(_), false) => Some(format!(
            "members that do not answer: {}",
            members.join(", ")
        )),
        (None, true) => Some("the replica set has no primary".to_owned()),
        (None, false) => Some(format!(
            "the replica set has no primary; members that do not answer: {}",
            members.join(", ")
        )),
    }
}

/// Looks after the database until it is told to stop.
pub(super) fn start(link: Arc<Link>) -> (watch::Receiver<State>, AbortHandle) {
    let (sender, receiver) = watch::channel(State::Unknown);
    let task = tokio::spawn(keep(link, sender));
    (receiver, task.abort_handle())
}

async fn keep(link: Arc<Link>, state: watch::Sender<State>) {
    link.warm_up().await;
    let mut sweep = Sweep::default();
    let mut next_look = Instant::now();
    let mut next_erasures = Instant::now();
    loop {
        if Instant::now() >= next_look {
            let was = state.borrow().clone();
            let now = look(&link, &was).await;
            next_look = Instant::now() + if now == State::Fit { LATER } else { SOON };
            let said = state.send_if_modified(|state| {
                let is_new = *state != now;
                if is_new {
                    *state = now.clone();
                }
                is_new
            });
            if said {
                say(&now);
            }
        }
        if *state.borrow() == State::Fit {
            if Instant::now() >= next_erasures {
                next_erasures = Instant::now() + ERASURES;
                finish_erasures(&link).await;
            }
            if let Err(error) = sweep.step(&link).await {
                tracing::debug!(%error, "the sweep goes on later");
            }
        }
        let pause = if state.borrow().is_fit() {
            sweep::PAUSE
        } else {
            SOON
        };
        tokio::time::sleep(pause).await;
    }
}

async fn finish_erasures(link: &Link) {
    match erase::finish_pending(link).await {
        Ok(0) => {}
        Ok(erased) => tracing::info!(erased, "erasures that were broken off are finished"),
        Err(error) => tracing::debug!(%error, "erasures are finished later"),
    }
}

async fn look(link: &Link, was: &State) -> State {
    let ensured = schema::ensure(link).await;
    judge(ensured, link.topology.take_refusal(), was)
}

/// What a look means. A login that is refused clears the pool and hides the member, and then most
/// calls fail for that: the refusal is what somebody can do something about.
fn judge(ensured: Result<(), SchemaError>, refusal: Option<CallError>, was: &State) -> State {
    let error = match (ensured, refusal) {
        (Ok(()), _) => return State::Fit,
        (Err(SchemaError::Unchecked(why)), Some(refusal)) if why.is_passing() => {
            SchemaError::Unchecked(refusal)
        }
        (Err(error), _) => error,
    };
    match error {
        // Without an answer nothing is known to have changed.
        SchemaError::Unchecked(error) if was.is_fit() => State::Doubtful(error.to_string()),
        SchemaError::Unchecked(error) if error.is_passing() => was.clone(),
        SchemaError::Unchecked(refused) => State::Unfit(refused.to_string()),
        error => State::Unfit(error.to_string()),
    }
}

fn say(state: &State) {
    match state {
        State::Fit => tracing::info!("the database is fit to serve"),
        State::Unfit(reason) => tracing::error!("the database is not fit to serve: {reason}"),
        State::Doubtful(reason) => tracing::warn!("the database cannot be looked at: {reason}"),
        State::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_the_reason_whatever_the_call_met_for_it() {
        let refusal = CallError::Refused("Authentication failed".to_owned());
        let no_primary = || {
            let error = CallError::NotDone("the replica set has no primary".to_owned());
            Err(SchemaError::Unchecked(error))
        };
        let refused = || Some(refusal.clone());
        let unknown = State::Unknown;
        let unfit = State::Unfit(refusal.to_string());
        assert_eq!(judge(no_primary(), refused(), &unknown), unfit);
        assert_eq!(judge(no_primary(), None, &unknown), unknown);
        // It was fit: somebody changed the password, and open connections go on.
        let doubtful = State::Doubtful(refusal.to_string());
        assert_eq!(judge(no_primary(), refused(), &State::Fit), doubtful);
        assert_eq!(judge(Ok(()), refused(), &unfit), State::Fit);
    }

    #[test]
    fn what_was_found_unfit_stays_so_until_there_is_an_answer() {
        let unfit = State::Unfit("index by_time differs".to_owned());
        let late = || Err(SchemaError::Unchecked(CallError::TimedOut));
        assert_eq!(judge(late(), None, &unfit), unfit);
        assert_eq!(judge(Ok(()), None, &unfit), State::Fit);
    }

    fn frozen_secondary() -> View {
        let mut view = View::reigned_by("a:1");
        view.unreachable
            .insert("b:1".to_owned(), "timed out".to_owned());
        view
    }

    #[test]
    fn a_database_that_was_never_seen_is_down_and_says_why() {
        let view = View {
            unreachable: [("a:1".to_owned(), "refused".to_owned())].into(),
            ..View::default()
        };
        let reason = "the replica set has no primary; members that do not answer: a:1 (refused)";
        assert_eq!(
            State::Unknown.health(&view),
            Health::Down(reason.to_owned())
        );
    }

    #[test]
    fn a_fit_database_that_lost_its_primary_is_degraded() {
        let reason = "the replica set has no primary".to_owned();
        assert_eq!(
            State::Fit.health(&View::default()),
            Health::Degraded(reason)
        );
    }

    #[test]
    fn a_member_that_is_gone_is_named() {
        let reason = "members that do not answer: b:1 (timed out)".to_owned();
        assert_eq!(
            State::Fit.health(&frozen_secondary()),
            Health::Degraded(reason)
        );
        assert_eq!(State::Fit.health(&View::reigned_by("a:1")), Health::Serving);
    }

    #[test]
    fn what_is_needed_and_not_there_is_down_whatever_the_set_does() {
        let unfit = State::Unfit("index x is missing".to_owned());
        let down = Health::Down("index x is missing".to_owned());
        assert_eq!(unfit.health(&frozen_secondary()), down);
        assert!(!unfit.is_fit());
    }

    #[test]
    fn what_the_driver_cannot_work_with_is_down() {
        let view = View {
            incompatible: Some("too old".to_owned()),
            ..View::reigned_by("a:1")
        };
        assert_eq!(State::Fit.health(&view), Health::Down("too old".to_owned()));
    }
}

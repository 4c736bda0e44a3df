//! What comes after a look: how soon the next one is due, and who is told of an error.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use crate::apply::backoff;
use crate::metrics::{Metrics, Outcome};
use crate::reconcile::ReconcileError;
use crate::reconcile::memory::Memory;

/// The least pause between two looks for the members' sake while objects cannot be applied.
const WHILE_FAILING: Duration = Duration::from_secs(1);

/// What has come of a look.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// How soon to look again if nothing changes until then.
    pub(super) again: Option<Duration>,
    /// What was in the way. The members may have been looked after nevertheless.
    pub(super) error: Option<ReconcileError>,
}

impl From<ReconcileError> for Looked {
    fn from(error: ReconcileError) -> Self {
        Self {
            again: None,
            error: Some(error),
        }
    }
}

impl Looked {
    pub(super) fn well(again: Option<Duration>) -> Self {
        Self { again, error: None }
    }

    /// What has come of the objects, and then of the members.
    pub(super) fn of_both(
        objects: Result<Option<Duration>, ReconcileError>,
        members: Result<Option<Duration>, ReconcileError>,
    ) -> Result<Self, ReconcileError> {
        let error = match objects {
            Ok(again) => return Ok(Self::well(sooner(again, members?))),
            Err(error) => error,
        };
        match members {
            Err(members) if members.is_not_leading() => Err(members),
            Err(members) => {
                tracing::warn!(error = %members, "the members could not be looked after either");
                Err(error)
            }
            // Each look tries the objects again, too.
            Ok(again) => Ok(Self {
                again: again.map(|it| it.max(WHILE_FAILING)),
                error: Some(error),
            }),
        }
    }
}

/// The sooner of two times.
pub(super) fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// A look, or that it has failed by a defect: what is wrong with one must not end the care for all.
pub(super) async fn guarded(look: impl Future<Output = Looked>) -> Looked {
    let looked = AssertUnwindSafe(look).catch_unwind().await;
    looked.unwrap_or_else(|_| ReconcileError::Panicked.into())
}

/// What the metrics call it.
pub(super) fn of(looked: &Looked) -> Outcome {
    match looked {
        Looked {
            error: Some(error), ..
        } if !error.is_outdated() => Outcome::Failed,
        Looked {
            error: None,
            again: None,
        } => Outcome::Unchanged,
        Looked { .. } => Outcome::Progressed,
    }
}

/// How soon to look again after that.
pub(super) fn again(looked: Looked, memory: &mut Memory, metrics: &Metrics) -> Option<Duration> {
    let Some(error) = looked.error else {
        memory.failures = 0;
        return looked.again;
    };
    sooner(looked.again, after(&error, memory, metrics))
}

/// How soon to try again what was in the way.
fn after(error: &ReconcileError, memory: &mut Memory, metrics: &Metrics) -> Option<Duration> {
    if error.is_leaving() {
        tracing::debug!(%error, "nothing is to be done any more");
        memory.is_leaving = true;
        return None;
    }
    if error.is_stalled() {
        tracing::warn!(%error, "nothing can be done before that is changed");
        metrics.failed(error.reason());
        return error.look_again();
    }
    memory.failures += 1;
    if error.is_outdated() {
        tracing::info!(%error, memory.failures, "it is looked at again");
    } else {
        metrics.failed(error.reason());
        tracing::warn!(%error, memory.failures, "a reconcile failed, and is tried again");
    }
    Some(backoff(memory.failures))
}

#[cfg(test)]
mod tests {
    use prometheus::{Registry, TextEncoder};

    use super::*;
    use crate::apply::{ApplyError, Key};
    use crate::kind::Kind;
    use crate::mongo::ActError;

    /// What is remembered afterwards, how soon to look again, and whether an error is counted.
    fn all(looks: impl IntoIterator<Item = Looked>) -> (Memory, Option<Duration>, bool) {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let mut memory = Memory::default();
        let pauses = looks.into_iter().map(|it| again(it, &mut memory, &metrics));
        let last = pauses.last().flatten();
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        let is_counted = text.unwrap().contains("reason=");
        (memory, last, is_counted)
    }

    fn outdated() -> Looked {
        let key = Key::new(Kind::Service, "chat-api");
        ReconcileError::from(ApplyError::Outdated(key)).into()
    }

    fn taken() -> ReconcileError {
        ApplyError::Taken(Key::new(Kind::Service, "voice-api")).into()
    }

    fn leaving() -> ReconcileError {
        ApplyError::NamespaceTerminating.into()
    }

    #[tokio::test]
    async fn a_defect_in_one_look_is_an_error_of_that_look_alone_and_is_tried_again() {
        let looked = guarded(async { panic!("a defect") }).await;
        let error = looked.error.as_ref().unwrap();
        assert_eq!(error.reason(), "OperatorFailed");
        assert!(!error.is_stalled());
        assert!(matches!(of(&looked), Outcome::Failed));
        let (memory, again, is_counted) = all([looked]);
        assert_eq!((memory.failures, again), (1, Some(backoff(1))));
        assert!(is_counted);
    }

    #[tokio::test]
    async fn a_look_without_a_defect_is_what_it_is() {
        let soon = Some(Duration::from_secs(1));
        let looked = guarded(async { Looked::well(soon) }).await;
        assert_eq!(all([looked]).1, soon);
    }

    #[test]
    fn what_fails_again_and_again_is_tried_later_and_later_until_it_does_not() {
        let failed = || Looked::from(ReconcileError::Panicked);
        assert_eq!(all([failed(), failed(), failed()]).1, Some(backoff(3)));
        let (memory, again, _) = all([failed(), Looked::default()]);
        assert_eq!((memory.failures, again), (0, None));
    }

    #[test]
    fn what_was_decided_too_late_is_looked_at_again_and_no_error() {
        assert!(matches!(of(&outdated()), Outcome::Progressed));
        let (_, again, is_counted) = all([outdated(), outdated()]);
        assert_eq!(again, Some(backoff(2)));
        assert!(!is_counted);
    }

    #[test]
    fn where_the_namespace_is_being_deleted_nothing_is_tried_a_second_time() {
        let (memory, again, is_counted) = all([leaving().into()]);
        assert!(memory.is_leaving);
        assert_eq!(again, None);
        assert!(!is_counted);
    }

    #[test]
    fn an_object_that_cannot_be_applied_is_told_and_the_members_go_on_without_haste() {
        let soon = Some(Duration::from_millis(100));
        let looked = Looked::of_both(Err(taken()), Ok(soon)).unwrap();
        assert_eq!(looked.again, Some(WHILE_FAILING));
        assert_eq!(looked.error.unwrap().reason(), "NameTaken");
        let looked = Looked::of_both(Err(taken()), Ok(None)).unwrap();
        assert_eq!(looked.again, None);
    }

    #[test]
    fn members_are_left_alone_only_by_who_does_not_lead_and_where_all_is_about_to_go() {
        assert!(leaving().ends_all());
        assert!(ReconcileError::Act(ActError::NotLeading).ends_all());
        assert!(!taken().ends_all());
    }

    #[test]
    fn who_does_not_lead_any_more_tells_nothing_else() {
        let lost = ReconcileError::Act(ActError::NotLeading);
        let told = Looked::of_both(Err(taken()), Err(lost)).unwrap_err();
        assert!(told.is_not_leading());
    }
}

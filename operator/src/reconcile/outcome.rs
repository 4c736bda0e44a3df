//! What comes after a look: how soon the next one is due, and who is told of an error.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use crate::apply::backoff;
use crate::metrics::{Metrics, Outcome};
use crate::reconcile::ReconcileError;
use crate::reconcile::memory::Memory;

/// How soon to look again, if nothing changes until then.
pub(super) type Looked = Result<Option<Duration>, ReconcileError>;

/// A look, or that it has failed by a defect: what is wrong with one must not end the care for all.
pub(super) async fn guarded(look: impl Future<Output = Looked>) -> Looked {
    let result = AssertUnwindSafe(look).catch_unwind().await;
    result.unwrap_or(Err(ReconcileError::Panicked))
}

/// What the metrics call it.
pub(super) fn of(result: &Looked) -> Outcome {
    match result {
        Ok(None) => Outcome::Unchanged,
        Ok(_) => Outcome::Progressed,
        Err(error) if error.is_outdated() => Outcome::Progressed,
        Err(_) => Outcome::Failed,
    }
}

/// How soon to look again after that.
pub(super) fn again(result: Looked, memory: &mut Memory, metrics: &Metrics) -> Option<Duration> {
    let error = match result {
        Ok(again) => {
            memory.failures = 0;
            return again;
        }
        Err(error) => error,
    };
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

    /// What is remembered afterwards, how soon to look again, and whether an error is counted.
    fn after(results: impl IntoIterator<Item = Looked>) -> (Memory, Option<Duration>, bool) {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let mut memory = Memory::default();
        let pauses = results
            .into_iter()
            .map(|it| again(it, &mut memory, &metrics));
        let last = pauses.last().flatten();
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        let is_counted = text.unwrap().contains("reason=");
        (memory, last, is_counted)
    }

    fn outdated() -> Looked {
        let key = Key::new(Kind::Service, "chat-api");
        Err(ApplyError::Outdated(key).into())
    }

    #[tokio::test]
    async fn a_defect_in_one_look_is_an_error_of_that_look_alone_and_is_tried_again() {
        let result = guarded(async { panic!("a defect") }).await;
        let error = result.as_ref().unwrap_err();
        assert_eq!(error.reason(), "OperatorFailed");
        assert!(!error.is_stalled());
        assert!(matches!(of(&result), Outcome::Failed));
        let (memory, again, is_counted) = after([result]);
        assert_eq!((memory.failures, again), (1, Some(backoff(1))));
        assert!(is_counted);
    }

    #[tokio::test]
    async fn a_look_without_a_defect_is_what_it_is() {
        let soon = Some(Duration::from_secs(1));
        let result = guarded(async { Ok(soon) }).await;
        assert_eq!(after([result]).1, soon);
    }

    #[test]
    fn what_fails_again_and_again_is_tried_later_and_later_until_it_does_not() {
        let failed = || Err(ReconcileError::Panicked);
        assert_eq!(after([failed(), failed(), failed()]).1, Some(backoff(3)));
        let (memory, again, _) = after([failed(), Ok(None)]);
        assert_eq!((memory.failures, again), (0, None));
    }

    #[test]
    fn what_was_decided_too_late_is_looked_at_again_and_no_error() {
        assert!(matches!(of(&outdated()), Outcome::Progressed));
        let (_, again, is_counted) = after([outdated(), outdated()]);
        assert_eq!(again, Some(backoff(2)));
        assert!(!is_counted);
    }

    #[test]
    fn where_the_namespace_is_being_deleted_nothing_is_tried_a_second_time() {
        let (memory, again, is_counted) = after([Err(ApplyError::NamespaceTerminating.into())]);
        assert!(memory.is_leaving);
        assert_eq!(again, None);
        assert!(!is_counted);
    }
}

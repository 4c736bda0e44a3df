//! No answer later than its deadline, unless the process that had to give it was frozen or gone.

use super::{
    connections::was_away,
    verdict::{Promise, Verdict},
};
use crate::history::{History, Outcome, answer::FailureKind};

pub(crate) fn check(history: &History, verdict: &mut Verdict) {
    let limit = history.run.deadline.plus(history.run.slack);
    for operation in &history.operations {
        let took = operation.ended.since(operation.began);
        let gave_up = matches!(&operation.outcome, Outcome::Failed(failure)
            if failure.kind == FailureKind::TimedOut);
        let is_late = took > limit || gave_up;
        let span = (operation.began, operation.ended);
        if is_late && !was_away(history, operation.process, span) {
            let finding = format!("{took} s, and the deadline is {}", history.run.deadline);
            verdict.find(Promise::InTime, finding, &[operation]);
        }
    }
}

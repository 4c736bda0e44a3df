//! Nobody is told that the store is unavailable while nothing is wrong with it.
//!
//! (A process that is overloaded says so in another way, and may.)

use super::verdict::{Promise, Verdict};
use crate::history::{Fault, History, Operation};

/// What a process answers that cannot reach its store, or loses every race there.
const PROBLEMS: [&str; 2] = ["unavailable", "contended"];

pub(crate) fn check(history: &History, verdict: &mut Verdict) {
    for operation in &history.operations {
        if is_turned_away(operation) && !has_a_cause(history, operation) {
            let finding = "unavailable, and nothing was wrong";
            verdict.find(Promise::UnavailableForACause, finding, &[operation]);
        }
    }
}

fn is_turned_away(operation: &Operation) -> bool {
    let Some(answer) = operation.answer() else {
        return false;
    };
    let items = answer.results.iter().map(|it| it.problem.as_deref());
    let mut problems = items.chain([answer.problem.as_deref()]).flatten();
    problems.any(|problem| PROBLEMS.contains(&problem))
}

/// Whether there was a fault while it waited, or so shortly before that what the fault held up may
/// still have been waited for.
fn has_a_cause(history: &History, operation: &Operation) -> bool {
    let deadline = history.run.deadline;
    history.faults.iter().any(
        |Fault {
             began, recovered, ..
         }| { *began <= operation.ended && operation.began <= recovered.plus(deadline) },
    )
}

//! Connections break only with the process that served them: never because of the store.

use super::verdict::{Promise, Verdict};
use crate::history::{
    Fault, History, Left, Outcome,
    answer::FailureKind,
    values::{FaultKind, Moment},
};

pub(crate) fn check(history: &History, verdict: &mut Verdict) {
    for operation in &history.operations {
        let Outcome::Failed(failure) = &operation.outcome else {
            continue;
        };
        let is_broken = matches!(failure.kind, FailureKind::Refused | FailureKind::Broken);
        let span = (operation.began, operation.ended);
        if is_broken && !was_away(history, operation.process, span) {
            let finding = format!(
                "{}, and nothing was done to its process",
                failure.kind.name()
            );
            verdict.find(Promise::ConnectionsHold, finding, &[operation]);
        }
    }
    for stream in &history.streams {
        let is_refused = matches!(&stream.opened, Outcome::Failed(failure)
            if failure.kind != FailureKind::Unreadable);
        let is_cut_short = match stream.left {
            Left::Broken => true,
            // Without an end, only a service that stops closes a stream.
            Left::Closed => stream.status() == Some(200) && stream.end.is_none(),
            Left::ByClient | Left::Refused => false,
        };
        // A stream breaks at its end, whenever it began.
        let began = if is_refused {
            stream.began
        } else {
            stream.ended
        };
        let is_hurt = is_refused || is_cut_short;
        if is_hurt && !was_away(history, stream.process, (began, stream.ended)) {
            let finding = "a stream broke off, and nothing was done to its process";
            verdict.find(Promise::ConnectionsHold, finding, &[stream]);
        }
    }
}

/// Whether a process was being killed, frozen or restarted at some time of a span.
pub(super) fn was_away(history: &History, process: usize, span: (Moment, Moment)) -> bool {
    let (began, ended) = span;
    let touches = |fault: &&Fault| fault.began <= ended && began <= fault.recovered;
    history
        .faults
        .iter()
        .filter(|fault| fault.process == Some(process) && is_of_the_process(fault.kind))
        .any(|fault| touches(&fault))
}

/// A cut names a process too, but leaves it running.
fn is_of_the_process(kind: FaultKind) -> bool {
    FaultKind::OF_SERVICES.contains(&kind)
}

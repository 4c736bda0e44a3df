//! Nothing acknowledged is lost: events, sessions, closings.

use super::{
    evidence::Log,
    verdict::{Promise, Verdict},
};
use crate::{
    history::request::Request,
    stored::{Answered, Session},
};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    match log.stored.map(|stored| &stored.answered) {
        // What erasing removes is not lost. That it was asked for is the business of `erased`.
        Some(Answered::Erased) if log.may_be_erased() => {}
        Some(Answered::Present { .. }) => {
            check_events(log, verdict);
            check_closings(log, verdict);
        }
        Some(Answered::Absent | Answered::Erased) | None => check_session(log, verdict),
    }
}

fn check_events(log: &Log, verdict: &mut Verdict) {
    let stored = log.stored.map_or(&[][..], Session::events);
    for (attempt, event) in log.acknowledgements() {
        // At another place it is not lost; that is the business of `once`.
        if !stored.iter().any(|it| it.event == event.event) {
            let finding = format!("{}/{event} is not stored", log.session);
            verdict.find(Promise::NothingLost, finding, &[attempt.operation]);
        }
    }
}

fn check_closings(log: &Log, verdict: &mut Verdict) {
    let is_closed = |stored: &Session| stored.view().is_some_and(|view| view.status.is_closed());
    if log.stored.is_some_and(is_closed) {
        return;
    }
    if let Some((operation, _)) = log.closings().next() {
        let finding = format!("{} was closed and is open", log.session);
        verdict.find(Promise::NothingLost, finding, &[operation]);
    }
}

fn check_session(log: &Log, verdict: &mut Verdict) {
    let created = log.operations.iter().find(|operation| {
        operation.is_acknowledged()
            && matches!(
                operation.request,
                Request::Create { .. } | Request::Append { .. } | Request::Close { .. }
            )
    });
    if let Some(operation) = created {
        let finding = format!("{} is not there any more", log.session);
        verdict.find(Promise::NothingLost, finding, &[operation]);
    }
}

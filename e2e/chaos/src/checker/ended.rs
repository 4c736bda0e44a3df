//! One end: everybody who sees a session closed sees the same `endedAt`, outcome and reason.

use std::fmt;

use super::{
    evidence::Log,
    verdict::{Promise, Verdict},
};
use crate::history::{request::Request, values::SessionView};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    let stored = log.stored.and_then(|stored| stored.view());
    let views = log
        .views()
        .map(|(operation, view)| (view, operation as &dyn fmt::Display))
        .chain(stored.map(|view| (view, &"stored at the end" as &dyn fmt::Display)));
    let mut first: Option<(&SessionView, &dyn fmt::Display)> = None;
    for (view, witness) in views {
        if view.status.is_closed() != view.ended_at.is_some() {
            let finding = format!(
                "{} is {:?} with {:?}",
                log.session, view.status, view.ended_at
            );
            verdict.find(Promise::OneEnd, finding, &[witness]);
        }
        if !view.status.is_closed() {
            continue;
        }
        let Some((other, before)) = first else {
            first = Some((view, witness));
            continue;
        };
        if end_of(other) != end_of(view) {
            let finding = format!(
                "{} ended {:?} and {:?}",
                log.session,
                end_of(other),
                end_of(view)
            );
            verdict.find(Promise::OneEnd, finding, &[before, witness]);
        }
    }
    check_outcomes(log, verdict);
    if let Some((view, witness)) = first {
        check_streams(log, view, witness, verdict);
    }
}

fn end_of(view: &SessionView) -> (String, Option<&str>, Option<&str>) {
    (
        format!("{:?}", view.status).to_lowercase(),
        view.ended_at.as_deref(),
        view.end_reason.as_deref(),
    )
}

/// A closing is acknowledged only if the outcome is the one that was asked for.
fn check_outcomes(log: &Log, verdict: &mut Verdict) {
    for (operation, view) in log.closings() {
        let Request::Close { failed, .. } = &operation.request else {
            continue;
        };
        let (outcome, _, _) = end_of(view);
        if outcome != if *failed { "failed" } else { "completed" } {
            let finding = format!("closing {} was answered {outcome}", log.session);
            verdict.find(Promise::OneEnd, finding, &[operation]);
        }
    }
}

fn check_streams(log: &Log, view: &SessionView, witness: &dyn fmt::Display, verdict: &mut Verdict) {
    let (outcome, ended_at, _) = end_of(view);
    for stream in &log.streams {
        let Some(end) = &stream.end else { continue };
        let is_same = end.status == outcome && end.ended_at.as_deref() == ended_at;
        if end.status != "erased" && !is_same {
            let finding = format!(
                "{} ended {outcome} at {ended_at:?}, and in a stream {} at {:?}",
                log.session, end.status, end.ended_at
            );
            verdict.find(Promise::OneEnd, finding, &[witness, *stream]);
        }
    }
}

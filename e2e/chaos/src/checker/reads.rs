//! No strong read misses an earlier acknowledgement: of a creation, an append, a closing. (That of an
//! erasure is the business of `erased`.)

use super::{
    evidence::{Highest, Log, Word},
    verdict::{Promise, Verdict},
};
use crate::history::{
    Operation,
    request::{Consistency, Order, Request},
    values::Moment,
};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    check_known(log, verdict);
    check_appends(log, verdict);
    check_closings(log, verdict);
}

/// Whoever asks after a creation, or anything else, was acknowledged finds the session.
fn check_known(log: &Log, verdict: &mut Verdict) {
    let first = log
        .operations
        .iter()
        .filter(|operation| operation.request.is_write() && operation.is_acknowledged())
        // A batch is answered 200 even if nothing of it was stored.
        .filter(|operation| !matches!(operation.request, Request::Batch { .. }))
        .min_by_key(|operation| operation.ended);
    let Some(first) = first else { return };
    for (witness, word) in log.words() {
        if word == Word::Absent && first.ended < witness.began() {
            let finding = format!("{} was answered 404 after it was known", log.session);
            verdict.find(Promise::ReadsSeeAcknowledged, finding, &[*first, &witness]);
        }
    }
}

fn check_appends(log: &Log, verdict: &mut Verdict) {
    let acknowledged = Highest::of(
        log.acknowledgements()
            .map(|(attempt, event)| (attempt.operation.ended, event.seq, attempt.operation)),
    );
    for (read, consistency) in log.reads() {
        if consistency == Consistency::Eventual {
            continue;
        }
        let Some((seq, append)) = acknowledged.before(read.began) else {
            continue;
        };
        if let Some(seen) = reach(read)
            && seen < seq
        {
            let finding = format!(
                "{} was read up to {seen} after {seq} was acknowledged",
                log.session
            );
            verdict.find(Promise::ReadsSeeAcknowledged, finding, &[append, read]);
        }
    }
    check_single_events(log, verdict);
}

/// How much of the log a read has proven to see; `None` if its answer does not say.
pub(super) fn reach(read: &Operation) -> Option<u64> {
    let answer = read.answer()?;
    let counted = answer.session.as_ref().and_then(|view| view.event_count);
    let total = answer.total.or(counted);
    let last = answer.events.iter().map(|event| event.seq).max();
    match &read.request {
        Request::Page {
            after: Some(after),
            limit,
            ..
        } => {
            // Without a total, a page that is not full says that there is nothing more.
            let is_full = answer.events.len() as u64 >= *limit;
            total
                .map(|total| {
                    total.min(if is_full {
                        u64::MAX
                    } else {
                        last.unwrap_or(*after)
                    })
                })
                .or(last)
        }
        // The last place is on the first page; on later ones only the total tells.
        Request::Page {
            order: Order::SeqDescending,
            walk: None,
            ..
        } => total.map(|total| total.min(last.unwrap_or(0))),
        Request::Get { .. } | Request::Page { .. } => total,
        _ => None,
    }
}

fn check_single_events(log: &Log, verdict: &mut Verdict) {
    for operation in &log.operations {
        let Request::Event {
            event, consistency, ..
        } = &operation.request
        else {
            continue;
        };
        let is_missing = operation
            .answer()
            .is_some_and(|answer| answer.problem.as_deref() == Some("event-not-found"));
        if !is_missing || *consistency == Consistency::Eventual {
            continue;
        }
        let append = log.acknowledgements().find(|(attempt, known)| {
            known.event == *event && attempt.operation.ended < operation.began
        });
        if let Some((attempt, _)) = append {
            let finding = format!("{}/{event} was not found", log.session);
            let proof: [&dyn std::fmt::Display; 2] = [attempt.operation, *operation];
            verdict.find(Promise::ReadsSeeAcknowledged, finding, &proof);
        }
    }
}

fn check_closings(log: &Log, verdict: &mut Verdict) {
    let first = log.closings().min_by_key(|(operation, _)| operation.ended);
    let Some((closing, _)) = first else { return };
    let is_after = |began: Moment| closing.ended < began;
    for (operation, view) in log.views() {
        let is_fresh = operation.request.consistency() != Consistency::Eventual;
        if is_fresh && is_after(operation.began) && !view.status.is_closed() {
            let finding = format!("{} was seen open after it was closed", log.session);
            verdict.find(
                Promise::ReadsSeeAcknowledged,
                finding,
                &[closing, operation],
            );
        }
    }
}

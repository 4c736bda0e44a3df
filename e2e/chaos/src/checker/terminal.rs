//! Closed means frozen: nothing comes after the terminal record, and what is refused because of it
//! is refused rightly.

use super::{
    evidence::Log,
    verdict::{Promise, Verdict},
};
use crate::{
    history::values::SessionView,
    stored::{Session, What},
};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    check_appends_after_closings(log, verdict);
    check_count(log, verdict);
    check_refusals(log, verdict);
    check_raw(log, verdict);
}

fn check_appends_after_closings(log: &Log, verdict: &mut Verdict) {
    let first = log.closings().min_by_key(|(operation, _)| operation.ended);
    let Some((closing, _)) = first else { return };
    for attempt in log.attempts.iter().filter(|attempt| attempt.is_new()) {
        if closing.ended < attempt.operation.began {
            let finding = format!("{} was appended after the session was closed", attempt.item);
            verdict.find(
                Promise::ClosedIsFrozen,
                finding,
                &[closing, attempt.operation],
            );
        }
    }
}

fn check_count(log: &Log, verdict: &mut Verdict) {
    let closed: Vec<_> = log
        .views()
        .filter(|(_, view)| view.status.is_closed())
        .collect();
    let Some((
        witness,
        SessionView {
            event_count: Some(count),
            ..
        },
    )) = closed.first()
    else {
        return;
    };
    for (operation, view) in &closed {
        if view.event_count.is_some_and(|other| other != *count) {
            let finding = format!("{} had {count} events when it was closed", log.session);
            verdict.find(Promise::ClosedIsFrozen, finding, &[witness, operation]);
        }
    }
    for sighting in log.sightings() {
        if sighting.event.seq > *count {
            let finding = format!("{}/{} is after the end", log.session, sighting.event);
            verdict.find(Promise::ClosedIsFrozen, finding, &[witness, &sighting]);
        }
    }
}

fn check_refusals(log: &Log, verdict: &mut Verdict) {
    let Some(stored) = log.stored.filter(|stored| !stored.is_erased()) else {
        return;
    };
    let is_closed = stored.view().is_some_and(|view| view.status.is_closed());
    for attempt in &log.attempts {
        if attempt.problem != Some("session-closed") {
            continue;
        }
        if !is_closed {
            let finding = format!("{} was refused as closed, and is open", log.session);
            verdict.find(Promise::ClosedIsFrozen, finding, &[attempt.operation]);
        } else if is_stored(stored, &attempt.item.event) {
            let finding = format!("{} was refused as closed, and is stored", attempt.item);
            verdict.find(Promise::ClosedIsFrozen, finding, &[attempt.operation]);
        }
    }
}

fn is_stored(stored: &Session, event: &str) -> bool {
    stored.events().iter().any(|it| it.event == event)
}

fn check_raw(log: &Log, verdict: &mut Verdict) {
    let Some(raw) = log.stored.and_then(|stored| stored.raw.as_ref()) else {
        return;
    };
    let is_terminal = |what: &What| *what == What::Terminal;
    let terminal = raw
        .records
        .iter()
        .position(|record| is_terminal(&record.what));
    if let Some(place) = terminal
        && place + 1 != raw.records.len()
    {
        let finding = format!(
            "the log of {} has its terminal record at {} and goes on to {}",
            log.session,
            place + 1,
            raw.records.len()
        );
        verdict.find(Promise::ClosedIsFrozen, finding, &[]);
    }
    let is_closed = log
        .stored
        .and_then(Session::view)
        .is_some_and(|view| view.status.is_closed());
    if is_closed && terminal.is_none() {
        let finding = format!("{} is closed without a terminal record", log.session);
        verdict.find(Promise::ClosedIsFrozen, finding, &[]);
    }
}

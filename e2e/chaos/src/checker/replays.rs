//! Repeats agree: whoever sends a write again is told the same as the first time, and only one is
//! told that it is new.

use std::collections::HashMap;

use super::{
    evidence::{Attempt, Log},
    verdict::{Promise, Verdict},
};
use crate::history::{Operation, request::Request, values::Event};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    check_appends(log, verdict);
    check_creations(log, verdict);
}

fn check_appends(log: &Log, verdict: &mut Verdict) {
    let mut first: HashMap<&str, (&Attempt, &Event)> = HashMap::new();
    let mut new: HashMap<&str, &Operation> = HashMap::new();
    for (attempt, event) in log.acknowledgements() {
        let (before, told) = first.entry(&event.event).or_insert((attempt, event));
        if *told != event {
            let finding = format!("{} was told {told} and {event}", attempt.item);
            let proof: [&dyn std::fmt::Display; 2] = [before.operation, attempt.operation];
            verdict.find(Promise::RepeatsAgree, finding, &proof);
        }
        if attempt.item.content != event.content {
            let finding = format!("{} was told {event}", attempt.item);
            verdict.find(Promise::RepeatsAgree, finding, &[attempt.operation]);
        }
        if attempt.is_new()
            && let Some(other) = new.insert(&event.event, attempt.operation)
        {
            let finding = format!("{} was new twice", attempt.item);
            verdict.find(Promise::RepeatsAgree, finding, &[other, attempt.operation]);
        }
    }
}

fn check_creations(log: &Log, verdict: &mut Verdict) {
    let mut new: Option<&Operation> = None;
    for operation in &log.operations {
        if matches!(operation.request, Request::Create { .. })
            && operation.status() == Some(201)
            && let Some(other) = new.replace(operation)
        {
            let finding = format!("{} was new twice", log.session);
            verdict.find(Promise::RepeatsAgree, finding, &[other, *operation]);
        }
    }
    let mut views = log.views();
    let Some((first, told)) = views.next() else {
        return;
    };
    for (operation, view) in views {
        if view.created_at != told.created_at {
            let finding = format!(
                "{} was created at {} and at {}",
                log.session, told.created_at, view.created_at
            );
            verdict.find(Promise::RepeatsAgree, finding, &[first, operation]);
        }
    }
}

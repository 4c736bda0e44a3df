//! Every answer is one that the contract knows for what was asked: no 5xx but 503, which says when to
//! try again, and no refusal that the request does not deserve.

use super::verdict::{Promise, Verdict};
use crate::history::{
    History, Operation, Outcome,
    answer::{Answer, FailureKind},
    request::Request,
};

pub(crate) fn check(history: &History, verdict: &mut Verdict) {
    for operation in &history.operations {
        if let Some(finding) = fault_of(operation) {
            verdict.find(Promise::ProperAnswers, finding, &[operation]);
        }
    }
    for stream in &history.streams {
        let finding = match &stream.opened {
            Outcome::Answer(answer) => fault_of_status(answer, &[200, 204, 404, 410]),
            Outcome::Failed(failure) => (failure.kind == FailureKind::Unreadable)
                .then(|| format!("unreadable: {}", failure.detail)),
        };
        if let Some(finding) = finding {
            verdict.find(Promise::ProperAnswers, finding, &[stream]);
        }
    }
}

fn fault_of(operation: &Operation) -> Option<String> {
    let answer = match &operation.outcome {
        Outcome::Answer(answer) => answer,
        Outcome::Failed(failure) => {
            let is_nonsense = failure.kind == FailureKind::Unreadable;
            return is_nonsense.then(|| format!("unreadable: {}", failure.detail));
        }
    };
    if let Some(finding) = fault_of_status(answer, expected(&operation.request)) {
        return Some(finding);
    }
    let items = operation.request.items();
    let is_batch = matches!(operation.request, Request::Batch { .. });
    if is_batch && answer.is_good() {
        if answer.results.len() != items.len() {
            let results = answer.results.len();
            return Some(format!("{results} results for {} events", items.len()));
        }
        let strange = answer
            .results
            .iter()
            .find(|result| !matches!(result.status, 200 | 201 | 404 | 409 | 410 | 503));
        if let Some(result) = strange {
            return Some(format!("a result of status {}", result.status));
        }
    }
    fault_of_body(operation, answer)
}

fn fault_of_status(answer: &Answer, expected: &[u16]) -> Option<String> {
    match answer.status {
        503 if answer.retry_after.is_none() => Some("503 without Retry-After".to_owned()),
        503 => None,
        status if expected.contains(&status) => None,
        status => Some(format!("{status} is no answer to that")),
    }
}

/// The statuses that well-formed requests of a kind can have.
fn expected(request: &Request) -> &'static [u16] {
    match request {
        Request::Create { .. } => &[200, 201, 410],
        Request::Append { .. } => &[200, 201, 404, 409, 410],
        Request::Close { .. } => &[200, 404, 409, 410],
        Request::Erase { .. } => &[204, 404],
        Request::Batch { .. }
        | Request::Get { .. }
        | Request::Page { .. }
        | Request::Event { .. } => &[200, 404, 410],
    }
}

/// An event that is acknowledged or read is the one that was asked for.
fn fault_of_body(operation: &Operation, answer: &Answer) -> Option<String> {
    if !answer.is_good() {
        return None;
    }
    let asked = match &operation.request {
        Request::Append { item } => &item.event,
        Request::Event { event, .. } => event,
        Request::Batch { items, .. } => {
            let mut pairs = items.iter().zip(&answer.results);
            let wrong = pairs.find(|(item, result)| {
                let is_good = result.status < 300;
                let told = result.event.as_ref().map(|event| event.event.as_str());
                is_good && told != Some(item.event.as_str())
            });
            return wrong.map(|(item, _)| format!("{item} got another event"));
        }
        _ => return None,
    };
    let told = answer.events.first().map(|event| &event.event);
    (told != Some(asked)).then(|| format!("{asked} got {told:?}"))
}

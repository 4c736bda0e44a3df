//! An answer is none that the contract knows, comes late or not at all, or differs from the first.

use sessionstore_chaos::{
    checker::verdict::Promise,
    history::{
        Outcome,
        answer::FailureKind,
        values::{Digest, FaultKind},
    },
};

use crate::builder::*;

#[test]
fn a_500_is_found() {
    let mut case = Case::created();
    case.answered(append("a"), problem(500, "internal"));
    case.breaks(&[Promise::ProperAnswers]);
}

#[test]
fn a_500_in_a_batch_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.batch(&[("a", 200, Some(1)), ("b", 500, None)]);
    case.breaks(&[Promise::ProperAnswers]);
}

#[test]
fn a_503_without_retry_after_is_found() {
    let mut case = Case::created();
    let mut answer = problem(503, "unavailable");
    answer.retry_after = None;
    let began = case.tick();
    case.answered(append("a"), answer);
    case.fault(FaultKind::StepDown, began);
    case.breaks(&[Promise::ProperAnswers]);
}

#[test]
fn a_refusal_of_a_proper_request_is_found() {
    let mut case = Case::created();
    case.answered(append("a"), problem(400, "invalid-request"));
    case.breaks(&[Promise::ProperAnswers]);
}

#[test]
fn a_batch_with_a_result_too_few_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.batch(&[("a", 200, Some(1)), ("b", 409, None)]);
    let last = case.history.operations.last_mut().unwrap();
    let Outcome::Answer(answer) = &mut last.outcome else {
        panic!("a batch has an answer");
    };
    answer.results.pop();
    case.breaks(&[Promise::ProperAnswers]);
}

#[test]
fn an_answer_with_another_event_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.answered(append("b"), acknowledged(200, event(1, "a")));
    case.breaks(&[Promise::ProperAnswers, Promise::RepeatsAgree]);
}

#[test]
fn a_connection_that_breaks_without_a_cause_is_found() {
    let mut case = Case::created();
    case.failed(append("a"), FailureKind::Broken);
    case.breaks(&[Promise::ConnectionsHold]);
}

#[test]
fn a_connection_that_breaks_because_of_a_member_is_found() {
    let mut case = Case::created();
    let began = case.tick();
    case.failed(append("a"), FailureKind::Broken);
    case.fault(FaultKind::CutRefuse, began);
    case.breaks(&[Promise::ConnectionsHold]);
}

#[test]
fn a_connection_that_breaks_long_after_a_fault_is_found() {
    let mut case = Case::created();
    let began = case.tick();
    case.fault(FaultKind::KillService, began);
    case.failed(append("a"), FailureKind::Refused);
    case.breaks(&[Promise::ConnectionsHold]);
}

#[test]
fn a_late_answer_is_found() {
    let mut case = Case::created();
    let began = case.tick();
    case.wait(12);
    let answer = Outcome::Answer(problem(503, "overloaded"));
    case.answered_since(began, append("a"), answer);
    case.breaks(&[Promise::InTime]);
}

#[test]
fn an_answer_that_never_comes_is_found() {
    let mut case = Case::created();
    case.failed(append("a"), FailureKind::TimedOut);
    case.breaks(&[Promise::InTime]);
}

#[test]
fn an_event_that_is_new_twice_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.answered(append("a"), acknowledged(201, event(1, "a")));
    case.breaks(&[Promise::RepeatsAgree]);
}

#[test]
fn a_session_that_is_new_twice_is_found() {
    let mut case = Case::created();
    let mut answer = status(201);
    answer.session = Some(open(0));
    case.answered(create(), answer);
    case.breaks(&[Promise::RepeatsAgree]);
}

#[test]
fn a_session_with_two_creations_is_found() {
    let mut case = Case::created();
    let mut view = open(0);
    view.created_at = "2026-01-01T09:00:01.000Z".to_owned();
    case.answered(get(), seen(view, &[]));
    case.breaks(&[Promise::RepeatsAgree]);
}

#[test]
fn a_retry_that_gets_another_seq_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.answered(append("a"), acknowledged(200, event(2, "a")));
    case.breaks(&[Promise::StoredOnce, Promise::RepeatsAgree]);
}

#[test]
fn other_content_that_is_acknowledged_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.answered(append("a"), acknowledged(200, event(1, "a")));
    let last = case.history.operations.last_mut().unwrap();
    if let sessionstore_chaos::history::request::Request::Append { item } = &mut last.request {
        item.content = Digest::of(&["something else"]);
    }
    case.breaks(&[Promise::RepeatsAgree]);
}

#[test]
fn a_store_that_is_unavailable_without_a_cause_is_found() {
    let mut case = Case::created();
    case.answered(append("a"), problem(503, "unavailable"));
    case.breaks(&[Promise::UnavailableForACause]);
}

#[test]
fn a_store_that_is_unavailable_long_after_a_fault_is_found() {
    let mut case = Case::created();
    let began = case.tick();
    case.fault(FaultKind::KillPrimary, began);
    case.wait(11);
    case.answered(append("a"), problem(503, "unavailable"));
    case.breaks(&[Promise::UnavailableForACause]);
}

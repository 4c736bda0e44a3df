//! Histories that are right, in all the ways that look wrong at first sight.

use sessionstore_chaos::{
    history::{
        Left, Outcome,
        answer::FailureKind,
        request::{Consistency, Order, Request},
        values::{FaultKind, Moment},
    },
    stored::{Raw, Record, What},
};

use crate::builder::*;

#[test]
fn a_whole_conversation_is_right() {
    let mut case = Case::closed_with_events(&["a", "b"]);
    let events = [event(1, "a"), event(2, "b")];
    case.answered(append("a"), acknowledged(200, event(1, "a")));
    case.answered(append("c"), problem(409, "session-closed"));
    case.answered(get(), seen(closed(2), &events));
    case.answered(page(Order::Time, None), paged(&events, 2));
    case.answered(read_event("b"), acknowledged(200, event(2, "b")));
    case.stream(&events, Some(3));
    let documents = ["a", "b"].map(|id| What::Event {
        event: id.to_owned(),
    });
    case.documents(&[documents.as_slice(), &[What::Terminal]].concat());
    case.is_right();
}

#[test]
fn an_append_without_an_answer_may_be_stored_or_not() {
    let mut case = Case::with_events(&["a"]);
    case.unavailable(append("b"));
    case.unavailable(append("c"));
    case.store(open(2), &[event(1, "a"), event(2, "c")]);
    case.is_right();
}

#[test]
fn a_connection_may_break_with_the_process_that_is_killed() {
    let mut case = Case::with_events(&["a"]);
    let began = case.tick();
    case.failed(append("b"), FailureKind::Broken);
    case.failed(append("b"), FailureKind::Refused);
    case.stream(&[event(1, "a")], None).left = Left::Broken;
    case.fault(FaultKind::KillService, began);
    case.is_right();
}

#[test]
fn an_answer_of_a_frozen_process_may_be_late() {
    let mut case = Case::with_events(&["a"]);
    let began = case.tick();
    case.wait(20);
    case.fault(FaultKind::FreezeService, began);
    let late = Outcome::Answer(acknowledged(201, event(2, "b")));
    case.answered_since(began, append("b"), late);
    case.store(open(2), &[event(1, "a"), event(2, "b")]);
    case.is_right();
}

#[test]
fn appends_at_the_same_time_may_have_any_order() {
    let mut case = Case::with_events(&["a"]);
    let began = case.tick();
    let outcome = |seq, id| Outcome::Answer(acknowledged(201, event(seq, id)));
    case.answered_since(began, append("c"), outcome(3, "c"));
    case.answered_since(began, append("b"), outcome(2, "b"));
    case.store(open(3), &[event(1, "a"), event(2, "b"), event(3, "c")]);
    case.is_right();
}

#[test]
fn an_eventual_read_may_be_behind() {
    let mut case = Case::closed_with_events(&["a", "b"]);
    let eventual = Request::Get {
        session: SESSION.to_owned(),
        consistency: Consistency::Eventual,
        limit: 10,
    };
    case.answered(eventual.clone(), seen(open(1), &[event(1, "a")]));
    case.answered(eventual, problem(404, "session-not-found"));
    case.is_right();
}

#[test]
fn a_read_that_began_before_an_acknowledgement_may_miss_it() {
    let mut case = Case::with_events(&["a"]);
    let began = case.tick();
    case.answered(append("b"), acknowledged(201, event(2, "b")));
    let read = Outcome::Answer(seen(open(1), &[event(1, "a")]));
    case.answered_since(began, get(), read);
    case.store(open(2), &[event(1, "a"), event(2, "b")]);
    case.is_right();
}

#[test]
fn a_follower_that_connects_again_goes_on_where_it_was() {
    let mut case = Case::closed_with_events(&["a", "b"]);
    let first = case.stream(&[event(1, "a")], None).id;
    let second = case.stream(&[event(2, "b")], Some(3));
    second.follower = first;
    second.after = 1;
    let third = case.stream(&[], None);
    third.follower = first;
    third.after = 3;
    third.opened = Outcome::Answer(status(204));
    third.left = Left::Refused;
    case.is_right();
}

#[test]
fn what_was_erased_is_not_lost() {
    let mut case = Case::erased();
    case.answered(get(), problem(410, "session-erased"));
    case.answered(create(), problem(410, "session-erased"));
    case.answered(erase(), status(204));
    let what = |seq, what| Record { seq, what };
    case.raw(Raw {
        sessions: 1,
        tombstone: true,
        records: vec![what(1, What::Stub), what(2, What::Terminal)],
    });
    case.is_right();
}

#[test]
fn a_walk_need_not_bring_what_was_stored_after_it_began() {
    let mut case = Case::with_events(&["a", "b"]);
    let mut first_page = paged(&[event(2, "b")], 2);
    first_page.more = true;
    let first = case.answered(page(Order::SeqDescending, None), first_page);
    case.answered(append("c"), acknowledged(201, event(3, "c")));
    let second_page = paged(&[event(1, "a")], 3);
    case.answered(page(Order::SeqDescending, Some(first)), second_page);
    case.store(open(3), &[event(1, "a"), event(2, "b"), event(3, "c")]);
    case.is_right();
}

#[test]
fn every_verdict_names_every_promise() {
    let words = Case::created().verdict().to_string();
    assert_eq!(words.lines().count(), 16);
    assert!(words.lines().all(|line| line.starts_with("kept ")));
}

#[test]
fn the_time_of_the_first_moment_is_in_seconds() {
    assert_eq!(Moment(1_500_000).to_string(), "1.500000");
}

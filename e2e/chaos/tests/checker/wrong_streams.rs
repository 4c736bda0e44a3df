//! A stream lacks something, brings it twice, or ends where there is no end.

use sessionstore_chaos::{
    checker::verdict::Promise,
    history::{Left, Outcome, answer::FailureKind},
};

use crate::builder::*;

#[test]
fn a_stream_with_a_gap_is_found() {
    let mut case = Case::with_events(&["a", "b", "c"]);
    case.stream(&[event(1, "a"), event(3, "c")], None);
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn a_stream_with_a_duplicate_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.stream(&[event(1, "a"), event(1, "a")], None);
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn a_stream_that_goes_on_at_another_place_is_found() {
    let mut case = Case::with_events(&["a", "b", "c"]);
    let first = case.stream(&[event(1, "a")], None).id;
    let second = case.stream(&[event(3, "c")], None);
    second.follower = first;
    second.after = 1;
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn an_end_at_the_wrong_place_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    case.stream(&[event(1, "a")], Some(3));
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn an_end_of_an_open_session_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.stream(&[event(1, "a")], Some(2));
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn an_end_before_the_last_event_is_found() {
    let mut case = Case::closed_with_events(&["a", "b"]);
    case.stream(&[event(1, "a")], Some(2));
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn nothing_more_although_there_is_more_is_found() {
    let mut case = Case::with_events(&["a"]);
    let stream = case.stream(&[], None);
    stream.opened = Outcome::Answer(status(204));
    stream.left = Left::Refused;
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn a_stream_that_never_brings_the_rest_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.stream(&[event(1, "a")], None).wanted = Some(2);
    case.breaks(&[Promise::StreamsAreWhole]);
}

#[test]
fn a_stream_with_another_end_than_the_session_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    let stream = case.stream(&[event(1, "a")], Some(2));
    if let Some(end) = &mut stream.end {
        end.ended_at = Some("2026-01-01T10:00:01.000Z".to_owned());
    }
    case.breaks(&[Promise::OneEnd]);
}

#[test]
fn a_stream_that_breaks_off_without_a_cause_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.stream(&[event(1, "a")], None).left = Left::Broken;
    case.stream(&[event(1, "a")], None).left = Left::Closed;
    case.breaks(&[Promise::ConnectionsHold]);
    assert_eq!(case.verdict().violations.len(), 2);
}

#[test]
fn a_stream_of_an_erased_session_is_found() {
    let mut case = Case::erased();
    case.stream(&[event(1, "a")], None);
    case.breaks(&[Promise::ErasedStaysErased]);
}

#[test]
fn a_stream_that_answers_nonsense_is_found() {
    let mut case = Case::with_events(&["a"]);
    let stream = case.stream(&[event(1, "a")], None);
    stream.opened = failed(FailureKind::Unreadable);
    case.breaks(&[Promise::ProperAnswers]);
}

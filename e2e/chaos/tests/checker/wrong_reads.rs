//! A read misses what it must see, or shows what it must not.

use sessionstore_chaos::{checker::verdict::Promise, history::request::Order};

use crate::builder::*;

#[test]
fn a_read_that_misses_an_append_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.answered(get(), seen(open(1), &[event(1, "a")]));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
    let proof = &case.verdict().violations[0].proof;
    assert!(proof[0].contains("append s/b"), "{proof:?}");
    assert!(proof[1].contains("get s strong"), "{proof:?}");
}

#[test]
fn a_poll_that_misses_an_append_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.answered(poll(1), paged(&[], 2));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
}

#[test]
fn a_last_page_that_misses_an_append_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.answered(page(Order::SeqDescending, None), paged(&[event(1, "a")], 1));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
}

#[test]
fn an_acknowledged_event_that_is_not_found_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.answered(read_event("a"), problem(404, "event-not-found"));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
}

#[test]
fn a_created_session_that_is_not_found_is_found() {
    let mut case = Case::created();
    case.answered(get(), problem(404, "session-not-found"));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
}

#[test]
fn a_created_session_that_takes_no_event_is_found() {
    let mut case = Case::created();
    case.answered(append("a"), problem(404, "session-not-found"));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
}

#[test]
fn a_read_that_misses_a_closing_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    case.answered(get(), seen(open(1), &[event(1, "a")]));
    case.breaks(&[Promise::ReadsSeeAcknowledged]);
}

#[test]
fn a_read_that_misses_an_erasure_is_found() {
    let mut case = Case::erased();
    case.answered(get(), seen(open(1), &[event(1, "a")]));
    case.breaks(&[Promise::ErasedStaysErased]);
}

#[test]
fn an_erased_session_that_is_created_again_is_found() {
    let mut case = Case::erased();
    let mut answer = status(201);
    answer.session = Some(open(0));
    case.answered(create(), answer);
    case.breaks(&[Promise::ErasedStaysErased, Promise::RepeatsAgree]);
}

#[test]
fn an_erased_session_that_is_unknown_later_is_found() {
    let mut case = Case::erased();
    case.answered(get(), problem(404, "session-not-found"));
    case.breaks(&[Promise::ReadsSeeAcknowledged, Promise::ErasedStaysErased]);
}

#[test]
fn a_read_of_less_than_another_read_before_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.unavailable(append("b"));
    let both = [event(1, "a"), event(2, "b")];
    case.answered(get(), seen(open(2), &both));
    case.answered(get(), seen(open(1), &both[..1]));
    case.store(open(2), &both);
    case.breaks(&[Promise::ReadsNeverGoBack]);
}

#[test]
fn a_read_of_less_than_a_stream_before_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.unavailable(append("b"));
    let both = [event(1, "a"), event(2, "b")];
    case.stream(&both, None);
    case.answered(get(), seen(open(1), &both[..1]));
    case.store(open(2), &both);
    case.breaks(&[Promise::ReadsNeverGoBack]);
}

#[test]
fn a_page_with_a_gap_is_found() {
    let mut case = Case::with_events(&["a", "b", "c"]);
    case.answered(get(), seen(open(3), &[event(1, "a"), event(3, "c")]));
    case.breaks(&[Promise::ReadsSeeAcknowledged, Promise::PagesAreWhole]);
}

#[test]
fn a_page_by_time_that_lacks_an_event_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.answered(page(Order::Time, None), paged(&[event(2, "b")], 2));
    case.breaks(&[Promise::PagesAreWhole]);
}

#[test]
fn a_page_by_time_with_an_event_twice_is_found() {
    let mut case = Case::with_events(&["a"]);
    let twice = [event(1, "a"), event(1, "a")];
    case.answered(page(Order::Time, None), paged(&twice, 2));
    case.breaks(&[Promise::PagesAreWhole]);
}

#[test]
fn a_walk_that_lacks_an_event_is_found() {
    let mut case = Case::with_events(&["a", "b", "c"]);
    let mut first_page = paged(&[event(3, "c")], 3);
    first_page.more = true;
    let first = case.answered(page(Order::Time, None), first_page);
    case.answered(page(Order::Time, Some(first)), paged(&[event(1, "a")], 3));
    case.breaks(&[Promise::PagesAreWhole]);
}

#[test]
fn a_walk_that_brings_an_event_twice_is_found() {
    let mut case = Case::with_events(&["a"]);
    let mut first_page = paged(&[event(1, "a")], 1);
    first_page.more = true;
    let first = case.answered(page(Order::Time, None), first_page);
    case.answered(page(Order::Time, Some(first)), paged(&[event(1, "a")], 1));
    case.breaks(&[Promise::PagesAreWhole]);
}

#[test]
fn a_page_that_shows_an_event_at_another_place_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.answered(read_event("a"), acknowledged(200, event(2, "a")));
    case.breaks(&[Promise::StoredOnce]);
}

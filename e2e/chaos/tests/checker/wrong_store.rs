//! What is stored is wrong.

use sessionstore_chaos::{
    checker::verdict::Promise,
    history::values::{Digest, Status},
    stored::{Answered, Raw, Record, What},
};

use crate::builder::*;

#[test]
fn a_lost_event_is_found() {
    let mut case = Case::with_events(&["a", "b"]);
    case.store(open(1), &[event(1, "a")]);
    case.breaks(&[Promise::NothingLost]);
    let proof = &case.verdict().violations[0].proof;
    assert!(proof[0].contains("append s/b -> 201"), "{proof:?}");
}

#[test]
fn a_lost_event_of_a_batch_is_found() {
    let mut case = Case::created();
    case.batch(&[("a", 201, Some(1)), ("b", 201, Some(2))]);
    case.store(open(1), &[event(1, "a")]);
    case.breaks(&[Promise::NothingLost]);
}

#[test]
fn a_lost_session_is_found() {
    let mut case = Case::created();
    case.store_as(Answered::Absent);
    case.breaks(&[Promise::NothingLost]);
}

#[test]
fn a_lost_closing_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    case.store(open(1), &[event(1, "a")]);
    case.breaks(&[Promise::NothingLost]);
}

#[test]
fn an_event_that_is_stored_twice_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.store(open(2), &[event(1, "a"), event(2, "a")]);
    case.breaks(&[Promise::StoredOnce]);
}

#[test]
fn an_event_with_two_documents_is_found() {
    let mut case = Case::with_events(&["a"]);
    let document = What::Event {
        event: "a".to_owned(),
    };
    case.documents(&[document.clone(), document]);
    case.breaks(&[Promise::StoredOnce, Promise::Contiguous]);
}

#[test]
fn a_session_with_two_documents_is_found() {
    let mut case = Case::created();
    case.raw(Raw {
        sessions: 2,
        ..Raw::default()
    });
    case.breaks(&[Promise::StoredOnce]);
}

#[test]
fn an_event_that_nobody_sent_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.store(open(2), &[event(1, "a"), event(2, "b")]);
    case.breaks(&[Promise::StoredOnce]);
}

#[test]
fn changed_content_is_found() {
    let mut case = Case::with_events(&["a"]);
    let mut changed = event(1, "a");
    changed.content = Digest::of(&["something else"]);
    case.store(open(1), &[changed]);
    case.breaks(&[Promise::StoredOnce]);
}

#[test]
fn a_changed_time_is_found() {
    let mut case = Case::with_events(&["a"]);
    let mut changed = event(1, "a");
    changed.stamp = Digest::of(&["another time"]);
    case.store(open(1), &[changed]);
    case.breaks(&[Promise::StoredOnce]);
}

#[test]
fn a_gap_is_found() {
    let mut case = Case::created();
    case.answered(append("a"), acknowledged(201, event(1, "a")));
    case.answered(append("b"), acknowledged(201, event(3, "b")));
    case.store(open(2), &[event(1, "a"), event(3, "b")]);
    case.breaks(&[Promise::Contiguous]);
}

#[test]
fn a_gap_among_the_documents_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    let what = |seq, what| Record { seq, what };
    let event = What::Event {
        event: "a".to_owned(),
    };
    case.raw(Raw {
        sessions: 1,
        tombstone: false,
        records: vec![what(1, event), what(3, What::Terminal)],
    });
    case.breaks(&[Promise::Contiguous]);
}

#[test]
fn documents_that_the_answers_hide_are_found() {
    let mut case = Case::with_events(&["a"]);
    case.unavailable(append("b"));
    let document = |id: &str| What::Event {
        event: id.to_owned(),
    };
    case.documents(&[document("a"), document("b")]);
    case.breaks(&[Promise::Contiguous]);
}

#[test]
fn a_document_that_nobody_sent_is_found() {
    let mut case = Case::created();
    case.documents(&[What::Event {
        event: "a".to_owned(),
    }]);
    case.breaks(&[Promise::StoredOnce, Promise::Contiguous]);
}

#[test]
fn a_wrong_count_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.store(open(2), &[event(1, "a")]);
    case.breaks(&[Promise::Contiguous]);
}

#[test]
fn a_wrong_order_is_found() {
    let mut case = Case::created();
    case.answered(append("a"), acknowledged(201, event(2, "a")));
    case.answered(append("b"), acknowledged(201, event(1, "b")));
    case.store(open(2), &[event(1, "b"), event(2, "a")]);
    case.breaks(&[Promise::RealTimeOrder]);
}

#[test]
fn a_wrong_order_is_found_even_if_the_second_was_never_acknowledged() {
    let mut case = Case::created();
    case.answered(append("a"), acknowledged(201, event(2, "a")));
    case.unavailable(append("b"));
    case.store(open(2), &[event(1, "b"), event(2, "a")]);
    case.breaks(&[Promise::RealTimeOrder]);
}

#[test]
fn a_batch_out_of_order_is_found() {
    let mut case = Case::created();
    case.batch(&[("a", 201, Some(2)), ("b", 201, Some(1))]);
    case.store(open(2), &[event(1, "b"), event(2, "a")]);
    case.breaks(&[Promise::RealTimeOrder]);
}

#[test]
fn an_append_after_a_closing_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    case.answered(append("b"), acknowledged(201, event(2, "b")));
    case.store(closed(1), &[event(1, "a")]);
    case.breaks(&[Promise::NothingLost, Promise::ClosedIsFrozen]);
}

#[test]
fn an_event_beyond_the_end_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    case.unavailable(append("b"));
    case.store(closed(2), &[event(1, "a"), event(2, "b")]);
    case.breaks(&[Promise::ClosedIsFrozen]);
}

#[test]
fn a_document_after_the_terminal_record_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    let late = What::Event {
        event: "b".to_owned(),
    };
    let first = What::Event {
        event: "a".to_owned(),
    };
    case.documents(&[first, What::Terminal, late]);
    let found = case.verdict().broken();
    assert!(found.contains(&Promise::ClosedIsFrozen), "{found:?}");
}

#[test]
fn a_closed_session_without_a_terminal_record_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    case.documents(&[What::Event {
        event: "a".to_owned(),
    }]);
    case.breaks(&[Promise::ClosedIsFrozen]);
}

#[test]
fn a_refusal_of_an_open_session_as_closed_is_found() {
    let mut case = Case::with_events(&["a"]);
    case.answered(append("b"), problem(409, "session-closed"));
    case.breaks(&[Promise::ClosedIsFrozen]);
}

#[test]
fn two_ends_are_found() {
    let mut case = Case::closed_with_events(&["a"]);
    let mut other = closed(1);
    other.ended_at = Some("2026-01-01T10:00:01.000Z".to_owned());
    case.answered(get(), seen(other, &[event(1, "a")]));
    case.breaks(&[Promise::OneEnd]);
}

#[test]
fn another_end_in_the_store_is_found() {
    let mut case = Case::closed_with_events(&["a"]);
    let mut other = closed(1);
    other.status = Status::Failed;
    case.store(other, &[event(1, "a")]);
    case.breaks(&[Promise::OneEnd]);
}

#[test]
fn a_closing_with_the_other_outcome_is_found() {
    let mut case = Case::created();
    let mut view = closed(0);
    view.status = Status::Failed;
    let mut answer = status(200);
    answer.session = Some(view.clone());
    case.answered(close(), answer);
    case.store(view, &[]);
    case.breaks(&[Promise::OneEnd]);
}

#[test]
fn an_erased_session_that_is_there_at_the_end_is_found() {
    let mut case = Case::erased();
    case.store(open(1), &[event(1, "a")]);
    case.breaks(&[Promise::ErasedStaysErased]);
}

#[test]
fn content_that_erasing_left_is_found() {
    let mut case = Case::erased();
    let event = What::Event {
        event: "a".to_owned(),
    };
    let what = |seq, what| Record { seq, what };
    case.raw(Raw {
        sessions: 1,
        tombstone: true,
        records: vec![what(1, event), what(2, What::Terminal)],
    });
    case.breaks(&[Promise::ErasedStaysErased]);
}

#[test]
fn a_session_that_is_erased_unasked_is_found() {
    let mut case = Case::created();
    case.store_as(Answered::Erased);
    case.breaks(&[Promise::NothingLost, Promise::ErasedStaysErased]);
}

//! The terminal record, and everything that meets it.

use ClosingStatus::{Completed, Failed};

use super::*;

#[test]
fn a_closing_takes_the_next_place_and_is_the_last_of_its_batch() {
    let mut script = Script::warm(3);
    script.append(event("a"));
    let close = script.close(Completed);
    let (call, _) = script.take_commit();
    script.append(event("b"));
    script.committed(call, &[Stored]);
    script.take_answers();

    let (call, records) = script.take_commit();
    let last = terminal(5, Completed);
    assert_eq!(records, [Record::Terminal(session("s"), last.clone())]);
    script.committed(call, &[Stored]);
    assert_eq!(script.take_answers(), [(close, Answer::Closed(last))]);
}

#[test]
fn items_behind_a_closing_are_settled_by_a_look_up() {
    let mut script = Script::warm(3);
    let first = script.append(event("a"));
    let (call, _) = script.take_commit();
    let tickets = [
        script.close(Completed),
        script.append(event("a")),
        script.append(event("new")),
        script.close(Completed),
        script.close(Failed),
    ];
    script.committed(call, &[Stored]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    let stored = stored_at(4, &event("a"));
    let last = terminal(5, Completed);
    assert_eq!(
        script.take_answers(),
        [
            (first, fresh(stored.clone())),
            (tickets[0], Answer::Closed(last.clone()))
        ]
    );

    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["a", "new"]);
    script.looked_up(call, [closed_with(&last, [Some(stored.clone()), None])]);
    assert_eq!(
        script.take_answers(),
        [
            (tickets[1], replayed(stored)),
            (tickets[2], refused(Refusal::Closed(last.clone()))),
            (tickets[3], Answer::Closed(last.clone())),
            (tickets[4], refused(Refusal::ClosedOtherwise(last))),
        ]
    );
    script.assert_idle();
}

#[test]
fn an_append_that_lost_to_a_closing_elsewhere_is_refused() {
    let mut script = Script::warm(3);
    let tickets = script.append_all([event("a"), event("b")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused, NotTried]);
    let (call, _) = script.take_look_up();
    let last = terminal(4, Failed);
    script.looked_up(call, [closed_with(&last, [None, None])]);
    let closed = refused(Refusal::Closed(last));
    assert_eq!(
        script.take_answers(),
        [(tickets[0], closed.clone()), (tickets[1], closed)]
    );
    script.assert_idle();
}

#[test]
fn a_stored_event_answers_although_its_session_is_closed() {
    let mut script = Script::new();
    let ticket = script.append(event("a"));
    let (call, _) = script.take_look_up();
    let last = terminal(4, Completed);
    script.looked_up(call, [closed_with(&last, [])]);
    assert_eq!(script.take_answers(), []);
    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["a"]);
    let stored = stored_at(2, &event("a"));
    script.looked_up(call, [closed_with(&last, [Some(stored.clone())])]);
    assert_eq!(script.take_answers(), [(ticket, replayed(stored))]);
    script.assert_idle();
}

#[test]
fn closing_a_closed_session_tells_how_it_was_closed_first() {
    let mut script = Script::new();
    let tickets = script.submit([
        Request::Close(closing(Completed)),
        Request::Close(closing(Failed)),
    ]);
    let (call, _) = script.take_look_up();
    let first = Terminal {
        at: Timestamp::from_millis(1),
        reason: None,
        ..terminal(9, Completed)
    };
    script.looked_up(call, [closed_with(&first, [])]);
    assert_eq!(
        script.take_answers(),
        [
            (tickets[0], Answer::Closed(first.clone())),
            (tickets[1], refused(Refusal::ClosedOtherwise(first)))
        ]
    );
    script.assert_idle();
}

#[test]
fn a_closing_that_came_after_the_look_up_is_not_judged_by_it() {
    let mut script = Script::new();
    let early = script.close(Completed);
    let (call, _) = script.take_look_up();
    let late = script.close(Failed);
    let last = terminal(4, Completed);
    script.looked_up(call, [closed_with(&last, [])]);
    assert_eq!(script.take_answers(), [(early, Answer::Closed(last))]);
    // The session was erased in between, and whoever erased it was told so.
    let (call, _) = script.take_look_up();
    script.looked_up(call, [no_log(LogState::Erased)]);
    assert_eq!(script.take_answers(), [(late, refused(Refusal::Erased))]);
    script.assert_idle();
}

#[test]
fn a_closing_that_lost_its_place_to_an_event_takes_the_next_one() {
    let mut script = Script::warm(3);
    script.close(Completed);
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, questions) = script.take_look_up();
    assert!(questions[0].event_ids.is_empty());
    script.looked_up(call, [open(4)]);
    let (_, records) = script.take_commit();
    assert_eq!(
        records,
        [Record::Terminal(session("s"), terminal(5, Completed))]
    );
}

#[test]
fn a_closing_whose_answer_was_lost_is_settled_by_its_place() {
    let mut script = Script::warm(3);
    let ticket = script.close(Completed);
    let (call, _) = script.take_commit();
    script.committed(call, &[Unknown]);
    script.pass(LONG);
    let (call, _) = script.take_look_up();
    let last = terminal(4, Completed);
    script.looked_up(call, [closed_with(&last, [])]);
    assert_eq!(script.take_answers(), [(ticket, Answer::Closed(last))]);
    script.assert_idle();
}

#[test]
fn an_expected_place_is_not_the_reason_when_the_session_is_closed() {
    let mut script = Script::warm(3);
    let ticket = script.append(expecting("a", 9));
    let (call, _) = script.take_look_up();
    let last = terminal(4, Completed);
    script.looked_up(call, [closed_with(&last, [None])]);
    assert_eq!(
        script.take_answers(),
        [(ticket, refused(Refusal::Closed(last)))]
    );
}

#[test]
fn a_closed_session_takes_no_room_among_the_warm_lanes() {
    let mut script = Script::warm(3);
    assert_eq!(script.committer.lane_count(), 1);
    script.close(Completed);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    script.assert_idle();
    assert_eq!(script.committer.lane_count(), 0);
}

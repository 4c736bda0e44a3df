//! Batches: when they start, what goes into them, what their outcomes mean.

use super::*;

#[test]
fn an_idle_committer_sends_at_once() {
    let mut script = Script::warm(1);
    let ticket = script.append(event("a"));
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(2, &event("a"))]);
    script.committed(call, &[Stored]);
    assert_eq!(
        script.take_answers(),
        [(ticket, fresh(stored_at(2, &event("a"))))]
    );
    script.assert_idle();
}

#[test]
fn the_next_batch_fills_while_one_is_in_flight() {
    let mut script = Script::warm(1);
    script.append(event("a"));
    let (call, _) = script.take_commit();
    script.append(event("b"));
    script.append_all([event("c"), event("d")]);
    script.assert_no_call();

    script.committed(call, &[Stored]);
    let (_, records) = script.take_commit();
    assert_eq!(
        records,
        [
            record(3, &event("b")),
            record(4, &event("c")),
            record(5, &event("d"))
        ]
    );
}

#[test]
fn a_warm_lane_costs_no_look_up() {
    let mut script = Script::warm(1);
    for number in 2..20 {
        script.append(event(&format!("e{number}")));
        let (call, records) = script.take_commit();
        assert_eq!(records[0].seq(), Seq::after(number - 1));
        script.committed(call, &[Stored]);
        script.assert_no_call();
    }
}

#[test]
fn cold_lanes_are_looked_up_in_one_question() {
    let mut script = Script::new();
    script.append_all([
        event_in("a", "1"),
        event_in("b", "1"),
        event_in("a", "2"),
        event_in("c", "1"),
    ]);
    let (call, questions) = script.take_look_up();
    let asked: Vec<_> = questions.iter().map(|q| q.session_id.as_str()).collect();
    assert_eq!(asked, ["a", "b", "c"]);
    assert!(questions.iter().all(|q| q.event_ids.is_empty()));
    script.assert_no_call();

    script.looked_up(call, [open(5), open(0), open(9)]);
    let (_, records) = script.take_commit();
    assert_eq!(
        records,
        [
            record(6, &event_in("a", "1")),
            record(7, &event_in("a", "2")),
            record(1, &event_in("b", "1")),
            record(10, &event_in("c", "1")),
        ]
    );
}

#[test]
fn a_cold_lane_does_not_hold_up_a_warm_one() {
    let mut script = Script::warm(1);
    script.append_all([event_in("cold", "1"), event("a")]);
    let (_, records) = script.take_commit();
    script.take_look_up();
    assert_eq!(records, [record(2, &event("a"))]);
}

#[test]
fn every_caller_is_told_of_its_own_event_and_followers_of_each_session() {
    let mut script = Script::new();
    let tickets = script.append_all([event_in("a", "1"), event_in("b", "1"), event_in("a", "2")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0), open(0)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored, Stored, Stored]);
    let mut answers = script.take_answers();
    answers.sort_by_key(|(ticket, _)| ticket.0);
    assert_eq!(
        answers,
        [
            (tickets[0], fresh(stored_at(1, &event_in("a", "1")))),
            (tickets[1], fresh(stored_at(1, &event_in("b", "1")))),
            (tickets[2], fresh(stored_at(2, &event_in("a", "2")))),
        ]
    );
    assert_eq!(
        script.announced,
        [
            vec![
                record(1, &event_in("a", "1")),
                record(2, &event_in("a", "2"))
            ],
            vec![record(1, &event_in("b", "1"))],
        ]
    );
    script.assert_idle();
}

#[test]
fn one_refused_event_does_not_stop_those_of_other_sessions() {
    let mut script = Script::new();
    let tickets = script.append_all([event_in("a", "1"), event_in("b", "1"), event_in("c", "1")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0), open(0), open(0)]);
    let (call, _) = script.take_commit();
    // As a store does that goes on with the other sessions.
    script.committed(call, &[Stored, Refused, Stored]);
    let answered: Vec<_> = script.take_answers().into_iter().map(|(t, _)| t).collect();
    assert_eq!(answered, [tickets[0], tickets[2]]);

    let (call, questions) = script.take_look_up();
    assert_eq!(questions.len(), 1);
    let taken = stored_at(1, &event_in("b", "other"));
    script.looked_up(call, [open_with(taken.seq.get(), [None])]);
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(2, &event_in("b", "1"))]);
    script.committed(call, &[Stored]);
    assert_eq!(
        script.take_answers(),
        [(tickets[1], fresh(stored_at(2, &event_in("b", "1"))))]
    );
    script.assert_idle();
}

#[test]
fn one_session_has_at_most_one_batch_in_flight() {
    let mut script = Script::with(Settings {
        batches_in_flight: 3,
        ..Settings::default()
    });
    script.append(event_in("a", "1"));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (first, _) = script.take_commit();
    script.append(event_in("a", "2"));
    script.assert_no_call();

    script.append(event_in("b", "1"));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(1, &event_in("b", "1"))]);

    script.committed(first, &[Stored]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(2, &event_in("a", "2"))]);
}

#[test]
fn a_hot_lane_takes_turns_with_the_others() {
    let mut script = Script::with(Settings {
        batch_items: 4,
        ..Settings::default()
    });
    script.append_all((0..100).map(|n| event_in("hot", &format!("e{n}"))));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (call, records) = script.take_commit();
    assert_eq!(records.len(), 4);

    script.append_all([event_in("calm", "1"), event_in("mild", "1")]);
    let (look_up, _) = script.take_look_up();
    script.looked_up(look_up, [open(0), open(0)]);
    script.committed(call, &[Stored; 4]);
    let (_, records) = script.take_commit();
    let sessions: Vec<_> = records.iter().map(|r| r.session_id().as_str()).collect();
    assert_eq!(sessions, ["calm", "mild", "hot", "hot"]);
}

#[test]
fn an_expected_place_is_kept_when_it_is_the_next_one() {
    let mut script = Script::warm(4);
    script.append_all([expecting("a", 5), event("b"), expecting("c", 7)]);
    let (call, records) = script.take_commit();
    assert_eq!(
        records,
        [
            record(5, &event("a")),
            record(6, &event("b")),
            record(7, &event("c"))
        ]
    );
    script.committed(call, &[Stored; 3]);
    script.assert_idle();
}

#[test]
fn an_unexpected_place_is_checked_against_a_fresh_tail_before_it_is_refused() {
    let mut script = Script::warm(4);
    let ticket = script.append(expecting("a", 7));
    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["a"]);
    assert_eq!(script.take_answers(), []);
    script.looked_up(call, [open_with(4, [None])]);
    let next = Seq::after(4);
    assert_eq!(
        script.take_answers(),
        [(ticket, refused(Refusal::NotNext { next }))]
    );
    script.assert_idle();
}

#[test]
fn an_expected_place_that_others_have_led_up_to_is_kept() {
    let mut script = Script::warm(4);
    let ticket = script.append(expecting("a", 7));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(6, [None])]);
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(7, &event("a"))]);
    script.committed(call, &[Stored]);
    assert_eq!(
        script.take_answers(),
        [(ticket, fresh(stored_at(7, &event("a"))))]
    );
}

#[test]
fn a_stored_event_is_answered_whatever_place_is_expected() {
    let mut script = Script::warm(4);
    let ticket = script.append(expecting("a", 2));
    let (call, _) = script.take_look_up();
    let stored = stored_at(2, &event("a"));
    script.looked_up(call, [open_with(4, [Some(stored.clone())])]);
    assert_eq!(script.take_answers(), [(ticket, replayed(stored))]);
    script.assert_idle();
}

#[test]
fn an_expected_place_behind_others_in_the_queue_waits_for_its_turn() {
    let mut script = Script::warm(4);
    let tickets = script.append_all([event("a"), expecting("b", 5), event("c")]);
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(5, &event("a"))]);
    script.committed(call, &[Stored]);
    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["b"]);
    script.looked_up(call, [open_with(5, [None])]);
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(6, &event("c"))]);
    script.committed(call, &[Stored]);

    let next = Seq::after(5);
    assert_eq!(
        script.take_answers(),
        [
            (tickets[0], fresh(stored_at(5, &event("a")))),
            (tickets[1], refused(Refusal::NotNext { next })),
            (tickets[2], fresh(stored_at(6, &event("c")))),
        ]
    );
}

#[test]
fn an_event_that_lost_its_expected_place_is_refused() {
    let mut script = Script::warm(4);
    let ticket = script.append(expecting("a", 5));
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(5, [None])]);
    let next = Seq::after(5);
    assert_eq!(
        script.take_answers(),
        [(ticket, refused(Refusal::NotNext { next }))]
    );
    script.assert_idle();
}

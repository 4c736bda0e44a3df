//! Retries, lost races, lost answers: what a look-up makes of them.

use super::*;

#[test]
fn a_retried_append_returns_the_stored_event() {
    let mut script = Script::warm(3);
    let ticket = script.append(event("a"));
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["a"]);
    let stored = stored_at(2, &event("a"));
    script.looked_up(call, [open_with(3, [Some(stored.clone())])]);
    assert_eq!(script.take_answers(), [(ticket, replayed(stored))]);
    script.assert_idle();
}

#[test]
fn an_event_id_with_other_content_is_refused() {
    let mut script = Script::warm(3);
    let ticket = script.append(with_other_content("a"));
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, _) = script.take_look_up();
    let stored = stored_at(2, &event("a"));
    script.looked_up(call, [open_with(3, [Some(stored)])]);
    assert_eq!(
        script.take_answers(),
        [(ticket, refused(Refusal::EventIdTaken))]
    );
    script.assert_idle();
}

#[test]
fn a_storm_of_retries_is_settled_by_one_look_up_for_the_whole_batch() {
    let events: Vec<_> = (1..=100).map(|n| event(&format!("e{n}"))).collect();
    let stored: Vec<_> = (1..).zip(&events).map(|(n, e)| stored_at(n, e)).collect();
    let mut script = Script::warm(100);
    let tickets = script.append_all(events);
    let (call, records) = script.take_commit();
    assert_eq!(records.len(), 100);
    let mut outcomes = vec![NotTried; 100];
    outcomes[0] = Refused;
    script.committed(call, &outcomes);

    let (call, questions) = script.take_look_up();
    assert_eq!(questions[0].event_ids.len(), 100);
    script.looked_up(call, [open_with(100, stored.iter().cloned().map(Some))]);
    let expected: Vec<_> = tickets
        .into_iter()
        .zip(stored.into_iter().map(replayed))
        .collect();
    assert_eq!(script.take_answers(), expected);
    script.assert_idle();
}

#[test]
fn an_ordered_batch_that_stopped_is_settled_for_every_session_in_it() {
    let mut script = Script::new();
    script.append_all([event_in("a", "1"), event_in("b", "1"), event_in("c", "1")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(1), open(1), open(1)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused, NotTried, NotTried]);

    let (call, questions) = script.take_look_up();
    assert_eq!(questions.len(), 3);
    let stored = |session| Some(stored_at(1, &event_in(session, "1")));
    let known = ["a", "b"].map(|session| open_with(1, [stored(session)]));
    script.looked_up(call, known.into_iter().chain([open_with(1, [None])]));
    assert_eq!(script.take_answers().len(), 2);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(2, &event_in("c", "1"))]);
}

#[test]
fn the_loser_of_a_place_reads_the_tail_once_for_the_whole_lane() {
    let mut script = Script::warm(3);
    script.append_all([event("a"), event("b"), event("c")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused, NotTried, NotTried]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(5, [None, None, None])]);
    let (call, records) = script.take_commit();
    assert_eq!(
        records,
        [
            record(6, &event("a")),
            record(7, &event("b")),
            record(8, &event("c"))
        ]
    );
    script.committed(call, &[Stored; 3]);
    script.assert_idle();
}

#[test]
fn what_is_stored_of_a_batch_counts_and_what_is_left_keeps_its_order() {
    let mut script = Script::warm(3);
    script.append_all([event("a"), event("b"), event("c")]);
    let (call, _) = script.take_commit();
    script.append(event("d"));
    script.committed(call, &[Stored, Refused, NotTried]);
    assert_eq!(script.take_answers().len(), 1);
    let (call, questions) = script.take_look_up();
    // The event that came later was not sent yet, so it cannot be stored by this process.
    assert_eq!(event_ids(&questions[0]), ["b", "c"]);
    script.looked_up(call, [open_with(5, [None, None])]);
    let (_, records) = script.take_commit();
    assert_eq!(
        records,
        [
            record(6, &event("b")),
            record(7, &event("c")),
            record(8, &event("d"))
        ]
    );
}

#[test]
fn what_refused_an_event_but_is_not_visible_yet_is_waited_for() {
    let mut script = Script::warm(3);
    let ticket = script.append(event("a"));
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(3, [None])]);
    script.assert_no_call();

    let waited = script.pass_until_due();
    assert_eq!(waited, Settings::default().delay_min);
    let (call, _) = script.take_look_up();
    let stored = stored_at(4, &event("a"));
    script.looked_up(call, [open_with(4, [Some(stored.clone())])]);
    assert_eq!(script.take_answers(), [(ticket, replayed(stored))]);
    script.assert_idle();
}

#[test]
fn an_event_is_sent_again_when_what_refused_it_was_rolled_back() {
    let mut script = Script::warm(3);
    let ticket = script.append(event("a"));
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(3, [None])]);
    script.pass_until_due();
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(3, [None])]);
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(4, &event("a"))]);
    script.committed(call, &[Stored]);
    assert_eq!(
        script.take_answers(),
        [(ticket, fresh(stored_at(4, &event("a"))))]
    );
    script.assert_idle();
}

#[test]
fn waiting_for_what_stays_invisible_grows_longer_each_time() {
    let mut script = Script::warm(3);
    script.append(event("a"));
    let mut waits = Vec::new();
    for _ in 0..4 {
        let (call, _) = script.take_commit();
        script.committed(call, &[Refused]);
        let (call, _) = script.take_look_up();
        script.looked_up(call, [open_with(3, [None])]);
        waits.push(script.pass_until_due().as_millis());
        let (call, _) = script.take_look_up();
        script.looked_up(call, [open_with(3, [None])]);
    }
    assert_eq!(waits, [5, 10, 20, 40]);
}

#[test]
fn an_unknown_outcome_is_settled_by_both_keys() {
    let mut script = Script::warm(3);
    let tickets = script.append_all([event("a"), event("b")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Unknown, Unknown]);
    script.assert_no_call();
    script.pass(LONG);
    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["a", "b"]);
    let stored = stored_at(4, &event("a"));
    script.looked_up(call, [open_with(4, [Some(stored.clone()), None])]);
    assert_eq!(script.take_answers(), [(tickets[0], replayed(stored))]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(5, &event("b"))]);
}

#[test]
fn what_is_not_found_after_an_unknown_outcome_is_sent_again_in_the_same_order() {
    let mut script = Script::warm(3);
    script.append_all([event("a"), event("b")]);
    let (call, first) = script.take_commit();
    script.append(event("c"));
    script.committed(call, &[Unknown, Unknown]);
    script.pass(LONG);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(3, [None, None])]);
    let (_, again) = script.take_commit();
    assert_eq!(again[..2], first);
    assert_eq!(again[2..], [record(6, &event("c"))]);
}

#[test]
fn an_expected_place_is_judged_only_at_the_head_of_the_queue() {
    let mut script = Script::warm(3);
    script.append_all([event("a"), expecting("b", 5)]);
    let (call, first) = script.take_commit();
    script.committed(call, &[Unknown, Unknown]);
    script.pass(LONG);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(3, [None, None])]);
    assert_eq!(script.take_answers(), []);
    let (_, again) = script.take_commit();
    assert_eq!(again, first);
}

#[test]
fn a_missing_outcome_is_an_unknown_one() {
    let mut script = Script::warm(3);
    script.append_all([event("a"), event("b")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[]);
    script.pass(LONG);
    let (_, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["a", "b"]);
}

#[test]
fn what_is_stored_behind_an_unknown_outcome_is_settled_along_with_it() {
    let mut script = Script::warm(3);
    let tickets = script.append_all([event("a"), event("b"), event("c")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored, Unknown, Stored]);
    assert_eq!(
        script.take_answers(),
        [(tickets[0], fresh(stored_at(4, &event("a"))))]
    );
    script.pass(LONG);
    let (call, questions) = script.take_look_up();
    assert_eq!(event_ids(&questions[0]), ["b", "c"]);
    let stored = [stored_at(5, &event("b")), stored_at(6, &event("c"))];
    script.looked_up(call, [open_with(6, stored.clone().map(Some))]);
    let answers = stored.map(replayed);
    assert_eq!(
        script.take_answers(),
        tickets[1..]
            .iter()
            .copied()
            .zip(answers)
            .collect::<Vec<_>>()
    );
    script.assert_idle();
}

#[test]
fn what_is_stored_behind_a_gap_is_looked_for_before_anything_is_built_upon_it() {
    for first in [NotTried, Refused] {
        let mut script = Script::warm(3);
        script.append_all([event("a"), event("b")]);
        let (call, _) = script.take_commit();
        script.committed(call, &[first, Stored]);
        assert_eq!(script.take_answers(), []);
        script.pass(LONG);
        let (_, questions) = script.take_look_up();
        assert_eq!(event_ids(&questions[0]), ["a", "b"]);
    }
}

#[test]
fn what_was_certainly_not_tried_is_sent_again_without_a_look_up() {
    let mut script = Script::warm(3);
    script.append(event("a"));
    let (call, first) = script.take_commit();
    script.committed(call, &[NotTried]);
    script.assert_no_call();
    script.pass(LONG);
    let (_, again) = script.take_commit();
    assert_eq!(again, first);
}

#[test]
fn an_unknown_outcome_waits_even_when_another_session_was_refused() {
    let mut script = Script::new();
    script.append_all([event_in("a", "1"), event_in("b", "1")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0), open(0)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Unknown, Refused]);
    let (_, questions) = script.take_look_up();
    assert_eq!(questions[0].session_id, session("b"));
    assert_eq!(questions.len(), 1);
    script.pass_until_due();
    let (_, questions) = script.take_look_up();
    assert_eq!(questions[0].session_id, session("a"));
}

#[test]
fn a_store_that_can_be_read_but_not_written_is_asked_less_and_less_often() {
    let mut script = Script::warm(3);
    script.append(event("a"));
    let mut waits = Vec::new();
    for _ in 0..4 {
        let (call, _) = script.take_commit();
        script.committed(call, &[Unknown]);
        waits.push(script.pass_until_due().as_millis());
        let (call, _) = script.take_look_up();
        script.looked_up(call, [open_with(3, [None])]);
    }
    assert_eq!(waits, [5, 10, 20, 40]);
}

#[test]
fn a_failed_look_up_is_repeated_for_every_lane_in_it() {
    let mut script = Script::new();
    script.append_all([event_in("a", "1"), event_in("b", "1")]);
    let (call, first) = script.take_look_up();
    script.look_up_failed(call);
    script.assert_no_call();
    script.pass_until_due();
    let (_, again) = script.take_look_up();
    assert_eq!(again, first);
}

#[test]
fn a_look_up_with_too_few_answers_is_repeated() {
    let mut script = Script::new();
    script.append_all([event_in("a", "1"), event_in("b", "1")]);
    let (call, first) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    script.pass_until_due();
    let (_, again) = script.take_look_up();
    assert_eq!(again, first);
}

#[test]
fn a_look_up_that_leaves_out_an_event_is_repeated() {
    let mut script = Script::warm(3);
    script.append_all([event("a"), event("b")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Unknown, Unknown]);
    script.pass(LONG);
    let (call, first) = script.take_look_up();
    script.looked_up(call, [open_with(3, [None])]);
    script.assert_no_call();
    script.pass_until_due();
    let (_, again) = script.take_look_up();
    assert_eq!(again, first);
}

#[test]
fn absent_is_only_answered_to_those_who_asked_before_the_look_up() {
    let mut script = Script::new();
    let early = script.append(event("a"));
    let (call, _) = script.take_look_up();
    let late = script.append(event("b"));
    script.looked_up(call, [no_log(LogState::Absent)]);
    assert_eq!(
        script.take_answers(),
        [(early, refused(Refusal::SessionAbsent))]
    );
    // Somebody created the session in between.
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    assert_eq!(
        script.take_answers(),
        [(late, fresh(stored_at(1, &event("b"))))]
    );
}

#[test]
fn an_absent_session_is_not_remembered() {
    let mut script = Script::new();
    script.append(event("a"));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [no_log(LogState::Absent)]);
    script.assert_idle();
    assert_eq!(script.committer.lane_count(), 0);
    script.append(event("a"));
    script.take_look_up();
}

#[test]
fn an_append_to_an_erased_session_is_refused_so() {
    let mut script = Script::warm(3);
    let tickets = script.append_all([event("a"), event("warming")]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused, NotTried]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [no_log(LogState::Erased)]);
    assert_eq!(
        script.take_answers(),
        tickets
            .into_iter()
            .map(|ticket| (ticket, refused(Refusal::Erased)))
            .collect::<Vec<_>>()
    );
    script.assert_idle();
    assert_eq!(script.committer.lane_count(), 0);
}

#[test]
fn an_answer_to_a_call_that_was_answered_before_changes_nothing() {
    let mut script = Script::warm(3);
    script.append(event("a"));
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    script.take_answers();
    script.committed(call, &[Refused]);
    script.looked_up(call, [open(0)]);
    script.created(call, []);
    assert_eq!(script.take_answers(), []);
    script.assert_idle();
}

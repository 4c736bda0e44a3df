//! Deadlines, overload, and that everything leaves the queue.

use super::*;

#[test]
fn more_requests_than_the_queue_holds_are_refused_at_once() {
    let mut script = Script::with(Settings {
        queue_items: 2,
        ..Settings::default()
    });
    let tickets = script.append_all([event("a"), event("b"), event("c")]);
    assert_eq!(
        script.take_answers(),
        [(tickets[2], refused(Refusal::Overloaded))]
    );
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (call, _) = script.take_commit();
    // Those in flight count as well.
    let late = script.append(event("d"));
    assert_eq!(
        script.take_answers(),
        [(late, refused(Refusal::Overloaded))]
    );
    script.committed(call, &[Stored, Stored]);
    script.take_answers();
    script.append(event("e"));
    assert_eq!(script.take_answers(), []);
}

#[test]
fn more_bytes_than_the_queue_holds_are_refused_at_once() {
    let size = Request::Append(event("a")).bytes();
    let mut script = Script::with(Settings {
        queue_bytes: 2 * size,
        ..Settings::default()
    });
    let tickets = script.append_all([event("a"), event("b"), event("c")]);
    assert_eq!(
        script.take_answers(),
        [(tickets[2], refused(Refusal::Overloaded))]
    );
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored, Stored]);
    script.take_answers();
    assert_eq!(script.append_all([event("d"), event("e")]).len(), 2);
    assert_eq!(script.take_answers(), []);
}

#[test]
fn a_batch_ends_at_its_number_of_records() {
    let mut script = Script::with(Settings {
        batch_items: 2,
        ..Settings::default()
    });
    script.append_all([event("a"), event("b"), event("c")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (call, records) = script.take_commit();
    assert_eq!(records.len(), 2);
    script.committed(call, &[Stored, Stored]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(3, &event("c"))]);
}

#[test]
fn a_batch_ends_when_it_reaches_its_size() {
    let mut script = Script::with(Settings {
        batch_bytes: Request::Append(event("a")).bytes() + 1,
        ..Settings::default()
    });
    script.append_all([event_in("x", "a"), event_in("y", "b"), event_in("z", "c")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0), open(0), open(0)]);
    let (call, records) = script.take_commit();
    assert_eq!(records.len(), 2);
    script.committed(call, &[Stored, Stored]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(1, &event_in("z", "c"))]);
}

#[test]
fn one_event_larger_than_a_batch_goes_alone() {
    let mut script = Script::with(Settings {
        batch_bytes: 1,
        ..Settings::default()
    });
    script.append_all([event("a"), event("b")]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(1, &event("a"))]);
}

#[test]
fn a_request_is_answered_at_its_deadline_even_while_it_is_in_flight() {
    let mut script = Script::warm(1);
    let ticket = script.append(event("a"));
    let (call, _) = script.take_commit();
    assert_eq!(script.pass_until_due(), Settings::default().deadline);
    assert_eq!(
        script.take_answers(),
        [(ticket, refused(Refusal::TimedOut))]
    );
    assert_eq!(script.committer.queue_depth(), 1);
    script.committed(call, &[Stored]);
    assert_eq!(script.take_answers(), []);
    script.assert_idle();
}

#[test]
fn what_nobody_waits_for_is_not_sent() {
    let mut script = Script::warm(1);
    script.append(event("a"));
    let (call, _) = script.take_commit();
    script.append(event("late"));
    script.pass(Settings::default().deadline);
    let kept = script.append(event("kept"));
    script.take_answers();
    script.committed(call, &[Stored]);
    let (call, records) = script.take_commit();
    assert_eq!(records, [record(3, &event("kept"))]);
    script.committed(call, &[Stored]);
    assert_eq!(
        script.take_answers(),
        [(kept, fresh(stored_at(3, &event("kept"))))]
    );
    script.assert_idle();
}

#[test]
fn everything_leaves_the_queue_while_the_store_cannot_be_read() {
    let mut script = Script::new();
    let tickets = script.append_all([event_in("a", "1"), event_in("b", "1"), event_in("a", "2")]);
    while script.committer.queue_depth() > 0 {
        if script.calls.is_empty() {
            script.pass_until_due();
        } else {
            let (call, _) = script.take_look_up();
            script.look_up_failed(call);
        }
    }
    assert!(script.now < Settings::default().deadline + LONG);
    let expected = tickets.map_to(&refused(Refusal::TimedOut));
    assert_eq!(script.take_answers(), expected);
    script.assert_idle();
    assert_eq!(script.committer.next_tick(), None);
}

#[test]
fn everything_leaves_the_queue_while_the_store_cannot_be_written() {
    let mut script = Script::warm(1);
    let mut tickets = script.append_all([event("a"), event("b")]);
    tickets.push(script.close(ClosingStatus::Completed));
    while script.committer.queue_depth() > 0 {
        match script.calls.pop_front() {
            None => {
                script.pass_until_due();
            }
            Some(Effect::Commit { call, records, .. }) => {
                script.committed(call, &vec![Unknown; records.len()]);
            }
            Some(Effect::LookUp(call, questions)) => {
                let nothing = vec![None; questions[0].event_ids.len()];
                script.looked_up(call, [open_with(1, nothing)]);
            }
            Some(other) => panic!("unexpected {other:?}"),
        }
    }
    assert!(script.now < Settings::default().deadline + LONG);
    assert_eq!(
        script.take_answers(),
        tickets.map_to(&refused(Refusal::TimedOut))
    );
    script.assert_idle();
    assert_eq!(script.committer.next_tick(), None);
}

#[test]
fn an_answered_request_asks_for_no_more_ticks() {
    let mut script = Script::warm(1);
    script.append(event("a"));
    assert!(script.committer.next_tick().is_some());
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    assert_eq!(script.committer.next_tick(), None);
}

#[test]
fn only_so_many_sessions_are_remembered_the_latest_ones() {
    let mut script = Script::with(Settings {
        lanes: 2,
        ..Settings::default()
    });
    script.append_all(["a", "b", "c"].map(|session| event_in(session, "1")));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0), open(0), open(0)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored; 3]);
    assert_eq!(script.committer.lane_count(), 2);

    script.append_all(["a", "b", "c"].map(|session| event_in(session, "2")));
    let (_, records) = script.take_commit();
    assert_eq!(
        records,
        [
            record(2, &event_in("b", "2")),
            record(2, &event_in("c", "2"))
        ]
    );
    let (_, questions) = script.take_look_up();
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].session_id, session("a"));
}

#[test]
fn a_large_number_of_cold_lanes_is_looked_up_in_several_questions() {
    let mut script = Script::new();
    script.append_all((0..1_200).map(|n| event_in(&format!("s{n}"), "1")));
    let (first, questions) = script.take_look_up();
    assert_eq!(questions.len(), 500);
    let (_, questions) = script.take_look_up();
    assert_eq!(questions.len(), 500);
    script.assert_no_call();
    script.looked_up(first, (0..500).map(|_| no_log(LogState::Absent)));
    let (_, questions) = script.take_look_up();
    assert_eq!(questions.len(), 200);
}

/// The same answer for each ticket.
trait MapTo {
    fn map_to(self, answer: &Answer) -> Vec<(Ticket, Answer)>;
}

impl MapTo for Vec<Ticket> {
    fn map_to(self, answer: &Answer) -> Vec<(Ticket, Answer)> {
        self.into_iter()
            .map(|ticket| (ticket, answer.clone()))
            .collect()
    }
}

//! How much one look-up asks for: whatever is found is in memory at once.

use super::*;

/// So many events, `e1` first.
fn events_in(session_id: &str, count: u64) -> Vec<NewEvent> {
    (1..=count)
        .map(|number| event_in(session_id, &format!("e{number}")))
        .collect()
}

/// A committer with so many events in session `s`, after three others, of which nobody knows
/// whether they are stored.
fn unsure_of(events: &[NewEvent]) -> (Script, Vec<Ticket>) {
    let mut script = Script::warm(3);
    let tickets = script.append_all(events.to_vec());
    let (call, records) = script.take_commit();
    script.committed(call, &vec![Unknown; records.len()]);
    script.pass(LONG);
    (script, tickets)
}

fn ids_of(events: &[NewEvent]) -> Vec<&str> {
    events.iter().map(|event| event.event_id.as_str()).collect()
}

#[test]
fn a_session_is_asked_for_a_hundred_events_at_a_time_until_all_are_settled() {
    let events = events_in("s", 250);
    // Of these 150 are stored.
    let stored: Vec<_> = (4..)
        .zip(&events[..150])
        .map(|(n, e)| stored_at(n, e))
        .collect();
    let (mut script, tickets) = unsure_of(&events);
    let mut found: Vec<_> = stored.iter().cloned().map(Some).collect();
    found.resize(250, None);
    for part in [0..100, 100..200, 200..250] {
        let (call, questions) = script.take_look_up();
        // Nothing is sent before what is in front of it is settled.
        script.assert_no_call();
        assert_eq!(event_ids(&questions[0]), ids_of(&events[part.clone()]));
        script.looked_up(call, [open_with(153, found[part].to_vec())]);
    }
    let answers: Vec<_> = tickets
        .into_iter()
        .zip(stored.into_iter().map(replayed))
        .collect();
    assert_eq!(script.take_answers(), answers);
    let (call, records) = script.take_commit();
    let again: Vec<_> = (154..)
        .zip(&events[150..])
        .map(|(n, e)| record(n, e))
        .collect();
    assert_eq!(records, again);
    script.committed(call, &[Stored; 100]);
    script.assert_idle();
}

#[test]
fn a_closed_session_is_asked_for_a_hundred_events_at_a_time_too() {
    let events = events_in("s", 150);
    let (mut script, tickets) = unsure_of(&events);
    let last = terminal(154, ClosingStatus::Completed);
    let stored: Vec<_> = (4..).zip(&events).map(|(n, e)| stored_at(n, e)).collect();
    for part in [0..100, 100..150] {
        let (call, questions) = script.take_look_up();
        assert_eq!(event_ids(&questions[0]), ids_of(&events[part.clone()]));
        let found = stored[part].iter().cloned().map(Some);
        script.looked_up(call, [closed_with(&last, found)]);
    }
    let answers: Vec<_> = tickets
        .into_iter()
        .zip(stored.into_iter().map(replayed))
        .collect();
    assert_eq!(script.take_answers(), answers);
    script.assert_idle();
}

#[test]
fn many_sessions_share_the_events_of_one_look_up() {
    let mut script = Script::new();
    let sessions = ["a", "b", "c", "d", "e", "f"];
    script.append_all(
        sessions
            .into_iter()
            .flat_map(|session| events_in(session, 150)),
    );
    let (call, questions) = script.take_look_up();
    script.looked_up(call, questions.iter().map(|_| open(0)));
    let (call, records) = script.take_commit();
    assert_eq!(records.len(), 900);
    script.committed(call, &[Unknown; 900]);
    script.pass(LONG);
    let mut asked = 0;
    while asked < 900 {
        let (call, questions) = script.take_look_up();
        let ids: usize = questions
            .iter()
            .map(|question| question.event_ids.len())
            .sum();
        assert!((1..=500).contains(&ids), "{ids} at once");
        asked += ids;
        let nothing = |question: &LookUp| open_with(0, vec![None; question.event_ids.len()]);
        script.looked_up(call, questions.iter().map(nothing));
    }
    assert_eq!(asked, 900);
}

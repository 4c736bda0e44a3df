//! A session that several processes write to: each lets the others have their turn.

use super::*;

/// Appends one event and answers its commit; says how long the lane waited before it sent it.
fn append_one(script: &mut Script) -> Duration {
    script.append(event(&format!("e{}", script.next_ticket)));
    let waited = if script.calls.is_empty() {
        script.pass_until_due()
    } else {
        Duration::ZERO
    };
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    waited
}

/// Loses the next place to an event of another process.
fn lose_one(script: &mut Script, tail: u64) {
    script.append(event(&format!("e{}", script.next_ticket)));
    let (call, _) = script.take_commit();
    script.committed(call, &[Refused]);
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open_with(tail + 1, [None])]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
}

#[test]
fn a_lane_that_met_another_writer_pauses_after_each_batch_for_some_time() {
    let pause = Settings::default().delay_min;
    let mut script = Script::warm(1);
    lose_one(&mut script, 1);
    let waits: Vec<_> = (0..9).map(|_| append_one(&mut script)).collect();
    assert_eq!(waits[..8], [pause; 8]);
    assert_eq!(waits[8], Duration::ZERO);
}

#[test]
fn a_pause_costs_nothing_when_the_lane_has_no_work_meanwhile() {
    let mut script = Script::warm(1);
    lose_one(&mut script, 1);
    script.pass(Settings::default().delay_min);
    assert_eq!(append_one(&mut script), Duration::ZERO);
}

#[test]
fn a_lane_that_is_busy_all_the_time_pauses_now_and_then() {
    let mut script = Script::warm(1);
    let waits: Vec<_> = (0..200).map(|_| append_one(&mut script)).collect();
    let pauses = waits.iter().filter(|wait| **wait > Duration::ZERO).count();
    assert_eq!(pauses, 200 / 32);
}

#[test]
fn a_lane_never_pauses_where_no_other_process_can_write() {
    let mut script = Script::with(Settings {
        is_shared: false,
        ..Settings::default()
    });
    script.append(event("first"));
    let (call, _) = script.take_look_up();
    script.looked_up(call, [open(0)]);
    let (call, _) = script.take_commit();
    script.committed(call, &[Stored]);
    lose_one(&mut script, 1);
    let waits: Vec<_> = (0..200).map(|_| append_one(&mut script)).collect();
    assert_eq!(waits, [Duration::ZERO; 200]);
}

#[test]
fn other_sessions_go_on_while_one_pauses() {
    let mut script = Script::warm(1);
    lose_one(&mut script, 1);
    script.append_all([event("waits"), event_in("other", "1")]);
    let (call, questions) = script.take_look_up();
    assert_eq!(questions[0].session_id, session("other"));
    script.looked_up(call, [open(0)]);
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(1, &event_in("other", "1"))]);
}

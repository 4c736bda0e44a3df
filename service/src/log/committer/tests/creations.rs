//! Creating sessions.

use super::*;

fn create(script: &mut Script, name: &str) -> Ticket {
    script.submit([Request::Create(new_session(name))])[0]
}

fn created(new: &NewSession, replayed: bool) -> Answer {
    Answer::Created {
        session: stored_session(new),
        replayed,
    }
}

#[test]
fn creations_gather_while_one_is_in_flight() {
    let mut script = Script::new();
    let first = create(&mut script, "a");
    let (call, sessions) = script.take_create();
    assert_eq!(sessions, [new_session("a")]);
    let second = create(&mut script, "b");
    let third = create(&mut script, "a");
    script.assert_no_call();

    script.created(
        call,
        [CreateOutcome::Created(stored_session(&new_session("a")))],
    );
    let (call, sessions) = script.take_create();
    assert_eq!(sessions, [new_session("b"), new_session("a")]);
    script.created(
        call,
        [
            CreateOutcome::Created(stored_session(&new_session("b"))),
            CreateOutcome::Existing(stored_session(&new_session("a"))),
        ],
    );
    assert_eq!(
        script.take_answers(),
        [
            (first, created(&new_session("a"), false)),
            (second, created(&new_session("b"), false)),
            (third, created(&new_session("a"), true)),
        ]
    );
    script.assert_idle();
}

#[test]
fn a_new_session_is_warm_at_once() {
    let mut script = Script::new();
    create(&mut script, "s");
    let (call, _) = script.take_create();
    script.created(
        call,
        [CreateOutcome::Created(stored_session(&new_session("s")))],
    );
    script.append(event("a"));
    let (_, records) = script.take_commit();
    assert_eq!(records, [record(1, &event("a"))]);
}

#[test]
fn a_session_that_existed_before_is_not_taken_for_empty() {
    let mut script = Script::new();
    create(&mut script, "s");
    let (call, _) = script.take_create();
    script.created(
        call,
        [CreateOutcome::Existing(stored_session(&new_session("s")))],
    );
    script.append(event("a"));
    script.take_look_up();
}

#[test]
fn a_creation_with_an_unknown_outcome_is_sent_again_before_those_that_came_later() {
    let mut script = Script::new();
    let first = create(&mut script, "a");
    let (call, _) = script.take_create();
    create(&mut script, "b");
    script.created(call, [CreateOutcome::Unknown]);
    script.assert_no_call();
    assert_eq!(script.pass_until_due(), Settings::default().delay_min);
    let (call, sessions) = script.take_create();
    assert_eq!(sessions, [new_session("a"), new_session("b")]);
    script.created(
        call,
        [
            CreateOutcome::Created(stored_session(&new_session("a"))),
            CreateOutcome::Created(stored_session(&new_session("b"))),
        ],
    );
    assert_eq!(
        script.take_answers()[0],
        (first, created(&new_session("a"), false))
    );
    script.assert_idle();
}

#[test]
fn creating_an_erased_session_is_refused() {
    let mut script = Script::new();
    let ticket = create(&mut script, "a");
    let (call, _) = script.take_create();
    script.created(call, [CreateOutcome::Erased]);
    assert_eq!(script.take_answers(), [(ticket, refused(Refusal::Erased))]);
    script.assert_idle();
}

#[test]
fn a_creation_past_its_deadline_is_answered_and_leaves_the_queue() {
    let mut script = Script::new();
    let ticket = create(&mut script, "a");
    let (call, _) = script.take_create();
    script.pass(Settings::default().deadline);
    assert_eq!(
        script.take_answers(),
        [(ticket, refused(Refusal::TimedOut))]
    );
    script.created(call, [CreateOutcome::Unknown]);
    script.pass_until_due();
    assert_eq!(script.take_answers(), []);
    script.assert_idle();
}

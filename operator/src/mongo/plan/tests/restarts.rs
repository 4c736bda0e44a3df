//! Pods are made anew without anybody noticing.

use super::scene::Scene;
use crate::mongo::plan::{Action, Answer, Next, Restart, State, replicas};

type Trouble = (&'static str, fn(&mut Scene));

fn outdated(scene: &mut Scene, ordinals: &[usize]) {
    for ordinal in ordinals {
        "old".clone_into(&mut scene.pod(*ordinal).revision);
    }
}

fn restart(ordinal: usize, restart: Restart) -> Next {
    Next::Do(Action::RestartPod {
        ordinal,
        pod: format!("pod-{ordinal}"),
        restart,
    })
}

#[test]
fn secondaries_are_restarted_first_and_the_primary_hands_over_before_its_turn() {
    let mut scene = Scene::healthy(3).led_by(1);
    outdated(&mut scene, &[0, 1, 2]);
    assert_eq!(scene.next(), restart(2, Restart::Planned));
    "new".clone_into(&mut scene.pod(2).revision);
    assert_eq!(scene.next(), restart(0, Restart::Planned));
    "new".clone_into(&mut scene.pod(0).revision);
    let step_down = Action::StepDown { primary: 1 };
    assert_eq!(scene.next(), Next::Do(step_down));
    let mut scene = scene.led_by(0);
    assert_eq!(scene.next(), restart(1, Restart::Planned));
    "new".clone_into(&mut scene.pod(1).revision);
    assert_eq!(scene.next(), Next::Done);
}

#[test]
fn nothing_is_restarted_while_another_member_is_not_well() {
    let troubles: [Trouble; 5] = [
        ("Unwell", |scene| scene.silence(1)),
        ("Unwell", |scene| scene.put(1, State::Recovering)),
        ("CatchingUp", |scene| scene.delay(1, 5)),
        ("Syncing", |scene| scene.put(1, State::Startup2)),
        ("Restarting", |scene| scene.pod(1).leaving = true),
    ];
    for (reason, trouble) in troubles {
        let mut scene = Scene::healthy(3);
        outdated(&mut scene, &[2]);
        trouble(&mut scene);
        assert_eq!(scene.reason(), reason);
    }
}

#[test]
fn a_member_that_is_not_well_itself_is_restarted_before_others() {
    let mut scene = Scene::healthy(3);
    outdated(&mut scene, &[1, 2]);
    scene.put(1, State::Recovering);
    assert_eq!(scene.next(), restart(1, Restart::Planned));
}

#[test]
fn a_single_member_is_restarted_with_downtime() {
    let mut scene = Scene::healthy(1);
    outdated(&mut scene, &[0]);
    assert_eq!(scene.next(), restart(0, Restart::Planned));
}

#[test]
fn a_single_member_that_gets_company_is_not_restarted_before() {
    let mut scene = Scene::growing(1, 3);
    outdated(&mut scene, &[0]);
    scene.silence(1);
    scene.silence(2);
    assert_eq!(scene.reason(), "NotJoined");
}

#[test]
fn of_two_members_none_is_restarted_since_both_are_needed() {
    let mut scene = Scene::growing(2, 3);
    outdated(&mut scene, &[0, 1]);
    scene.silence(2);
    assert_eq!(scene.reason(), "NotJoined");
}

#[test]
fn a_broken_template_is_replaced_whatever_the_others_do() {
    let mut scene = Scene::fresh(3);
    outdated(&mut scene, &[0, 1, 2]);
    for ordinal in 0..3 {
        scene.silence(ordinal);
        scene.pod(ordinal).serving = false;
    }
    assert_eq!(scene.next(), restart(0, Restart::Useless));
}

#[test]
fn a_pod_that_serves_is_not_taken_for_broken_because_we_are_cut_off() {
    let mut scene = Scene::healthy(3);
    outdated(&mut scene, &[0, 1, 2]);
    for ordinal in 0..3 {
        scene.answer(ordinal, Answer::Unreachable("no answer".to_owned()));
    }
    assert_eq!(scene.reason(), "MajorityLost");
}

#[test]
fn a_member_that_could_not_find_itself_is_started_again_without_a_primary_too() {
    let mut scene = Scene::healthy(3);
    for ordinal in 0..3 {
        let config = scene.view(ordinal).config.clone();
        scene.answer(ordinal, Answer::Removed(Some(config)));
    }
    assert_eq!(scene.next(), restart(0, Restart::Useless));
    scene.pod(0).leaving = true;
    assert_eq!(scene.next(), restart(1, Restart::Useless));
}

#[test]
fn a_member_that_will_hear_of_its_return_is_not_started_again() {
    let mut scene = Scene::healthy(3);
    let mut old = scene.view(2).config.clone();
    old.version.version -= 1;
    scene.answer(2, Answer::Removed(Some(old)));
    assert_eq!(scene.reason(), "Unwell");
}

#[test]
fn the_primary_hands_over_before_its_node_is_drained() {
    let mut scene = Scene::healthy(3);
    scene.node(0).cordoned = true;
    let step_down = Next::Do(Action::StepDown { primary: 0 });
    assert_eq!(scene.next(), step_down);
    scene.node(1).cordoned = true;
    assert_eq!(scene.next(), step_down);
    scene.delay(2, 30);
    assert_eq!(scene.reason(), "CatchingUp", "nobody could take over");
    scene.delay(2, 0);
    scene.node(2).cordoned = true;
    assert_eq!(scene.next(), Next::Done, "it would be no better elsewhere");
}

#[test]
fn the_primary_hands_over_when_its_pod_is_being_deleted() {
    let mut scene = Scene::healthy(3);
    scene.pod(0).leaving = true;
    let step_down = Next::Do(Action::StepDown { primary: 0 });
    assert_eq!(scene.next(), step_down);
}

#[test]
fn no_pod_is_restarted_while_others_go_since_somebody_has_scaled_them_away() {
    let mut scene = Scene::healthy(3);
    scene.desired.revision = "newer".to_owned();
    scene.observed.replicas = 1;
    for going in [1, 2] {
        scene.pod(going).leaving = true;
    }
    assert_eq!(scene.reason(), "Restarting");
    assert_eq!(replicas(&scene.desired, &scene.observed), 3);
}

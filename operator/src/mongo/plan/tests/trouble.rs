//! What only a person can help is said, and done when it is permitted.

use super::scene::Scene;
use crate::mongo::plan::{Action, Answer, Next, State};

fn stale(scene: &mut Scene, ordinal: usize) {
    scene.put(ordinal, State::Recovering);
    scene.delay(ordinal, 900);
    scene.view(ordinal).too_stale = true;
}

fn resyncs(scene: &Scene, expected: usize) -> bool {
    matches!(scene.next(), Next::Do(Action::Resync { ordinal, .. }) if ordinal == expected)
}

#[test]
fn a_member_that_is_too_stale_is_wiped_with_permission_only() {
    let mut scene = Scene::healthy(3);
    stale(&mut scene, 2);
    assert_eq!(scene.reason(), "TooStale");
    let Next::Wait(why) = scene.next() else {
        panic!("{:?}", scene.next());
    };
    let remedy = "sessionstore.dev/resync=voice-mongodb-2/volume-2";
    assert!(why.to_string().contains(remedy), "{why}");
    scene.desired.permits = scene.desired.permits("voice-mongodb-2/volume-2");
    assert!(resyncs(&scene, 2));
}

#[test]
fn a_member_that_is_well_is_not_wiped_even_with_permission() {
    let mut scene = Scene::healthy(3);
    scene.permit(2);
    assert_eq!(scene.next(), Next::Done);
    scene.delay(2, 60);
    assert_eq!(scene.reason(), "CatchingUp");
}

#[test]
fn nothing_is_wiped_that_may_be_needed_for_what_was_acknowledged() {
    let mut scene = Scene::healthy(3);
    stale(&mut scene, 1);
    scene.permit(1);
    scene.delay(1, 5);
    scene.delay(2, 10);
    assert_eq!(scene.reason(), "TooStale");
    let Next::Wait(why) = scene.next() else {
        panic!("{:?}", scene.next());
    };
    assert!(why.to_string().contains("may be needed"), "{why}");
    scene.delay(2, 5);
    assert!(resyncs(&scene, 1));
}

#[test]
fn nothing_is_wiped_while_the_primary_was_asked_before_its_last_change() {
    let mut scene = Scene::healthy(3);
    stale(&mut scene, 2);
    scene.permit(2);
    scene.view(1).config.version.version += 1;
    assert_eq!(scene.reason(), "TooStale");
}

#[test]
fn nothing_is_wiped_while_a_removed_member_may_not_know_that_it_was() {
    let mut scene = Scene::growing(3, 4);
    scene.desired.members = 3;
    stale(&mut scene, 2);
    scene.permit(2);
    let silent = Answer::Unreachable("cut off".to_owned());
    scene.answer(3, silent);
    assert_eq!(scene.reason(), "TooStale");
    scene.answer(3, Answer::Removed(None));
    assert!(resyncs(&scene, 2));
}

#[test]
fn with_half_of_the_members_stale_the_one_that_is_not_needed_is_named() {
    let mut scene = Scene::healthy(3);
    stale(&mut scene, 1);
    stale(&mut scene, 2);
    scene.delay(1, 100);
    scene.permit(1);
    let Next::Wait(why) = scene.next() else {
        panic!("{:?}", scene.next());
    };
    assert!(
        why.to_string().contains("voice-mongodb-2/volume-2"),
        "{why}"
    );
    scene.permit(2);
    assert!(resyncs(&scene, 2));
}

#[test]
fn a_lost_node_is_named_with_its_remedy() {
    let mut scene = Scene::healthy(3);
    scene.silence(1);
    assert_eq!(scene.reason(), "Unwell");
    scene.node(1).lost = true;
    let Next::Wait(why) = scene.next() else {
        panic!("{:?}", scene.next());
    };
    assert_eq!(why.reason(), "NodeLost");
    assert!(why.to_string().contains("node-1"), "{why}");
    scene.permit(1);
    assert!(resyncs(&scene, 1));
}

#[test]
fn without_a_majority_nothing_is_done_and_the_missing_are_named() {
    let mut scene = Scene::healthy(3);
    scene.silence(0);
    scene.silence(1);
    let Next::Wait(why) = scene.next() else {
        panic!("{:?}", scene.next());
    };
    assert_eq!(why.reason(), "MajorityLost");
    for pod in ["voice-mongodb-0", "voice-mongodb-1"] {
        assert!(why.to_string().contains(pod), "{why}");
    }
}

#[test]
fn members_without_a_primary_are_given_time_to_elect_one() {
    let mut scene = Scene::healthy(3);
    scene.put(0, State::Secondary);
    assert_eq!(scene.reason(), "Electing");
    scene.silence(0);
    assert_eq!(scene.reason(), "Electing");
}

#[test]
fn a_primary_of_an_old_term_is_no_primary() {
    let mut scene = Scene::healthy(3);
    scene.view(1).term = 2;
    assert_eq!(scene.reason(), "Electing");
}

#[test]
fn a_stranger_in_the_configuration_is_a_persons_matter() {
    let mut scene = Scene::healthy(3);
    for ordinal in 0..3 {
        "elsewhere:27017".clone_into(&mut scene.view(ordinal).config.members[2].host);
    }
    assert_eq!(scene.reason(), "UnknownHost");
}

#[test]
fn what_an_operator_began_before_it_died_is_finished_by_the_next_without_a_permit() {
    let mut scene = Scene::healthy(3);
    stale(&mut scene, 2);
    scene.doom(2);
    assert!(resyncs(&scene, 2));
    scene.pod(2).leaving = true;
    assert!(!resyncs(&scene, 2), "the pod is on its way");
}

#[test]
fn a_member_that_has_recovered_is_wiped_nevertheless_since_its_claim_is_gone() {
    let mut scene = Scene::healthy(3);
    scene.doom(2);
    assert!(resyncs(&scene, 2));
}

#[test]
fn a_claim_that_is_deleted_with_data_that_is_needed_keeps_its_pod() {
    let mut scene = Scene::healthy(3);
    scene.doom(1);
    scene.delay(2, 10);
    assert_eq!(scene.reason(), "VolumeDeleted");
    "old".clone_into(&mut scene.pod(1).revision);
    assert_eq!(scene.reason(), "VolumeDeleted");
    scene.delay(2, 0);
    assert!(resyncs(&scene, 1));
}

#[test]
fn a_primary_whose_claim_is_deleted_hands_over_first() {
    let mut scene = Scene::healthy(3);
    scene.doom(0);
    assert_eq!(scene.next(), Next::Do(Action::StepDown { primary: 0 }));
    let mut scene = scene.led_by(1);
    assert!(resyncs(&scene, 0));
    scene.node(0).lost = true;
    assert!(!resyncs(&scene, 0), "nobody has permitted to end that pod");
}

#[test]
fn the_only_member_keeps_its_pod_until_others_have_its_data() {
    let mut scene = Scene::healthy(1);
    scene.doom(0);
    "old".clone_into(&mut scene.pod(0).revision);
    assert_eq!(scene.reason(), "VolumeDeleted");
    let mut grown = Scene::growing(1, 3);
    grown.doom(0);
    assert!(matches!(grown.next(), Next::Do(Action::Reconfigure { .. })));
}

#[test]
fn members_that_read_their_configuration_are_no_lost_majority() {
    let mut scene = Scene::healthy(3);
    scene.put(0, State::Secondary);
    for starting in [1, 2] {
        scene.answer(starting, Answer::Starting);
    }
    assert_eq!(scene.reason(), "Electing");
}

#[test]
fn what_a_person_can_help_now_is_named_before_a_claim_that_is_deleted() {
    let mut scene = Scene::healthy(3);
    scene.doom(1);
    stale(&mut scene, 2);
    assert_eq!(scene.reason(), "TooStale");
    scene.permit(2);
    assert!(resyncs(&scene, 2));
}

#[test]
fn members_with_another_key_are_named_with_the_remedy_also_when_no_majority_is_left() {
    let mut some = Scene::healthy(3);
    some.put(0, State::Secondary);
    let mut all = Scene::healthy(3);
    all.answer(0, Answer::KeyRefused);
    let mut fresh = Scene::fresh(3);
    for scene in [&mut some, &mut all, &mut fresh] {
        for ordinal in [1, 2] {
            scene.answer(ordinal, Answer::KeyRefused);
        }
        assert_eq!(scene.reason(), "KeyRefused");
    }
    // One that is silent has to come back first.
    some.silence(1);
    assert_eq!(some.reason(), "MajorityLost");
}

/// The Secret of the key was deleted while no operator ran: another one was drawn, and stands in the
/// template, but the members go on with theirs.
fn with_lost_key(members: usize) -> Scene {
    let mut scene = Scene::healthy(members);
    for ordinal in 0..members {
        "old".clone_into(&mut scene.pod(ordinal).revision);
    }
    scene.view(0).refuses_key = true;
    scene
}

#[test]
fn a_set_whose_key_is_lost_is_left_together_until_a_person_helps() {
    for members in [1, 3, 5] {
        let scene = with_lost_key(members);
        let Next::Wait(why) = scene.next() else {
            panic!("{:?}", scene.next());
        };
        assert_eq!(why.reason(), "KeyRefused");
        assert!(why.is_stalled());
        let message = why.to_string();
        assert!(message.contains("restore the key Secret"), "{message}");
    }
}

#[test]
fn a_pod_that_stumbles_is_not_given_a_key_that_the_set_has_not() {
    let mut scene = with_lost_key(3);
    scene.silence(2);
    scene.pod(2).serving = false;
    assert_eq!(scene.reason(), "KeyRefused");
}

#[test]
fn a_set_whose_key_is_lost_grows_shrinks_and_sets_passwords_only_afterwards() {
    let mut scene = with_lost_key(3);
    scene.desired.members = 5;
    assert_eq!(scene.reason(), "KeyRefused");
    scene.desired.members = 1;
    assert_eq!(scene.reason(), "KeyRefused");
    scene.view(0).logins = crate::mongo::plan::Logins::Refused;
    assert_eq!(scene.reason(), "KeyRefused");
}

#[test]
fn a_drain_of_a_primary_whose_key_is_lost_goes_without_an_election() {
    let mut scene = with_lost_key(3);
    scene.node(0).cordoned = true;
    assert_eq!(scene.next(), Next::Do(Action::StepDown { primary: 0 }));
}

#[test]
fn a_member_with_another_key_than_the_primary_starts_again_though_it_is_to_leave() {
    let mut scene = Scene::healthy(3);
    scene.desired.members = 1;
    scene.view(0).config.members.truncate(1);
    scene.view(0).peers.clear();
    scene.view(0).voters = 1;
    scene.view(2).refuses_key = true;
    "old".clone_into(&mut scene.pod(2).revision);
    let next = scene.next();
    let is_restarted = matches!(next, Next::Do(Action::RestartPod { ordinal: 2, .. }));
    assert!(is_restarted, "{next:?}");
}

#[test]
fn the_rest_gets_the_new_key_as_soon_as_the_primary_has_it() {
    let mut scene = with_lost_key(3);
    scene.view(0).refuses_key = false;
    "new".clone_into(&mut scene.pod(0).revision);
    "new".clone_into(&mut scene.pod(1).revision);
    scene.put(2, State::Down);
    let next = scene.next();
    let is_restarted = matches!(next, Next::Do(Action::RestartPod { ordinal: 2, .. }));
    assert!(is_restarted, "{next:?}");
}

#[test]
fn members_with_different_keys_do_not_count_as_about_to_elect() {
    let mut scene = with_lost_key(3);
    scene.silence(2);
    scene.put(0, State::Secondary);
    assert_eq!(scene.reason(), "KeyRefused");
}

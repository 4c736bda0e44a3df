//! What only a person can help is said, and done when it is permitted.

use super::scene::Scene;
use crate::mongo::plan::{Action, Next, State};

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

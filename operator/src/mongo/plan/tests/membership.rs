//! Members come and go one at a time.

use super::scene::{BASE, Scene, host};
use crate::mongo::plan::{Action, Answer, Change, Next, SETTINGS, Settings, State, replicas};

fn add(ordinal: usize) -> Next {
    change(Change::Add {
        id: i32::try_from(ordinal).unwrap(),
        host: host(ordinal),
    })
}

fn remove(ordinal: usize) -> Next {
    change(Change::Remove {
        host: host(ordinal),
    })
}

fn change(change: Change) -> Next {
    Next::Do(Action::Reconfigure {
        primary: 0,
        base: BASE,
        change,
    })
}

#[test]
fn members_are_added_one_at_a_time_when_they_run() {
    let mut scene = Scene::growing(1, 3);
    assert_eq!(scene.next(), add(1));
    scene.silence(1);
    assert_eq!(scene.next(), add(2));
    scene.silence(2);
    assert_eq!(scene.reason(), "NotJoined");
}

#[test]
fn the_next_member_waits_until_the_last_one_counts() {
    let mut scene = Scene::growing(3, 5);
    scene.view(0).voters = 2;
    assert_ne!(scene.next(), add(3));
    scene.view(0).voters = 3;
    assert_eq!(scene.next(), add(3));
}

#[test]
fn nothing_is_changed_before_a_majority_has_the_last_change() {
    let mut scene = Scene::growing(3, 5);
    for ordinal in [1, 2] {
        scene.view(ordinal).config.version.version -= 1;
    }
    assert_eq!(scene.reason(), "Settling");
}

#[test]
fn nothing_is_changed_while_the_primary_was_asked_before_its_last_change() {
    let mut scene = Scene::growing(3, 5);
    for ordinal in [1, 2] {
        scene.view(ordinal).config.version.version += 1;
    }
    assert_eq!(scene.reason(), "Settling");
}

#[test]
fn nothing_is_changed_before_the_primary_has_written_for_a_majority() {
    let mut scene = Scene::growing(3, 5);
    scene.view(0).committed.term -= 1;
    assert_eq!(scene.reason(), "Settling");
}

#[test]
fn nothing_is_added_to_a_set_without_a_majority_that_is_well() {
    let mut scene = Scene::growing(3, 5);
    scene.delay(1, 60);
    scene.silence(2);
    assert_eq!(scene.reason(), "CatchingUp");
}

#[test]
fn an_id_that_is_taken_is_not_given_again() {
    let mut scene = Scene::growing(1, 3);
    scene.view(0).config.members[0].id = 1;
    let taken = Change::Add {
        id: 2,
        host: host(1),
    };
    assert_eq!(scene.next(), change(taken));
}

#[test]
fn the_highest_member_goes_first() {
    let mut scene = Scene::healthy(5);
    scene.desired.members = 3;
    assert_eq!(scene.next(), remove(4));
}

#[test]
fn of_those_that_go_one_that_is_away_goes_first() {
    let mut scene = Scene::healthy(5);
    scene.desired.members = 3;
    scene.silence(3);
    assert_eq!(scene.next(), remove(3));
}

#[test]
fn no_member_goes_while_one_that_stays_is_not_well() {
    for (ordinal, reason) in [(1, "Unwell"), (2, "Unwell")] {
        let mut scene = Scene::healthy(5);
        scene.desired.members = 3;
        scene.silence(ordinal);
        assert_eq!(scene.reason(), reason);
    }
    let mut scene = Scene::healthy(3);
    scene.desired.members = 1;
    scene.delay(1, 60);
    assert_eq!(
        scene.next(),
        remove(1),
        "one that goes may be behind, as long as a majority is left"
    );
}

#[test]
fn the_primary_hands_over_before_it_is_removed() {
    let mut scene = Scene::healthy(3).led_by(1);
    scene.desired.members = 1;
    let removed = scene.next();
    assert!(matches!(removed, Next::Do(Action::Reconfigure { .. })));
    let mut scene = Scene::healthy(2).led_by(1);
    scene.desired.members = 1;
    let step_down = Action::StepDown { primary: 1 };
    assert_eq!(scene.next(), Next::Do(step_down));
    scene.delay(0, 10);
    assert_eq!(scene.reason(), "CatchingUp");
}

#[test]
fn a_member_that_was_added_and_never_came_can_be_taken_back() {
    let mut scene = Scene::healthy(5);
    scene.desired.members = 3;
    scene.silence(4);
    scene.view(0).voters = 4;
    assert_eq!(scene.next(), remove(4));
}

#[test]
fn election_settings_that_were_changed_come_back() {
    let mut scene = Scene::healthy(3);
    for ordinal in 0..3 {
        scene.view(ordinal).config.settings = Settings {
            election_timeout_millis: 10_000,
            ..SETTINGS
        };
    }
    assert_eq!(scene.next(), change(Change::Settings));
}

#[test]
fn a_pod_goes_after_its_member_and_comes_before_it() {
    let mut scene = Scene::healthy(5);
    scene.desired.members = 3;
    assert_eq!(replicas(&scene.desired, &scene.observed), 5);

    let mut scene = Scene::healthy(3);
    scene.observed.replicas = 5;
    assert_eq!(replicas(&scene.desired, &scene.observed), 3);
    scene.desired.members = 5;
    assert_eq!(replicas(&scene.desired, &scene.observed), 5);
}

#[test]
fn no_pod_goes_as_long_as_the_configuration_is_in_doubt() {
    let mut scene = Scene::healthy(3);
    scene.observed.replicas = 5;
    scene.silence(1);
    scene.silence(2);
    assert_eq!(replicas(&scene.desired, &scene.observed), 5);
    let mut scene = Scene::fresh(5);
    scene.desired.members = 3;
    assert_eq!(replicas(&scene.desired, &scene.observed), 5);
}

#[test]
fn retained_volumes_of_a_larger_set_get_their_pods() {
    let mut scene = Scene::healthy(3);
    scene.desired.members = 1;
    scene.desired.known_set = None;
    scene.observed.replicas = 1;
    scene.silence(1);
    scene.silence(2);
    scene.put(0, State::Secondary);
    assert_eq!(replicas(&scene.desired, &scene.observed), 3);
    assert_eq!(scene.reason(), "MajorityLost");
}

#[test]
fn a_member_that_was_removed_before_can_come_back() {
    let mut scene = Scene::growing(3, 5);
    let mut old = scene.view(0).config.clone();
    old.version.version -= 1;
    scene.answer(3, Answer::Removed(Some(old)));
    assert_eq!(scene.next(), add(3));
}

/// A set of five that has been made three, as those who were removed know it.
fn shrunk() -> Scene {
    let mut scene = Scene::healthy(5);
    scene.desired.members = 3;
    let three = Scene::healthy(3);
    for ordinal in 0..3 {
        scene.observed.members[ordinal] = three.observed.members[ordinal].clone();
    }
    for ordinal in 3..5 {
        let config = super::scene::config(super::scene::OURS, &[0, 1, 2]);
        scene.answer(ordinal, Answer::Removed(Some(config)));
    }
    scene
}

#[test]
fn a_pod_stays_until_its_member_knows_that_it_was_removed() {
    let mut scene = shrunk();
    assert_eq!(replicas(&scene.desired, &scene.observed), 3);
    scene.answer(3, Answer::Unreachable("no answer".to_owned()));
    assert_eq!(replicas(&scene.desired, &scene.observed), 4);
    assert_eq!(scene.reason(), "Leaving");
    scene.observed.members[3].volume = None;
    assert_eq!(replicas(&scene.desired, &scene.observed), 3);
}

#[test]
fn the_next_member_goes_when_the_last_one_knows_that_it_was_removed() {
    let mut scene = shrunk();
    scene.desired.members = 1;
    assert_eq!(scene.next(), remove(2));
    scene.answer(3, Answer::Unreachable("no answer".to_owned()));
    assert_eq!(scene.reason(), "Leaving");
}

#[test]
fn a_member_that_cannot_learn_that_it_was_removed_is_started_again() {
    let mut scene = shrunk();
    let old = super::scene::config(super::scene::OURS, &[0, 1, 2, 3]);
    scene.answer(3, Answer::Removed(Some(old)));
    let restarted = scene.next();
    assert!(
        matches!(restarted, Next::Do(Action::RestartPod { ordinal: 3, .. })),
        "{restarted:?}"
    );
}

#[test]
fn pods_that_nobody_can_need_go_again_and_hold_nothing_up() {
    let mut scene = Scene::growing(3, 3);
    scene.observed.replicas = 9;
    assert_eq!(scene.next(), Next::Done);
    assert_eq!(replicas(&scene.desired, &scene.observed), 3);
}

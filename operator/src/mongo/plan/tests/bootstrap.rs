//! From nothing to a set, and never to a second one.

use super::scene::{FOREIGN, OURS, Scene, config, view, volume};
use crate::mongo::plan::{Action, Answer, Logins, Next};

fn initiate(members: usize) -> Next {
    Next::Do(Action::Initiate { members })
}

#[test]
fn a_set_is_initiated_when_all_members_are_empty() {
    for members in [1, 3, 5] {
        assert_eq!(Scene::fresh(members).next(), initiate(members));
    }
}

#[test]
fn a_silent_member_may_hold_the_data_so_nothing_is_initiated() {
    let mut scene = Scene::fresh(3);
    scene.silence(2);
    assert_eq!(scene.reason(), "NotAllReachable");
    scene.observed.members[2].pod = None;
    assert_eq!(scene.reason(), "NotAllReachable");
    scene.answer(2, Answer::KeyRefused);
    assert_eq!(scene.reason(), "NotAllReachable");
}

#[test]
fn an_empty_first_member_is_not_initiated_while_the_others_are_down() {
    let mut scene = Scene::healthy(3);
    scene.answer(0, Answer::NotInitiated);
    scene.silence(1);
    scene.silence(2);
    assert_eq!(scene.reason(), "MajorityLost");
    scene.desired.known_set = None;
    assert_eq!(scene.reason(), "NotAllReachable");
}

#[test]
fn empty_members_do_not_replace_a_set_that_was_known() {
    let mut scene = Scene::fresh(3);
    scene.desired.known_set = Some(OURS.to_owned());
    assert_eq!(scene.reason(), "DataGone");
}

#[test]
fn volumes_of_further_members_may_hold_the_data() {
    let mut scene = Scene::fresh(1);
    scene.observed.members[2].volume = Some(volume("volume-2"));
    assert_eq!(scene.reason(), "RetainedVolumes");
}

#[test]
fn further_members_that_are_empty_do_not_hold_up_the_beginning() {
    let mut scene = Scene::fresh(5);
    scene.desired.members = 3;
    assert_eq!(scene.next(), initiate(3));
}

#[test]
fn users_are_made_when_the_primary_lets_nobody_in() {
    let mut scene = Scene::healthy(3).led_by(1);
    scene.view(2).logins = Logins::Refused;
    assert_eq!(scene.next(), Next::Done, "a secondary may know them later");
    scene.view(1).logins = Logins::Refused;
    let users = Action::EnsureUsers { primary: 1 };
    assert_eq!(scene.next(), Next::Do(users));
}

#[test]
fn a_set_that_one_member_alone_knows_is_not_ours_while_others_are_silent() {
    let mut scene = Scene::fresh(3);
    let alone = view(0, FOREIGN, &[0]);
    scene.answer(0, Answer::Member(Box::new(alone.clone())));
    scene.silence(1);
    assert_eq!(scene.reason(), "NotAllReachable");
    scene.desired.known_set = Some(OURS.to_owned());
    assert_eq!(scene.reason(), "ForeignMember");
}

#[test]
fn of_two_members_that_were_initiated_apart_a_person_chooses() {
    let mut scene = Scene::fresh(3);
    scene.answer(0, Answer::Member(Box::new(view(0, OURS, &[0]))));
    scene.answer(1, Answer::Member(Box::new(view(1, FOREIGN, &[1]))));
    assert_eq!(scene.reason(), "ForeignMember");
    scene.permit(1);
    let wiped = scene.next();
    assert!(
        matches!(&wiped, Next::Do(Action::Resync { ordinal: 1, volume, .. }) if volume == "volume-1"),
        "{wiped:?}"
    );
}

#[test]
fn a_permit_is_for_one_volume() {
    let mut scene = Scene::fresh(3);
    scene.answer(0, Answer::Member(Box::new(view(0, OURS, &[0]))));
    scene.answer(1, Answer::Member(Box::new(view(1, FOREIGN, &[1]))));
    scene.permit(1);
    scene.observed.members[1].volume = Some(volume("a later one"));
    assert_eq!(scene.reason(), "ForeignMember");
}

#[test]
fn a_foreign_member_does_not_keep_the_set_from_working() {
    let mut scene = Scene::healthy(3);
    scene.answer(2, Answer::Removed(Some(config(FOREIGN, &[4]))));
    scene.view(0).logins = Logins::Refused;
    let users = Action::EnsureUsers { primary: 0 };
    assert_eq!(scene.next(), Next::Do(users));
    scene.view(0).logins = Logins::Accepted;
    assert_eq!(scene.reason(), "ForeignMember");
}

#[test]
fn nobody_is_asked_to_choose_while_a_silent_member_may_decide_it() {
    let mut scene = Scene::fresh(3);
    scene.answer(0, Answer::Member(Box::new(view(0, OURS, &[0, 1, 2]))));
    scene.answer(1, Answer::Member(Box::new(view(1, FOREIGN, &[1]))));
    scene.silence(2);
    assert_eq!(scene.reason(), "NotAllReachable");
    scene.answer(2, Answer::Member(Box::new(view(2, OURS, &[0, 1, 2]))));
    assert_eq!(scene.reason(), "ForeignMember", "of the one that is alone");
}

#[test]
fn foreign_members_are_named_when_nobody_else_could_make_a_majority() {
    let mut scene = Scene::healthy(3);
    scene.put(0, crate::mongo::plan::State::Secondary);
    scene.answer(1, Answer::Member(Box::new(view(1, FOREIGN, &[1]))));
    scene.answer(2, Answer::Unreachable("no answer".to_owned()));
    assert_eq!(scene.reason(), "MajorityLost");
    scene.answer(2, Answer::Member(Box::new(view(2, FOREIGN, &[2]))));
    assert_eq!(scene.reason(), "ForeignMember");
}

#[test]
fn another_key_is_named() {
    let mut scene = Scene::healthy(3);
    scene.answer(2, Answer::KeyRefused);
    assert_eq!(scene.reason(), "KeyRefused");
}

#[test]
fn nobody_is_given_a_password_that_is_stored_nowhere() {
    let mut scene = Scene::healthy(3);
    scene.desired.passwords_are_stored = false;
    assert_eq!(scene.next(), Next::Done);
    scene.view(0).logins = Logins::Refused;
    assert_eq!(scene.reason(), "PasswordsNotStored");
    scene.desired.passwords_are_stored = true;
    assert_eq!(scene.next(), Next::Do(Action::EnsureUsers { primary: 0 }));
}

#[test]
fn a_set_of_another_release_gets_the_roles_of_this_one() {
    let mut scene = Scene::healthy(3);
    scene.view(0).logins = Logins::Outdated;
    assert_eq!(scene.next(), Next::Do(Action::EnsureUsers { primary: 0 }));
}

#[test]
fn nobody_waits_for_pods_beyond_all_that_can_be_members() {
    let mut scene = Scene::fresh(5);
    scene.desired.members = 1;
    for (ordinal, set) in [(0, OURS), (1, FOREIGN)] {
        let alone = view(ordinal, set, &[ordinal]);
        scene.answer(ordinal, Answer::Member(Box::new(alone)));
    }
    assert_eq!(scene.reason(), "ForeignMember");
    scene.observed.replicas = 6;
    assert_eq!(scene.reason(), "ForeignMember");
}

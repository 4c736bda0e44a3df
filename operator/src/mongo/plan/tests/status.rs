//! What the status and the readiness gates tell.

use super::scene::{OURS, Scene};
use crate::mongo::plan::{Answer, State, Summary, ready_members};

fn ready(scene: &Scene) -> Vec<usize> {
    let ready = ready_members(&scene.desired, &scene.observed);
    (0..ready.len()).filter(|it| ready[*it]).collect()
}

fn states(summary: &Summary) -> Vec<&'static str> {
    summary.members.iter().map(|it| it.state).collect()
}

#[test]
fn members_are_ready_when_they_lead_or_follow() {
    let mut scene = Scene::healthy(3);
    assert_eq!(ready(&scene), [0, 1, 2]);
    scene.delay(1, 20);
    scene.put(2, State::Startup2);
    assert_eq!(ready(&scene), [0]);
    assert_eq!(ready(&Scene::fresh(3)), [0; 0]);
}

#[test]
fn a_member_that_we_do_not_reach_is_ready_as_long_as_the_primary_hears_it() {
    let mut scene = Scene::healthy(3);
    scene.answer(1, Answer::Unreachable("no answer".to_owned()));
    assert_eq!(ready(&scene), [0, 1, 2]);
    scene.silence(1);
    assert_eq!(ready(&scene), [0, 2]);
}

#[test]
fn secondaries_stay_ready_while_a_primary_is_elected() {
    let mut scene = Scene::healthy(3);
    scene.silence(0);
    assert_eq!(ready(&scene), [1, 2]);
}

#[test]
fn a_primary_that_was_asked_before_it_made_a_change_leads_nevertheless() {
    let mut scene = Scene::healthy(3);
    scene.view(2).config.version.version += 1;
    assert_eq!(ready(&scene), [0, 1, 2]);
    let summary = Summary::of(&scene.desired, &scene.observed);
    assert_eq!(summary.primary, Some(0));
    assert!(summary.is_available);
}

#[test]
fn who_has_a_configuration_of_a_newer_term_knows_that_the_primary_was_deposed() {
    let mut scene = Scene::healthy(3);
    let mut config = scene.view(2).config.clone();
    config.version.term += 1;
    scene.answer(2, Answer::Removed(Some(config)));
    let summary = Summary::of(&scene.desired, &scene.observed);
    assert_eq!(summary.primary, None);
}

#[test]
fn the_summary_names_the_primary_and_shows_lag_only_of_who_is_behind() {
    let mut scene = Scene::healthy(3).led_by(2);
    scene.delay(0, 1);
    scene.delay(1, 9);
    let summary = Summary::of(&scene.desired, &scene.observed);
    assert_eq!(summary.set_id.as_deref(), Some(OURS));
    assert_eq!(summary.primary, Some(2));
    assert!(summary.is_available);
    assert_eq!(states(&summary), ["SECONDARY", "SECONDARY", "PRIMARY"]);
    let lags: Vec<_> = summary.members.iter().map(|it| it.lag).collect();
    assert_eq!(lags, [None, Some(9), None]);
}

#[test]
fn without_a_majority_nothing_is_available() {
    let mut scene = Scene::healthy(3);
    scene.silence(1);
    scene.silence(2);
    let summary = Summary::of(&scene.desired, &scene.observed);
    assert!(!summary.is_available);
    assert_eq!(states(&summary), ["PRIMARY", "DOWN", "DOWN"]);
}

#[test]
fn before_the_beginning_all_wanted_members_are_unknown() {
    let scene = Scene::fresh(3);
    let summary = Summary::of(&scene.desired, &scene.observed);
    assert_eq!(states(&summary), ["UNKNOWN"; 3]);
    assert_eq!(summary.primary, None);
}

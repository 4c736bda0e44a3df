//! From nothing to a set that the service can use.

use mongodb::bson::doc;
use sessionstore_operator::mongo::plan::{Action, Answer, Next};
use sessionstore_operator::mongo::{ActError, Outcome};

use crate::stage::{Stage, configured, lets_everybody_in};

fn names(actions: &[Action]) -> Vec<&'static str> {
    let name = |it: &Action| match it {
        Action::Initiate { .. } => "Initiate",
        Action::EnsureUsers { .. } => "EnsureUsers",
        Action::Reconfigure { .. } => "Reconfigure",
        Action::StepDown { .. } => "StepDown",
        Action::RestartPod { .. } => "RestartPod",
        Action::Resync { .. } => "Resync",
    };
    actions.iter().map(name).collect()
}

#[tokio::test]
async fn three_new_members_become_a_set_that_the_service_can_use() {
    let stage = Stage::new(3, 3).await;
    let mut done = stage.converge().await;
    // On a busy machine a step may end too late to be known as done, and is then done again.
    done.dedup();
    assert_eq!(names(&done), ["Initiate", "EnsureUsers"]);
    let service = stage.service().await;
    let sessions = service.database("sessionstore").collection("sessions");
    sessions.insert_one(doc! {"_id": 1}).await.unwrap();
    assert_eq!(configured(&stage.look().await), stage.desired.hosts);
}

#[tokio::test]
async fn what_was_done_before_is_done_again_without_harm() {
    let stage = Stage::new(3, 3).await;
    let initiate = Action::Initiate { members: 3 };
    let done = stage.converge().await;
    let before = stage.look().await;
    for action in done {
        let again = stage.act(&action).await.unwrap();
        let expected = if action == initiate {
            Outcome::Outdated
        } else {
            Outcome::Done
        };
        assert_eq!(again, expected);
    }
    assert_eq!(stage.next().await, Next::Done);
    assert_eq!(configured(&before), configured(&stage.look().await));
}

#[tokio::test]
async fn a_silent_member_keeps_the_set_from_being_initiated() {
    let stage = Stage::new(3, 3).await;
    stage.set.members()[2].kill().await.unwrap();
    let Next::Wait(why) = stage.next().await else {
        panic!("{:?}", stage.next().await);
    };
    assert_eq!(why.reason(), "NotAllReachable");
    // An operator that has looked before the member died is refused by the server.
    let late = stage.act(&Action::Initiate { members: 3 }).await;
    assert!(matches!(late, Err(ActError::Call(_))), "{late:?}");
    let seen = stage.look().await;
    assert_eq!(seen.members[0].answer, Answer::NotInitiated);
}

#[tokio::test]
async fn an_operator_that_died_in_the_middle_of_the_users_is_followed_by_one_that_finishes() {
    let stage = Stage::new(1, 1).await;
    stage.act(&Action::Initiate { members: 1 }).await.unwrap();
    stage
        .eventually("a primary", |seen| crate::stage::primary(seen).is_some())
        .await;
    let users = Action::EnsureUsers { primary: 0 };
    for survived in 0..4 {
        let commands = std::sync::atomic::AtomicUsize::new(0);
        let lives = || commands.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < survived;
        let operator = stage.another_operator();
        let died = operator.act(&stage.desired, &users, lives).await;
        assert_eq!(died, Err(ActError::NotLeading));
        assert_eq!(stage.next().await, Next::Do(users.clone()));
    }
    assert_eq!(names(&stage.converge().await), ["EnsureUsers"]);
}

#[tokio::test]
async fn retained_volumes_under_new_secrets_let_the_new_users_in() {
    let mut stage = Stage::new(3, 3).await;
    stage.converge().await;
    let old = stage.service().await;
    old.database("sessionstore")
        .collection("sessions")
        .insert_one(doc! {"_id": 1})
        .await
        .unwrap();
    stage.change_secrets();
    assert!(
        !stage
            .look()
            .await
            .members
            .iter()
            .any(|it| lets_everybody_in(&it.answer))
    );
    assert_eq!(names(&stage.converge().await), ["EnsureUsers"]);
    let found = stage.service().await.database("sessionstore");
    let found = found.collection::<mongodb::bson::Document>("sessions");
    assert!(found.find_one(doc! {"_id": 1}).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_acts_who_does_not_lead() {
    let stage = Stage::new(1, 1).await;
    let initiate = Action::Initiate { members: 1 };
    let refused = stage
        .operator
        .act(&stage.desired, &initiate, || false)
        .await;
    assert_eq!(refused, Err(ActError::NotLeading));
    let seen = stage.look().await;
    assert_eq!(seen.members[0].answer, Answer::NotInitiated);
}

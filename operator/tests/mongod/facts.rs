//! What the plan builds on, checked on the real server.

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use sessionstore_operator::mongo::Monitor;
use sessionstore_operator::mongo::plan::{Action, Answer, Next, SETTINGS};
use tokio::sync::Notify;

use crate::stage::{Stage, lets_everybody_in, operator, write_until};

#[tokio::test]
async fn members_that_were_initiated_apart_are_told_apart() {
    let stage = Stage::new(3, 3).await;
    for member in &stage.set.members()[..2] {
        let config = doc! {
            "_id": stage.set.name(),
            "members": [{"_id": 0, "host": member.host()}],
        };
        let admin = member.client().database("admin");
        admin
            .run_command(doc! {"replSetInitiate": config})
            .await
            .unwrap();
    }
    let Next::Wait(why) = stage.next().await else {
        panic!("{:?}", stage.next().await);
    };
    assert_eq!(why.reason(), "ForeignMember");
}

#[tokio::test]
async fn the_operator_cannot_make_users() {
    let stage = Stage::new(1, 1).await;
    stage.converge().await;
    let url = format!(
        "mongodb://sessionstore-operator:first@{}/?directConnection=true&authSource=admin",
        stage.desired.hosts[0]
    );
    let client = mongodb::Client::with_uri_str(url).await.unwrap();
    let admin = client.database("admin");
    let create = doc! {"createUser": "root", "pwd": "x", "roles": ["root"]};
    assert!(admin.run_command(create).await.is_err());
    let grant = doc! {"grantRolesToUser": "sessionstore-operator", "roles": ["root"]};
    assert!(admin.run_command(grant).await.is_err());
    let versions = stage.operator.versions(&stage.desired.hosts[0]).await;
    assert!(versions.unwrap().server.starts_with("6.0"));
}

#[tokio::test]
async fn another_key_is_seen_as_such() {
    let stage = Stage::new(1, 1).await;
    let mut access = stage.access.clone();
    access.key = "another".to_owned();
    let answers = operator(access).observe(&stage.desired.hosts).await;
    assert_eq!(answers, [Answer::KeyRefused]);
}

#[tokio::test]
async fn a_set_whose_key_is_lost_lets_users_in_and_is_seen_to_have_another_one() {
    let mut stage = Stage::new(1, 1).await;
    stage.converge().await;
    stage.access.key = "another".to_owned();
    stage.operator = stage.another_operator();
    let seen = stage.look().await;
    assert!(lets_everybody_in(&seen.members[0].answer));
    assert!(seen.has_other_key());
    let Next::Wait(why) = stage.next().await else {
        panic!("{:?}", stage.next().await);
    };
    assert_eq!(why.reason(), "KeyRefused");
}

#[tokio::test]
async fn a_set_has_the_election_settings_from_the_beginning() {
    let stage = Stage::new(1, 1).await;
    stage.converge().await;
    let seen = stage.look().await;
    let view = seen.members[0].answer.view().unwrap();
    assert_eq!(view.config.settings, SETTINGS);
    assert_eq!(view.voters, 1);
    assert_eq!(view.committed.term, view.term);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_member_does_not_hold_up_the_look() {
    let stage = Stage::new(3, 3).await;
    stage.converge().await;
    let frozen = (stage.primary().await + 1) % 3;
    stage.set.members()[frozen].freeze().await.unwrap();
    let seen = stage.look().await;
    assert!(matches!(
        seen.members[frozen].answer,
        Answer::Unreachable(_)
    ));
    assert!(matches!(stage.next().await, Next::Wait(_)));
    stage.set.members()[frozen].thaw().unwrap();
    assert_eq!(stage.converge().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_set_are_told() {
    let stage = Stage::new(3, 3).await;
    let told = Arc::new(Notify::new());
    let teller = Arc::clone(&told);
    let _monitor = Monitor::start(stage.set.name(), &stage.desired.hosts, move || {
        teller.notify_one();
    })
    .unwrap();
    stage
        .converge_with(async |stage, action| {
            let _ = stage.act(action).await;
        })
        .await;
    // What came of the beginning has been told when nothing comes any more for a while that is
    // shorter than the heartbeat.
    while tokio::time::timeout(std::time::Duration::from_secs(2), told.notified())
        .await
        .is_ok()
    {}
    let primary = stage.primary().await;
    stage.set.members()[primary].kill().await.unwrap();
    told.notified().await;
    assert!(matches!(stage.next().await, Next::Wait(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_falls_behind_is_told_by_the_heartbeats_alone() {
    let stage = Stage::new(3, 3).await;
    stage.converge().await;
    let monitor = Monitor::start(stage.set.name(), &stage.desired.hosts, || {}).unwrap();
    let primary = stage.primary().await;
    let (late, well) = ((primary + 1) % 3, (primary + 2) % 3);
    let behind = |member: usize| {
        let seconds = monitor.lags().seconds();
        seconds.get(&stage.desired.hosts[member]).copied()
    };
    let service = stage.service().await;
    stage.set.members()[late].hold_back().await.unwrap();
    write_until(&service, || behind(late) >= Some(2)).await;
    assert_eq!(behind(primary), Some(0));
    assert!(behind(well) < Some(2), "{:?}", behind(well));
    stage.set.members()[late].let_go().await.unwrap();
    write_until(&service, || behind(late) == Some(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_just_added_does_not_count_before_it_has_caught_up() {
    let mut stage = Stage::new(3, 1).await;
    stage.converge().await;
    stage.desired.members = 3;
    let Next::Do(add) = stage.next().await else {
        panic!("{:?}", stage.next().await);
    };
    let newcomer = stage.set.members()[1].client().database("admin");
    let hang =
        |mode: &str| doc! {"configureFailPoint": "initialSyncHangBeforeFinish", "mode": mode};
    newcomer.run_command(hang("alwaysOn")).await.unwrap();
    stage.act(&add).await.unwrap();
    let seen = stage.look().await;
    let view = seen.members[0].answer.view().unwrap();
    assert_eq!((view.config.members.len(), view.voters), (2, 1));
    assert!(
        matches!(stage.next().await, Next::Wait(_)),
        "one change at a time"
    );
    newcomer.run_command(hang("off")).await.unwrap();
    stage.converge().await;
    let seen = stage.look().await;
    assert_eq!(seen.members[0].answer.view().unwrap().voters, 3);
}

#[tokio::test]
async fn roles_of_another_release_are_made_those_of_this_one_and_then_nothing_is_written() {
    let stage = Stage::new(1, 1).await;
    stage.converge().await;
    let client = stage.set.members()[0].client();
    let (own, admin) = (client.database("sessionstore"), client.database("admin"));
    // As a release has left it that allowed less, and made no mark.
    let resource = doc! {"db": "sessionstore", "collection": ""};
    let fewer = doc! {"resource": resource, "actions": ["find"]};
    let role = doc! {"updateRole": "sessionstore", "privileges": [fewer]};
    own.run_command(role).await.unwrap();
    let unmarked = doc! {"updateUser": "sessionstore-operator", "customData": {}};
    admin.run_command(unmarked).await.unwrap();

    assert_eq!(stage.converge().await, [Action::EnsureUsers { primary: 0 }]);
    let role = doc! {"rolesInfo": "sessionstore", "showPrivileges": true};
    let role = own.run_command(role).await.unwrap().to_string();
    assert!(role.contains("createIndex"), "{role}");
    let users = doc! {"find": "system.users", "sort": {"_id": 1}};
    let before = admin.run_command(users.clone()).await.unwrap();
    assert_eq!(stage.converge().await, []);
    let after = admin.run_command(users).await.unwrap();
    let found = |reply: &Document| reply.get_document("cursor").unwrap().clone();
    assert_eq!(found(&before), found(&after));
}

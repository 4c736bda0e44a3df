//! Sets grow, shrink, lose members and hand over while a client writes.

use std::sync::atomic::{AtomicUsize, Ordering};

use mongodb::Client;
use sessionstore_operator::mongo::Outcome;
use sessionstore_operator::mongo::plan::{Action, Answer, Change, Next, Version};

use crate::stage::{Stage, configured, lets_everybody_in, primary, write_until_told};

/// Runs `trouble` while a client writes that must not see an error; returns how much was written.
pub(crate) async fn under_load(client: &Client, trouble: impl AsyncFnOnce(&AtomicUsize)) -> usize {
    let (written, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let troubled = async {
        trouble(&written).await;
        is_over.store(1, Ordering::Relaxed);
    };
    tokio::join!(write_until_told(client, &written, &is_over), troubled);
    written.into_inner()
}

/// Waits until so many more documents are written.
pub(crate) async fn goes_on(written: &AtomicUsize, count: usize) {
    let wanted = written.load(Ordering::Relaxed) + count;
    while written.load(Ordering::Relaxed) < wanted {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_grows_and_shrinks_while_a_client_writes() {
    let mut stage = Stage::new(3, 1).await;
    stage.converge().await;
    let client = stage.service().await;
    let written = under_load(&client, async |written| {
        goes_on(written, 20).await;
        stage.desired.members = 3;
        let grown = stage.converge().await;
        assert_eq!(grown.len(), 2, "{grown:?}");
        assert_eq!(configured(&stage.look().await).len(), 3);
        goes_on(written, 20).await;
        stage.desired.members = 1;
        let shrunk = stage.converge().await;
        assert!(shrunk.len() >= 2, "{shrunk:?}");
        goes_on(written, 20).await;
    })
    .await;
    assert!(written >= 60);
    let seen = stage.look().await;
    assert_eq!(configured(&seen), stage.desired.hosts[..1]);
    assert_eq!(primary(&seen), Some(0));
    for removed in &seen.members[1..] {
        assert!(
            matches!(&removed.answer, Answer::Removed(Some(config)) if config.members.len() < 3)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_step_down_costs_the_client_no_error() {
    let stage = Stage::new(3, 3).await;
    stage.converge().await;
    let before = stage.primary().await;
    let client = stage.service().await;
    let written = under_load(&client, async |written| {
        goes_on(written, 50).await;
        let step_down = Action::StepDown { primary: before };
        assert_eq!(stage.act(&step_down).await, Ok(Outcome::Done));
        goes_on(written, 50).await;
        stage.converge().await;
    })
    .await;
    assert!(written >= 100);
    assert_ne!(stage.primary().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_operators_with_the_same_old_look_one_changes_the_configuration() {
    let mut stage = Stage::new(3, 1).await;
    stage.converge().await;
    stage.desired.members = 3;
    let Next::Do(action) = stage.next().await else {
        panic!("{:?}", stage.next().await);
    };
    let (one, other) = tokio::join!(stage.act(&action), stage.act(&action));
    let done = [&one, &other]
        .into_iter()
        .filter(|it| **it == Ok(Outcome::Done));
    assert_eq!(done.count(), 1, "{one:?} {other:?}");
    assert_eq!(configured(&stage.look().await).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_an_old_configuration_is_not_made() {
    let stage = Stage::new(1, 1).await;
    stage.converge().await;
    let old = Action::Reconfigure {
        primary: 0,
        base: Version {
            term: 0,
            version: 1,
        },
        change: Change::Remove {
            host: stage.desired.hosts[0].clone(),
        },
    };
    assert_eq!(stage.act(&old).await, Ok(Outcome::Outdated));
    assert_eq!(stage.next().await, Next::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_volume_comes_back_by_itself() {
    let stage = Stage::new(3, 3).await;
    stage.converge().await;
    let lost = (stage.primary().await + 1) % 3;
    stage.set.members()[lost].lose_data().await.unwrap();
    assert!(matches!(stage.next().await, Next::Wait(_)));
    stage.set.members()[lost].restart().await.unwrap();
    assert_eq!(stage.converge().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_first_member_is_not_initiated_while_the_others_are_down() {
    let mut stage = Stage::new(3, 3).await;
    stage.converge().await;
    stage
        .eventually("the users are everywhere", |seen| {
            seen.members.iter().all(|it| lets_everybody_in(&it.answer))
        })
        .await;
    for member in stage.set.members() {
        member.kill().await.unwrap();
    }
    let first = &stage.set.members()[0];
    first.restart().await.unwrap();
    first.lose_data().await.unwrap();
    first.restart().await.unwrap();
    stage
        .eventually("an empty member", |seen| {
            seen.members[0].answer == Answer::NotInitiated
        })
        .await;
    stage.desired.known_set = None;
    assert!(matches!(stage.next().await, Next::Wait(_)));
    for member in &stage.set.members()[1..] {
        member.restart().await.unwrap();
    }
    assert_eq!(stage.converge().await, []);
    assert_eq!(configured(&stage.look().await).len(), 3);
}

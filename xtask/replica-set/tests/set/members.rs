//! Members die, freeze, hand over and lag.

use mongodb::{
    Client,
    bson::{Document, doc},
};
use sessionstore_replica_set::{ReplicaSet, SetError};

use crate::{eventually, exclusive, hasty_client, store};

/// What a member itself has, asked without the set.
async fn count_at(set: &ReplicaSet, member: usize, database: &str) -> u64 {
    set.member(member)
        .client()
        .database(database)
        .collection::<Document>("documents")
        .count_documents(doc! {})
        .selection_criteria(mongodb::options::SelectionCriteria::ReadPreference(
            mongodb::options::ReadPreference::Nearest {
                options: Option::default(),
            },
        ))
        .await
        .unwrap()
}

async fn fresh(set: &ReplicaSet) -> (Client, String) {
    let client = hasty_client(&set.fresh_database().await.unwrap()).await;
    let database = client.default_database().unwrap().name().to_owned();
    (client, database)
}

#[tokio::test]
async fn a_killed_primary_is_replaced_and_comes_back_as_a_secondary() {
    let set = exclusive().await;
    let (client, database) = fresh(&set).await;
    store(&client).await.unwrap();
    let first = set.primary().await.unwrap();

    set.member(first).kill().await.unwrap();
    assert!(!set.member(first).is_running());
    let second = set.primary().await.unwrap();
    assert_ne!(first, second);

    set.member(first).restart().await.unwrap();
    set.wait_until_healthy().await.unwrap();
    assert!(set.secondaries().await.unwrap().contains(&first));
    assert_eq!(count_at(&set, first, &database).await, 1);
}

#[tokio::test]
async fn a_frozen_primary_is_replaced_and_thaws_as_a_secondary() {
    let set = exclusive().await;
    let first = set.primary().await.unwrap();
    set.member(first).freeze().await.unwrap();
    assert!(set.member(first).is_running());
    let second = set.primary().await.unwrap();
    assert_ne!(first, second);

    set.member(first).thaw().unwrap();
    set.wait_until_healthy().await.unwrap();
    assert_eq!(set.primary().await.unwrap(), second);
}

#[tokio::test]
async fn a_primary_that_steps_down_is_replaced_without_an_outage() {
    let set = exclusive().await;
    let (client, _) = fresh(&set).await;
    let first = set.primary().await.unwrap();
    set.step_down().await.unwrap();
    store(&client).await.unwrap();
    assert_ne!(set.primary().await.unwrap(), first);
}

#[tokio::test]
async fn a_primary_that_is_stopped_hands_over() {
    let set = exclusive().await;
    let first = set.primary().await.unwrap();
    set.member(first).stop().await.unwrap();
    assert_ne!(set.primary().await.unwrap(), first);
    set.member(first).restart().await.unwrap();
    set.wait_until_healthy().await.unwrap();
}

#[tokio::test]
async fn a_secondary_that_is_held_back_lags_until_it_is_let_go() {
    let set = exclusive().await;
    let (client, database) = fresh(&set).await;
    let primary = set.primary().await.unwrap();
    let held = set.secondaries().await.unwrap()[0];

    set.member(held).hold_back().await.unwrap();
    store(&client).await.unwrap();
    assert_eq!(count_at(&set, primary, &database).await, 1);
    assert_eq!(count_at(&set, held, &database).await, 0);

    set.member(held).let_go().await.unwrap();
    eventually("the secondary catches up", async || {
        count_at(&set, held, &database).await == 1
    })
    .await;
}

#[tokio::test]
async fn a_secondary_can_be_held_back_again() {
    let set = exclusive().await;
    let (client, database) = fresh(&set).await;
    let held = set.secondaries().await.unwrap()[0];
    set.member(held).hold_back().await.unwrap();
    set.member(held).let_go().await.unwrap();
    set.member(held).hold_back().await.unwrap();
    store(&client).await.unwrap();
    assert_eq!(count_at(&set, held, &database).await, 0);
    set.member(held).let_go().await.unwrap();
}

#[tokio::test]
async fn what_does_not_run_cannot_be_hurt() {
    let set = exclusive().await;
    let member = set.member(set.secondaries().await.unwrap()[0]);
    member.kill().await.unwrap();
    let refused = [member.kill().await, member.stop().await, member.thaw()];
    assert!(
        refused
            .iter()
            .all(|it| matches!(it, Err(SetError::NotRunning { .. })))
    );
    member.restart().await.unwrap();
    set.wait_until_healthy().await.unwrap();
}

//! What the service's user may do, and what not.

use futures::TryStreamExt;
use mongodb::{
    Client, Database, IndexModel,
    bson::{Document, doc},
    error::{Error, ErrorKind},
};

use crate::exclusive;

/// The code with which mongod refuses what a role does not permit.
const UNAUTHORIZED: i32 = 13;

async fn service() -> Database {
    let set = exclusive().await;
    let url = set.fresh_database().await.unwrap();
    let client = Client::with_uri_str(url).await.unwrap();
    client.default_database().unwrap()
}

fn assert_unauthorized<T: std::fmt::Debug>(answer: Result<T, Error>) {
    let kind = answer.unwrap_err().kind;
    assert!(
        matches!(&*kind, ErrorKind::Command(refusal) if refusal.code == UNAUTHORIZED),
        "{kind:?}"
    );
}

#[tokio::test]
async fn the_role_permits_what_the_service_does() {
    let database = service().await;
    database.create_collection("events").await.unwrap();
    let events = database.collection::<Document>("events");
    let index = IndexModel::builder().keys(doc! {"eventId": 1}).build();
    events.create_index(index).await.unwrap();
    assert_eq!(events.list_index_names().await.unwrap().len(), 2);
    assert_eq!(database.list_collection_names().await.unwrap(), ["events"]);

    let mut changes = database.watch().await.unwrap();
    events.insert_one(doc! {"_id": 1}).await.unwrap();
    let update = doc! {"$set": {"a": 1}};
    events.update_one(doc! {"_id": 1}, update).await.unwrap();
    let found: Vec<Document> = events
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(found, [doc! {"_id": 1, "a": 1}]);
    let change = changes.try_next().await.unwrap().unwrap();
    assert_eq!(change.document_key, Some(doc! {"_id": 1}));
}

#[tokio::test]
async fn the_role_removes_nothing() {
    let database = service().await;
    let events = database.collection::<Document>("events");
    events.insert_one(doc! {"_id": 1}).await.unwrap();
    assert_unauthorized(events.delete_one(doc! {}).await);
    assert_unauthorized(events.drop().await);
    assert_unauthorized(events.drop_index("_id_").await);
    assert_unauthorized(database.drop().await);
}

#[tokio::test]
async fn the_role_ends_at_its_database() {
    let database = service().await;
    let other = database.client().database("sessionstore");
    assert_unauthorized(
        other
            .collection::<Document>("events")
            .find_one(doc! {})
            .await,
    );
    let admin = database.client().database("admin");
    assert_unauthorized(admin.run_command(doc! {"replSetGetStatus": 1}).await);
}

#[tokio::test]
async fn a_database_that_is_given_twice_keeps_its_connection_string() {
    let set = exclusive().await;
    let first = set.database("twice").await.unwrap();
    assert_eq!(set.database("twice").await.unwrap(), first);
}

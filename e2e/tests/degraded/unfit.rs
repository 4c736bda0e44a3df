//! A database that is there and cannot be used: not ready, one line that says what to do, no
//! request served, and well again by itself once somebody did it.

use mongodb::{
    IndexModel,
    bson::{Document, doc},
    options::IndexOptions,
};
use sessionstore_e2e::{log::field, sample, server::Server, until};

use crate::{hasty, readiness, well};

/// The lines of the log that are errors.
fn errors(server: &Server) -> Vec<String> {
    let mut lines = server.log().lines();
    lines.retain(|line| field(line, "level").as_deref() == Some("ERROR"));
    lines
}

/// The last part of a connection string's path: the database.
fn database_of(url: &str) -> &str {
    let (path, _) = url.split_once('?').unwrap();
    path.rsplit('/').next().unwrap()
}

/// Asserts that nothing is served, for a reason that contains `reason`, and that the log has one
/// line about it.
async fn assert_refuses(server: &Server, reason: &str) {
    let api = server.api();
    until("reason", async || {
        let (status, text) = readiness(&api).await;
        assert_eq!(status, 503, "{text}");
        text.contains(reason)
    })
    .await;
    let (status, text) = readiness(&api).await;
    assert_eq!(status, 503, "{text}");
    api.admin("/livez").await.expect(200);
    // It takes these requests longer than the next look at the database.
    let reply = api.create(&sample::session("s")).await;
    reply.problem(503);
    assert!(reply.header("retry-after").is_some());
    api.sessions(&[]).await.problem(503);
    assert_eq!(readiness(&api).await, (503, text));
    let errors = errors(server);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains(reason), "{errors:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_in_one_line_that_does_not_show_it() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    let (_, rest) = url.split_once('@').unwrap();
    let url = format!("mongodb://sessionstore:hunter2wrong@{rest}");
    let server = Server::start_command(hasty(&url)).await;
    assert_refuses(&server, "--store-url").await;
    let (_, text) = readiness(&server.api()).await;
    for shown in [server.log().text(), text] {
        assert!(!shown.contains("hunter2wrong"), "{shown}");
    }
}

#[tokio::test]
async fn a_database_that_the_user_may_not_use_is_told_in_one_line() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    let database = database_of(&url);
    let url = url.replace(&format!("/{database}?"), "/somebody_elses?");
    let server = Server::start_command(hasty(&url)).await;
    assert_refuses(&server, "not authorized").await;
}

#[tokio::test]
async fn an_index_that_differs_is_named_and_made_anew_once_it_is_dropped() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    let events = set
        .admin()
        .database(database_of(&url))
        .collection::<Document>("events");
    let name = IndexOptions::builder().name("session_event".to_owned());
    let not_unique = IndexModel::builder()
        .keys(doc! {"_id.sessionId": 1, "eventId": 1})
        .options(name.build())
        .build();
    events.create_index(not_unique).await.unwrap();

    let server = Server::start_command(hasty(&url)).await;
    assert_refuses(&server, "dropIndex").await;
    let (_, text) = readiness(&server.api()).await;
    assert!(text.contains("index session_event"), "{text}");

    events.drop_index("session_event").await.unwrap();
    server.await_ready().await;
    server.api().new_session().await.fill(3).await;
}

#[tokio::test]
async fn an_index_that_cannot_be_made_is_named() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    let sessions = set
        .admin()
        .database(database_of(&url))
        .collection::<Document>("sessions");
    let twice = [doc! {"sessionId": "s"}, doc! {"sessionId": "s"}];
    sessions.insert_many(twice).await.unwrap();

    let server = Server::start_command(hasty(&url)).await;
    assert_refuses(&server, "index session of collection sessions").await;
}

//! What an operator sees of a service on a replica set, and what nobody sees.

use sessionstore_e2e::{
    metrics::{assert_all_have_help, sum},
    sample::{event, fresh},
    server::{Server, command, run},
    until,
};

use crate::{readiness, well};

const METRICS: &[&str] = &[
    "sessionstore_replica_reads_total",
    "sessionstore_mongodb_command_duration_seconds_bucket",
    "sessionstore_mongodb_connections",
    "sessionstore_mongodb_connections_in_use",
    "sessionstore_mongodb_topology_changes_total",
    "sessionstore_mongodb_members_unreachable",
    "sessionstore_mongodb_primary",
];

/// The password in a connection string.
fn password_of(url: &str) -> &str {
    let (user, _) = url.split_once('@').unwrap();
    user.rsplit(':').next().unwrap()
}

#[tokio::test]
async fn the_metrics_of_the_database_are_there_with_help_and_without_ids() {
    let set = well().await;
    let server = Server::start_on(&set.fresh_database().await.unwrap()).await;
    let api = server.api();
    let id = fresh("label").replace('-', "");
    let session = api.session(&id);
    session.create().await.expect(201);
    session.append(&event(&id)).await.expect(201);
    until("page from a secondary", async || {
        session.events(&[]).await.expect(200);
        let text = api.admin("/metrics").await.expect(200).text;
        let from_secondaries = ["sessionstore_replica_reads_total", "secondary", "verified"];
        sum(&text, &from_secondaries) >= 1.0
    })
    .await;
    session
        .events(&[("consistency", "eventual")])
        .await
        .expect(200);

    let metrics = api.admin("/metrics").await.expect(200).text;

    for name in METRICS {
        let is_sample = |line: &str| line.starts_with(name);
        assert!(metrics.lines().any(is_sample), "no {name}");
    }
    assert_all_have_help(&metrics);
    assert!(!metrics.contains(&id), "an identifier is in the metrics");
    assert!(sum(&metrics, &["sessionstore_mongodb_primary "]) > 0.0);
    assert!(sum(&metrics, &["sessionstore_mongodb_members_unreachable "]) < 1.0);
}

#[tokio::test]
async fn the_password_is_shown_nowhere() {
    let set = well().await;
    let url = set.fresh_database().await.unwrap();
    let mut command = command();
    command
        .args(["--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"])
        .args(["--log", "trace", "--log-format", "json"])
        .env("SESSIONSTORE_STORE_URL", &url);
    let server = Server::start_command(command).await;
    server.await_ready().await;
    let api = server.api();
    api.new_session().await.fill(3).await;
    let (_, readiness) = readiness(&api).await;
    let version = api.admin("/version").await.expect(200);
    assert_eq!(version.at("/store"), "mongodb");
    let metrics = api.admin("/metrics").await.expect(200).text;
    for shown in [server.log().text(), readiness, version.text, metrics] {
        assert!(!shown.contains(password_of(&url)), "{shown}");
    }
}

#[tokio::test]
async fn a_connection_string_that_is_wrong_stops_the_start_with_one_line_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    for (url, named) in [
        ("mongodb://user:hunter2@db:99999/x", "port"),
        ("mongodb://user:hunter2@/x", ""),
        ("mongodb://user:hun/ter2@db/x", ""),
        ("mongodb://user:hun@ter2@db/x", ""),
        ("mongodb://user:hunter2@db/x?tls=maybe", "tls"),
        (
            "mongodb://user:hunter2@db/x?w=majority&w=1&readPreference=any",
            "",
        ),
        ("mongodb://user:hunter2@db/x?authMechanism=GUESS", "GUESS"),
        ("mongodb://user:hunter2@db/x?maxPoolSize=few", "maxPoolSize"),
        ("mongodb+srv://user:hunter2@a,b/x", ""),
        ("mongo://user:hunter2@db/x", "mongodb://"),
        ("mongodb:/user:hunter2@db/x", ""),
    ] {
        for by_flag in [true, false] {
            let mut command = command();
            command.current_dir(folder.path()).args([
                "--http-addr",
                "127.0.0.1:0",
                "--admin-addr",
                "127.0.0.1:0",
            ]);
            if by_flag {
                command.args(["--store-url", url]);
            } else {
                command.env("SESSIONSTORE_STORE_URL", url);
            }
            let exit = run(command, "").await;
            assert!(exit.code.is_some_and(|code| code != 0), "{url}: {exit:?}");
            let shown = exit.stderr.trim();
            assert!(
                shown.to_lowercase().replace('_', "-").contains("store-url"),
                "{url}: {shown}"
            );
            assert!(shown.contains(named), "{url}: {shown}");
            for secret in ["hunter2", "hun/ter2", "hun@ter2", "ter2"] {
                assert!(!shown.contains(secret), "{url}: {shown}");
            }
            assert_eq!(shown.lines().count(), 1, "{url}: {shown}");
        }
    }
}

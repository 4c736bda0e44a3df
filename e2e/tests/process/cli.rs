//! `sessionstore import` and `export`: JSON Lines over HTTP, safe to interrupt and to repeat.

use std::{fmt::Write, process::Command};

use serde_json::{Value, json};
use sessionstore_e2e::{
    client::Api,
    sample::{event_at, time},
    server::{Exit, Server, command, run},
};

/// A command of the client side, for the server of this client.
fn client(api: &Api, args: &[&str]) -> Command {
    let mut command = command();
    command.args(args).args(["--url", api.target().url()]);
    // A server that a test has killed does not come back.
    command.env("SESSIONSTORE_RETRY_FOR", "1s");
    command
}

#[track_caller]
fn assert_ok(exit: &Exit) {
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

async fn import(api: &Api, lines: &str) -> Exit {
    run(client(api, &["import", "-"]), lines).await
}

async fn export(api: &Api) -> String {
    let exit = run(client(api, &["export"]), "").await;
    assert_ok(&exit);
    exit.stdout
}

/// `sessions` conversations of `events` events each, as JSON Lines.
fn conversations(sessions: usize, events: i64) -> String {
    let mut lines = String::new();
    for s in 0..sessions {
        let id = format!("conversation {s}");
        let session = json!({ "session": {
            "sessionId": id, "language": "en", "startedAt": time(0), "metadata": { "n": s, "x": 1.0 },
        } });
        writeln!(lines, "{session}").unwrap();
        for e in 0..events {
            let mut event = event_at(&format!("turn {e}"), &time(e / 2));
            event["sessionId"] = json!(id);
            writeln!(lines, "{}", json!({ "event": event })).unwrap();
        }
    }
    lines
}

#[tokio::test]
async fn what_was_imported_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();

    assert_ok(&import(&api, &conversations(3, 700)).await);

    let exported = export(&api).await;
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let sessions: Vec<_> = lines
        .iter()
        .filter_map(|line| line.get("session"))
        .collect();
    let events: Vec<_> = lines.iter().filter_map(|line| line.get("event")).collect();
    assert_eq!((sessions.len(), events.len()), (3, 2100));
    assert!(
        exported.contains(r#""x":1.0"#),
        "numbers stay what they were"
    );
    for session in sessions {
        assert_eq!(session["startedAt"], time(0));
    }
    let session = api.session("conversation 1");
    assert_eq!(session.log().await.len(), 700);
    assert_eq!(
        session.event("turn 699").await.at("/event/timestamp"),
        time(349)
    );
}

#[tokio::test]
async fn an_import_that_is_repeated_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let lines = conversations(5, 20);
    assert_ok(&import(&server.api(), &lines).await);
    let first = export(&server.api()).await;
    assert_ok(&import(&server.api(), &lines).await);
    assert_eq!(export(&server.api()).await, first);
}

#[tokio::test]
async fn an_import_comes_from_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data")).await;
    let file = folder.path().join("conversations.jsonl");
    std::fs::write(&file, conversations(2, 3)).unwrap();
    let exit = run(
        client(&server.api(), &["import", file.to_str().unwrap()]),
        "",
    )
    .await;
    assert_ok(&exit);
    assert_eq!(server.api().session("conversation 1").log().await.len(), 3);

    let missing = run(client(&server.api(), &["import", "no-such-file.jsonl"]), "").await;
    assert!(missing.code.is_some_and(|code| code != 0));
    assert!(
        missing.stderr.contains("no-such-file.jsonl"),
        "{}",
        missing.stderr
    );
}

#[tokio::test]
async fn an_import_that_was_interrupted_is_completed_by_repeating_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let lines = conversations(4, 300);
    let half: String = lines
        .lines()
        .take(700)
        .fold(String::new(), |mut half, line| {
            writeln!(half, "{line}").unwrap();
            half
        });
    assert_ok(&import(&server.api(), &half).await);
    assert_ok(&import(&server.api(), &lines).await);
    for n in 0..4 {
        let log = server
            .api()
            .session(format!("conversation {n}"))
            .log()
            .await;
        let turns: Vec<_> = log
            .iter()
            .map(|event| event["eventId"].as_str().unwrap())
            .collect();
        assert!(
            turns.into_iter().eq((0..300).map(|e| format!("turn {e}"))),
            "conversation {n}"
        );
    }
}

#[tokio::test]
async fn an_import_whose_server_dies_fails_and_is_completed_by_repeating_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    let lines = conversations(40, 400);
    let importing = import(&api, &lines);
    let killing = async {
        sessionstore_e2e::until("progress", async || !api.list(&[]).await.is_empty()).await;
        server.kill().await;
    };
    let (exit, ()) = tokio::join!(importing, killing);
    // The import may have been faster than the kill; otherwise it must not pass for complete.
    assert!(exit.code == Some(0) || !exit.stderr.is_empty());

    let server = Server::start(folder.path()).await;
    assert_ok(&import(&server.api(), &lines).await);
    for n in [0, 20, 39] {
        assert_eq!(
            server
                .api()
                .session(format!("conversation {n}"))
                .log()
                .await
                .len(),
            400
        );
    }
}

#[tokio::test]
async fn an_export_can_be_imported_elsewhere() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (
        Server::start(one.path()).await,
        Server::start(other.path()).await,
    );
    assert_ok(&import(&one.api(), &conversations(3, 5)).await);
    let closed = one.api().session("conversation 1");
    closed
        .complete_with(&json!({ "reason": "done" }))
        .await
        .expect(200);

    assert_ok(&import(&other.api(), &export(&one.api()).await).await);

    for n in 0..3 {
        let id = format!("conversation {n}");
        let (there, here) = (one.api().session(&id), other.api().session(&id));
        for (a, b) in there.log().await.iter().zip(here.log().await) {
            for field in ["seq", "eventId", "type", "payload", "timestamp"] {
                assert_eq!(a[field], b[field]);
            }
        }
        for field in ["language", "startedAt", "metadata", "status", "endReason"] {
            assert_eq!(
                there.current().await[field],
                here.current().await[field],
                "{field}"
            );
        }
    }
}

#[tokio::test]
async fn a_line_that_is_no_record_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let good = conversations(1, 1);
    for rubbish in [
        "nonsense",
        "{",
        "[]",
        "{}",
        r#"{"sessions":{}}"#,
        r#"{"session":{"sessionId":"x"}}"#,
        r#"{"event":{"eventId":"e","type":"system","payload":{}}}"#,
        r#"{"event":{"sessionId":"conversation 0","eventId":"e","type":"shout","payload":{}}}"#,
        r#"{"event":{"sessionId":"never created","eventId":"e","type":"system","payload":{}}}"#,
    ] {
        let exit = import(&server.api(), &format!("{good}{rubbish}\n")).await;
        assert!(
            exit.code.is_some_and(|code| code != 0),
            "{rubbish}: {exit:?}"
        );
        assert!(exit.stderr.contains("line 3"), "{rubbish}: {}", exit.stderr);
        assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let api = server.api();
    server.kill().await;
    for args in [&["export"][..], &["import", "-"]] {
        let exit = run(client(&api, args), &conversations(1, 1)).await;
        assert!(exit.code.is_some_and(|code| code != 0), "{exit:?}");
        assert!(
            !exit.stderr.is_empty() && !exit.stderr.contains("panicked"),
            "{}",
            exit.stderr
        );
    }
}

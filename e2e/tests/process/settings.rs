//! Settings: flags and environment; a bad value stops the start with a clear line.

use std::{net::TcpListener, path::Path, process::Command};

use sessionstore_e2e::server::{Exit, Server, command, run, serve_command};

/// Asserts that this start was refused with a line that contains `named`.
#[track_caller]
fn assert_refused(exit: &Exit, named: &str) {
    assert!(
        exit.code.is_some_and(|code| code != 0),
        "{named:?}: {exit:?}"
    );
    let lines: Vec<_> = exit
        .stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert!(
        lines.iter().any(|line| line.contains(named)),
        "{named:?}: {lines:?}"
    );
    assert!(lines.len() <= 3, "a clear line, not a page: {lines:?}");
    assert!(!exit.stderr.contains("panicked"), "{lines:?}");
}

fn with_args(args: &[&str], folder: &Path) -> Command {
    let mut command = command();
    command.current_dir(folder).args(args);
    command
}

#[tokio::test]
async fn a_bad_flag_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (args, named) in [
        (&["--http-addr", "nonsense"][..], "nonsense"),
        (&["--http-addr", "127.0.0.1:99999"], "127.0.0.1:99999"),
        (&["--admin-addr", "nowhere:x"], "nowhere:x"),
        (&["--store-url", "ftp://example"], "ftp://example"),
        (&["--store-url", "nonsense"], "nonsense"),
        (&["--log-format", "yaml"], "yaml"),
        (&["--log", "=,=loud"], "=,=loud"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["no-such-command"], "no-such-command"),
    ] {
        assert_refused(&run(with_args(args, folder.path()), "").await, named);
    }
}

#[tokio::test]
async fn a_bad_environment_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("SESSIONSTORE_HTTP_ADDR", "nonsense"),
        ("SESSIONSTORE_ADMIN_ADDR", "nonsense"),
        ("SESSIONSTORE_STORE_URL", "gopher://x"),
        ("SESSIONSTORE_LOG_FORMAT", "yaml"),
    ] {
        let mut command = with_args(&[], folder.path());
        command.env(name, value);
        assert_refused(&run(command, "").await, value);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--http-addr", "--admin-addr"] {
        let other = if flag == "--http-addr" {
            "--admin-addr"
        } else {
            "--http-addr"
        };
        let args = [flag, &*address, other, "127.0.0.1:0"];
        assert_refused(&run(with_args(&args, folder.path()), "").await, &address);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_one_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let exit = run(serve_command(&file), "").await;
    assert_refused(&exit, &file.display().to_string());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "no folder");
}

#[tokio::test]
async fn every_setting_may_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_args(&[], folder.path());
    command
        .env("SESSIONSTORE_HTTP_ADDR", "127.0.0.1:0")
        .env("SESSIONSTORE_ADMIN_ADDR", "127.0.0.1:0")
        .env("SESSIONSTORE_STORE_URL", "embedded:./here")
        .env("SESSIONSTORE_LOG", "info")
        .env("SESSIONSTORE_LOG_FORMAT", "json");
    let server = Server::start_command(command).await;
    server.api().new_session().await;
    assert!(folder.path().join("here").is_dir());
}

#[tokio::test]
async fn a_flag_beats_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = serve_command(&data);
    command
        .env("SESSIONSTORE_HTTP_ADDR", "nonsense")
        .env("SESSIONSTORE_STORE_URL", "gopher://x")
        .env("SESSIONSTORE_LOG_FORMAT", "text");
    let server = Server::start_command(command).await;
    server.api().new_session().await;
}

#[tokio::test]
async fn the_help_teaches_every_setting() {
    let folder = tempfile::tempdir().unwrap();
    let commands = run(with_args(&["--help"], folder.path()), "").await;
    assert_eq!(commands.code, Some(0));
    for name in ["serve", "openapi", "import", "export", "completions"] {
        assert!(
            commands.stdout.contains(name),
            "no {name} in {}",
            commands.stdout
        );
    }
    let serve = run(with_args(&["serve", "--help"], folder.path()), "").await;
    assert_eq!(serve.code, Some(0));
    for (flag, variable) in [
        ("--http-addr", "SESSIONSTORE_HTTP_ADDR"),
        ("--admin-addr", "SESSIONSTORE_ADMIN_ADDR"),
        ("--store-url", "SESSIONSTORE_STORE_URL"),
        ("--log", "SESSIONSTORE_LOG"),
        ("--log-format", "SESSIONSTORE_LOG_FORMAT"),
    ] {
        assert!(serve.stdout.contains(flag), "no {flag} in {}", serve.stdout);
        assert!(
            serve.stdout.contains(variable),
            "no {variable} in {}",
            serve.stdout
        );
    }
    let version = run(with_args(&["--version"], folder.path()), "").await;
    assert_eq!(version.code, Some(0));
    assert!(
        version.stdout.starts_with("sessionstore "),
        "{}",
        version.stdout
    );
}

#[tokio::test]
async fn the_openapi_document_of_the_command_is_the_served_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let document = server
        .api()
        .get("/openapi.json", &[])
        .await
        .expect(200)
        .json();
    let printed = run(with_args(&["openapi"], folder.path()), "").await;
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&printed.stdout).unwrap(),
        document
    );
}

#[tokio::test]
async fn completions_are_printed_for_the_usual_shells() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let exit = run(with_args(&["completions", shell], folder.path()), "").await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(exit.stdout.contains("sessionstore"), "{shell}");
    }
}

use super::*;

/// The long help, as a user without a terminal of another width sees it.
fn help(command_line: &[&str]) -> String {
    let command = command().term_width(100);
    let error = command.try_get_matches_from(command_line).unwrap_err();
    error.to_string()
}

#[test]
fn the_help_teaches_the_program() {
    insta::assert_snapshot!(help(&["sessionstore", "--help"]));
}

#[test]
fn the_help_teaches_the_clients() {
    insta::assert_snapshot!("import", help(&["sessionstore", "import", "--help"]));
    insta::assert_snapshot!("export", help(&["sessionstore", "export", "--help"]));
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Cli, String> {
    let environment = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some(OsString::from(value))
    };
    let arguments = std::iter::once(&"sessionstore").chain(arguments);
    let arguments = arguments.map(OsString::from).collect();
    Cli::read(arguments, &environment).map_err(|error| error.to_string())
}

#[test]
fn without_a_command_it_serves() {
    let cli = read(&["--lanes", "77"], &[]).unwrap();
    assert!(cli.command.is_none());
    assert_eq!(cli.settings.load.lanes, 77);
    let cli = read(
        &["serve", "--lanes", "77"],
        &[("SESSIONSTORE_QUEUE_ITEMS", "999")],
    )
    .unwrap();
    let Some(Command::Serve(settings)) = cli.command else {
        panic!("{cli:?}");
    };
    assert_eq!((settings.load.lanes, settings.load.queue_items), (77, 999));
}

#[test]
fn settings_of_the_server_do_not_concern_its_clients() {
    let variables = [
        ("SESSIONSTORE_HTTP_ADDR", "nonsense"),
        ("SESSIONSTORE_CONFIG", "/no/such/file"),
    ];
    assert!(read(&["export"], &variables).is_ok());
    let wrong = [("SESSIONSTORE_URL", "nonsense")];
    assert_eq!(
        read(&["export"], &wrong).unwrap_err(),
        "SESSIONSTORE_URL \"nonsense\": expected the URL of a server, such as \
         http://127.0.0.1:8080"
    );
}

#[test]
fn settings_that_contradict_each_other_stop_the_start() {
    let error = read(&["--limit-payload", "2MiB"], &[]).unwrap_err();
    assert!(error.contains("--limit-body"), "{error}");
}

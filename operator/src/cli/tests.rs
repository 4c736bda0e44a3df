use super::*;

/// The long help, as a user without a terminal of another width sees it.
fn help(command_line: &[&str]) -> String {
    let command = command().term_width(100);
    let error = command.try_get_matches_from(command_line).unwrap_err();
    error.to_string()
}

#[test]
fn the_help_teaches_the_program() {
    insta::assert_snapshot!("program", help(&["sessionstore-operator", "--help"]));
    insta::assert_snapshot!("run", help(&["sessionstore-operator", "run", "--help"]));
}

#[test]
fn the_help_teaches_the_init_container() {
    let help = help(&["sessionstore-operator", "install-key", "--help"]);
    insta::assert_snapshot!("install-key", help);
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

fn read(arguments: &[&str]) -> Result<Cli, String> {
    let arguments = std::iter::once(&"sessionstore-operator").chain(arguments);
    Cli::read(arguments.map(OsString::from)).map_err(|error| error.to_string())
}

const IMAGES: [&str; 2] = ["--api-image=api", "--operator-image=operator"];

fn settings(arguments: &[&str]) -> Settings {
    match read(arguments).unwrap().command {
        Command::Run(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_command_it_runs() {
    let defaults = settings(&IMAGES);
    assert_eq!(defaults.work.api_image, "api");
    assert_eq!(defaults.work.concurrency.get(), 4);
    let given = settings(&["run", IMAGES[0], IMAGES[1], "--concurrency=2"]);
    assert_eq!(given.work.concurrency.get(), 2);
}

#[test]
fn help_and_version_are_those_of_the_program() {
    for flag in ["-h", "--help", "-V", "--version"] {
        let told = read(&[flag]).unwrap_err();
        assert!(told.contains("sessionstore-operator"), "{told}");
        assert!(!told.contains("--api-image <IMAGE>"), "{told}");
    }
}

#[test]
fn a_run_says_which_images_it_needs() {
    for arguments in [&[][..], &["run"][..], &["--concurrency=2"][..]] {
        let error = read(arguments).unwrap_err();
        assert!(error.contains("--api-image"), "{error}");
        assert!(error.contains("--operator-image"), "{error}");
    }
}

#[test]
fn the_init_container_needs_no_images() {
    let cli = read(&["install-key", "--from=/a", "--to=/b"]).unwrap();
    assert!(matches!(cli.command, Command::InstallKey(_)));
}

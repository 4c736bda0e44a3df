use std::io::Write;

use clap::{Args, FromArgMatches};
use tempfile::NamedTempFile;

use crate::config::{ListenAddr, LogFormat, Settings, StoreUrl};

use super::*;

/// Reads settings from these arguments and variables.
fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Settings, SourceError> {
    let environment = |name: &str| {
        let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
        Some(OsString::from(value))
    };
    let settings = Settings::augment_args(Command::new("test"));
    let serve = Settings::augment_args(Command::new("serve"));
    let sources = Sources {
        arguments: std::iter::once(&"test")
            .chain(arguments)
            .map(OsString::from)
            .collect(),
        environment: &environment,
    };
    let given = sources.parse(&settings.subcommand(serve), "serve")?;
    let matches = given.matches.subcommand_matches("serve");
    let matches = matches.unwrap_or(&given.matches);
    let mut settings = Settings::from_arg_matches(matches).unwrap();
    settings.resolve_store_url(&given)?;
    Ok(settings)
}

/// The one line that says why these settings are not taken.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let line = read(arguments, variables).unwrap_err().to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn addr(text: &str) -> ListenAddr {
    ListenAddr::parse(text).unwrap()
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let file = file("http-addr = \"h:1\"\nlanes = 101\n");
    let config = ["--config", path(&file)];
    let http_addr = |arguments: &[&str], variables: &[(&str, &str)]| {
        let settings = read(arguments, variables).unwrap();
        settings.places.http_addr
    };
    let variable = [("SESSIONSTORE_HTTP_ADDR", "h:2")];
    let flag = [&config[..], &["--http-addr", "h:3"]].concat();
    assert_eq!(http_addr(&[], &[]), addr("127.0.0.1:8080"));
    assert_eq!(http_addr(&config, &[]), addr("h:1"));
    assert_eq!(http_addr(&config, &variable), addr("h:2"));
    assert_eq!(http_addr(&flag, &variable), addr("h:3"));
    let settings = read(&flag, &variable).unwrap();
    assert_eq!(
        settings.load.lanes, 101,
        "the others stay those of the file"
    );
}

#[test]
fn the_subcommand_reads_the_same_sources() {
    let file = file("log-format = \"json\"");
    let variables = [
        ("SESSIONSTORE_CONFIG", path(&file)),
        ("SESSIONSTORE_LANES", "99"),
    ];
    let settings = read(&["serve", "--queue-items", "77"], &variables).unwrap();
    assert_eq!(settings.logging.log_format, Some(LogFormat::Json));
    assert_eq!((settings.load.lanes, settings.load.queue_items), (99, 77));
}

#[test]
fn a_bad_value_is_told_with_its_source_and_its_rule() {
    let expected = "expected HOST:PORT, such as 127.0.0.1:8080 or [::]:8080";
    assert_eq!(
        refusal(&["--http-addr", "x"], &[]),
        format!("--http-addr \"x\": {expected}")
    );
    assert_eq!(
        refusal(&[], &[("SESSIONSTORE_HTTP_ADDR", "x")]),
        format!("SESSIONSTORE_HTTP_ADDR \"x\": {expected}")
    );
    let file = file("http-addr = \"x\"");
    assert_eq!(
        refusal(&["--config", path(&file)], &[]),
        format!("{}: http-addr \"x\": {expected}", path(&file))
    );
    assert_eq!(
        refusal(&[], &[("SESSIONSTORE_LOG_FORMAT", "yaml")]),
        "SESSIONSTORE_LOG_FORMAT \"yaml\": expected one of text, json"
    );
}

#[test]
fn a_bad_value_that_is_overridden_does_not_matter() {
    let variables = [("SESSIONSTORE_HTTP_ADDR", "nonsense")];
    let settings = read(&["--http-addr", "h:1"], &variables).unwrap();
    assert_eq!(settings.places.http_addr, addr("h:1"));
}

#[test]
fn a_key_that_is_no_setting_is_told_with_the_likeliest_one() {
    for (key, similar) in [
        ("http_addr", "; did you mean `http-addr`?"),
        ("limits-payload", "; did you mean `limit-payload`?"),
        ("colour", ""),
        ("config", ""),
    ] {
        let file = file(&format!("{key} = 1"));
        assert_eq!(
            refusal(&["--config", path(&file)], &[]),
            format!("{}: `{key}` is no setting{similar}", path(&file))
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_as_settings_is_told() {
    let broken = file("lanes = 5\nlog = \n");
    let line = refusal(&["--config", path(&broken)], &[]);
    assert!(
        line.starts_with(&format!("{}:2: ", path(&broken))),
        "{line}"
    );
    let list = file("log = [1]");
    let line = refusal(&["--config", path(&list)], &[]);
    assert!(line.ends_with("log must be a string or a whole number, not of type array"));
    let line = refusal(&[], &[("SESSIONSTORE_CONFIG", "/no/such/file")]);
    assert!(
        line.starts_with("SESSIONSTORE_CONFIG: cannot read /no/such/file: "),
        "{line}"
    );
}

#[test]
fn a_password_is_not_shown() {
    let url = "mongodb://user:secret@db.example.org:99999/store";
    for line in [
        refusal(&["--store-url", url], &[]),
        refusal(&[], &[("SESSIONSTORE_STORE_URL", url)]),
    ] {
        assert!(
            line.contains("mongodb://***@db.example.org:99999/store"),
            "{line}"
        );
    }
}

#[test]
fn a_password_is_not_shown_of_a_url_that_is_mistyped_either() {
    for (url, shown) in [
        ("mongodb:/user:secret@db/x", "\"mongodb:/***@db/x\""),
        ("mongo://user:sec@ret@db/x", "\"mongo://***@db/x\""),
        ("user:secret@db/x", "\"user:***@db/x\""),
        ("secret@db/x", "\"***@db/x\""),
    ] {
        let line = refusal(&["--store-url", url], &[]);
        assert!(line.contains(shown), "{line}");
    }
}

#[test]
fn the_url_of_the_store_may_come_from_a_file() {
    let secret = file("embedded:/somewhere\n");
    let variable = ("SESSIONSTORE_STORE_URL_FILE", path(&secret));
    let settings = read(&[], &[variable]).unwrap();
    let somewhere = StoreUrl::Embedded("/somewhere".into());
    assert_eq!(settings.places.store_url, somewhere);

    let flag = read(&["--store-url", "embedded:here"], &[variable]).unwrap();
    let here = StoreUrl::Embedded("here".into());
    assert_eq!(flag.places.store_url, here, "a flag beats a variable");
    assert_eq!(
        refusal(&[], &[variable, ("SESSIONSTORE_STORE_URL", "embedded:x")]),
        "SESSIONSTORE_STORE_URL and SESSIONSTORE_STORE_URL_FILE exclude each other: give one of \
         them"
    );
    let wrong = file("mongodb://user:secret@db:99999");
    let line = refusal(&["--store-url-file", path(&wrong)], &[]);
    assert!(
        line.contains(path(&wrong)) && !line.contains("secret"),
        "{line}"
    );
}

#[test]
fn what_is_not_understood_is_one_line_with_a_hint() {
    assert_eq!(
        refusal(&["--lane", "3"], &[]),
        "unexpected argument '--lane' found; a similar argument exists: '--lanes'; see --help"
    );
}

#[test]
fn help_is_given_whatever_else_is_wrong() {
    let variables = [("SESSIONSTORE_CONFIG", "/no/such/file")];
    let error = read(&["--help"], &variables).unwrap_err();
    let SourceError::CommandLine(help) = error else {
        panic!("{error:?}");
    };
    assert_eq!(help.kind(), ErrorKind::DisplayHelp);
    assert!(help.to_string().contains("SESSIONSTORE_HTTP_ADDR"));
}

//! Importing the dialogues twice into a fresh server, exporting them, comparing letter by letter.

use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};
use sessionstore_launch::Server;

use super::{
    Backend,
    lines::{EventLine, Line, SessionLine},
    write_lines,
};
use crate::{deployment::Deployment, process};

/// The sessions of a source or an export by their id, each with its events in order.
type Sessions = BTreeMap<String, (SessionLine, Vec<EventLine>)>;

/// What only a server can know, and each makes anew.
const TIMES_OF_THE_SERVER: [&str; 4] = ["createdAt", "updatedAt", "endedAt", "recordedAt"];

/// Proves that `server` stores these lines once however often they are imported, and gives them
/// back as they were, whatever it stores them on.
pub(super) fn verify(server: &Path, source: &[Line], backend: Backend) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("dialogues.jsonl");
    write_lines(source, File::create(&input)?)?;
    let embedded = Server::start(server, folder.path())?;
    let client = |importing: &Server, exporting: &Server| Client {
        binary: server,
        import_url: importing.url(),
        export_url: exporting.url(),
    };
    let on_embedded = client(&embedded, &embedded);
    match backend {
        Backend::Embedded => verify_rounds(&on_embedded, &input, source)
            .inspect_err(|_| eprintln!("the server's log ends with:\n{}", embedded.log_end()))
            .map(drop),
        Backend::Mongodb => {
            let deployment = Deployment::start(server, 2)?;
            let [importing, exporting] = deployment.servers() else {
                bail!("two processes were to start");
            };
            let exported = verify_rounds(&client(importing, exporting), &input, source)
                .inspect_err(|_| eprintln!("the logs end with:\n{}", deployment.log_ends()))?;
            on_embedded.import(&input)?;
            compare_stores(&on_embedded.export()?, &exported)
        }
    }
}

/// Imports twice, compares both exports with the source and returns them.
fn verify_rounds(client: &Client<'_>, input: &Path, source: &[Line]) -> anyhow::Result<Vec<u8>> {
    let round = || -> anyhow::Result<(Duration, Vec<u8>)> {
        let start = Instant::now();
        client.import(input)?;
        let took = start.elapsed();
        Ok((took, client.export()?))
    };
    let (first_took, first) = round()?;
    let (second_took, second) = round()?;

    ensure!(first == second, "importing again changed the export");
    let exported = parse(&first)?;
    let expected = sessions_of(source)?;
    compare(&expected, &exported)?;
    report(&expected, first_took, second_took);
    Ok(first)
}

/// Fails on the first line in which the exports of two stores differ in more than the server's
/// own times.
fn compare_stores(embedded: &[u8], mongodb: &[u8]) -> anyhow::Result<()> {
    let (embedded, mongodb) = (without_times(embedded)?, without_times(mongodb)?);
    for (number, (embedded, mongodb)) in (1..).zip(embedded.iter().zip(&mongodb)) {
        ensure!(
            embedded == mongodb,
            "line {number} is {embedded} in the export of the embedded store and {mongodb} in \
             that of MongoDB"
        );
    }
    ensure!(
        embedded.len() == mongodb.len(),
        "the export of the embedded store has {} lines, that of MongoDB {}",
        embedded.len(),
        mongodb.len()
    );
    println!(
        "{} lines, identical to the export of the embedded store but for the server's times",
        mongodb.len()
    );
    Ok(())
}

/// The lines of an export, with all their fields in order, but for the times that a server makes.
fn without_times(export: &[u8]) -> anyhow::Result<Vec<String>> {
    str::from_utf8(export)?
        .lines()
        .map(|line| {
            let mut line: Map<String, Value> = serde_json::from_str(line)?;
            for record in line.values_mut().filter_map(Value::as_object_mut) {
                for field in TIMES_OF_THE_SERVER {
                    // Whether there is a time must not differ, only which.
                    if let Some(time) = record.get_mut(field)
                        && time.is_string()
                    {
                        *time = Value::from("a time");
                    }
                }
            }
            Ok(Value::from(line).to_string())
        })
        .collect()
}

/// The command line of the service, as a user calls it.
struct Client<'a> {
    binary: &'a Path,
    import_url: String,
    /// Another process on the same store, where there are several.
    export_url: String,
}

impl Client<'_> {
    fn import(&self, input: &Path) -> anyhow::Result<()> {
        let mut command = sessionstore_launch::command(self.binary);
        process::run(
            command
                .args(["import", "--url", &self.import_url])
                .arg(input),
        )
    }

    fn export(&self) -> anyhow::Result<Vec<u8>> {
        let mut command = sessionstore_launch::command(self.binary);
        process::output_of(command.args(["export", "--url", &self.export_url]))
    }
}

fn parse(export: &[u8]) -> anyhow::Result<Sessions> {
    let lines = str::from_utf8(export)?
        .lines()
        .map(Line::parse)
        .collect::<anyhow::Result<Vec<Line>>>()?;
    sessions_of(&lines)
}

fn sessions_of(lines: &[Line]) -> anyhow::Result<Sessions> {
    let mut sessions = Sessions::new();
    for line in lines {
        match line {
            Line::Session(session) => {
                let id = session.session_id.clone();
                let earlier = sessions.insert(id, (session.clone(), Vec::new()));
                ensure!(earlier.is_none(), "{} is there twice", session.session_id);
            }
            Line::Event(event) => sessions
                .get_mut(&event.session_id)
                .with_context(|| format!("{} has events before itself", event.session_id))?
                .1
                .push(event.clone()),
        }
    }
    Ok(sessions)
}

/// Fails on the first session that is missing, foreign, or not what it was.
fn compare(expected: &Sessions, exported: &Sessions) -> anyhow::Result<()> {
    for (id, source) in expected {
        let Some(found) = exported.get(id) else {
            bail!("{id} is missing in the export");
        };
        if found != source {
            bail!("{id} was imported as {source:?} and exported as {found:?}");
        }
    }
    if let Some(id) = exported.keys().find(|id| !expected.contains_key(*id)) {
        bail!("{id} is in the export and was never imported");
    }
    Ok(())
}

fn report(sessions: &Sessions, first: Duration, second: Duration) {
    let events: usize = sessions.values().map(|(_, events)| events.len()).sum();
    let mut languages: Vec<&str> = sessions
        .values()
        .map(|(session, _)| session.language.as_str())
        .collect();
    languages.sort_unstable();
    languages.dedup();
    println!(
        "{} languages, {} sessions, {events} events; both exports identical to the source",
        languages.len(),
        sessions.len(),
    );
    for (name, took) in [("first", first), ("second", second)] {
        let seconds = took.as_secs_f64();
        // An f64 is exact far beyond any number of events.
        #[allow(clippy::cast_precision_loss)]
        let rate = events as f64 / seconds;
        println!("{name} import: {seconds:.2} s, {rate:.0} events/s");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogues::lines::{Metadata, Payload};

    fn session(id: &str) -> Line {
        Line::Session(SessionLine {
            session_id: id.to_owned(),
            language: "en".to_owned(),
            started_at: "2020-01-01T00:00:00.000Z".to_owned(),
            metadata: Metadata {
                categories: Vec::new(),
                source: "test".to_owned(),
            },
            status: "completed".to_owned(),
        })
    }

    fn event(session: &str, id: &str, text: &str) -> Line {
        Line::Event(EventLine {
            session_id: session.to_owned(),
            event_id: id.to_owned(),
            kind: "user_speech".to_owned(),
            payload: Payload {
                text: text.to_owned(),
            },
            timestamp: "2020-01-01T00:00:01.000Z".to_owned(),
        })
    }

    fn source() -> Vec<Line> {
        vec![
            session("a"),
            event("a", "turn-1", "Hello"),
            event("a", "turn-2", "Hi"),
            session("b"),
        ]
    }

    fn verdict(exported: &[Line]) -> anyhow::Result<()> {
        compare(&sessions_of(&source())?, &sessions_of(exported)?)
    }

    #[test]
    fn the_order_of_sessions_is_the_exports_own() {
        let mut exported = source();
        exported.rotate_right(1);
        assert!(verdict(&exported).is_ok());
    }

    #[test]
    fn a_missing_doubled_changed_or_moved_event_is_found() {
        let mut missing = source();
        missing.remove(2);
        assert!(verdict(&missing).is_err());

        let mut doubled = source();
        doubled.insert(2, event("a", "turn-1", "Hello"));
        assert!(verdict(&doubled).is_err());

        let mut changed = source();
        changed[1] = event("a", "turn-1", "hello");
        assert!(verdict(&changed).is_err());

        let mut moved = source();
        moved.swap(1, 2);
        assert!(verdict(&moved).is_err());
    }

    #[test]
    fn a_missing_doubled_or_foreign_session_is_found() {
        assert!(verdict(&source()[..3]).is_err());

        let mut doubled = source();
        doubled.push(session("b"));
        assert!(verdict(&doubled).is_err());

        let mut foreign = source();
        foreign.push(session("c"));
        assert!(verdict(&foreign).is_err());
    }

    #[test]
    fn an_export_is_read_line_by_line() {
        let mut bytes = Vec::new();
        write_lines(&source(), &mut bytes).unwrap();
        assert_eq!(parse(&bytes).unwrap(), sessions_of(&source()).unwrap());
        assert!(parse(b"{\"other\":1}\n").is_err());
    }

    #[test]
    fn exports_of_two_stores_differ_in_the_times_of_the_server_only() {
        let line = |time: &str, text: &str| {
            let event = format!(r#"{{"seq":1,"text":"{text}","recordedAt":{time}}}"#);
            format!("{{\"event\":{event}}}\n").into_bytes()
        };
        let embedded = line("\"2026-01-01T00:00:00.000Z\"", "Hello");
        let same = |other: &[u8]| compare_stores(&embedded, other).is_ok();
        assert!(same(&line("\"2026-01-01T00:00:00.001Z\"", "Hello")));
        assert!(!same(&line("\"2026-01-01T00:00:00.000Z\"", "hello")));
        assert!(!same(&line("null", "Hello")));
        assert!(!same(b""));
    }
}

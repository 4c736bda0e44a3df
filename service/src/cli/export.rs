//! `sessionstore export`: what a server has, as JSON Lines.
//!
//! What comes from the server goes into the file letter by letter; nothing is read into numbers or
//! trees. A session is exported as it was at one moment: with as many events as it says it has.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use bytes::Bytes;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use thiserror::Error;

use crate::cli::answer::{member, text};
use crate::cli::client::{CallError, Client, ServerArgs};
use crate::cli::interruption;
use crate::cli::output::{Output, OutputError};
use crate::cli::progress::Progress;
use crate::config::count;
use crate::json::{self, Value};

/// Write sessions and events as JSON Lines
///
/// Every session is one line {"session": {…}}, followed by a line {"event": {…}} for each of its
/// events, in the order of its log; the session that started last comes first. `import` reads
/// it. A file appears once it is complete, and replaces an earlier one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sessionstore export conversations.jsonl
  sessionstore export --status completed --started-after 2026-11-01T00:00:00Z | gzip > nov.jsonl.gz")]
pub(super) struct ExportArgs {
    /// The file to write; - is standard output
    #[arg(value_name = "FILE|-", default_value = "-")]
    file: PathBuf,
    /// Only sessions in this state
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Only sessions in this language, whatever its case
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Only sessions that started at this time or later
    #[arg(long, value_name = "TIME")]
    started_after: Option<String>,
    /// Only sessions that started before this time
    #[arg(long, value_name = "TIME")]
    started_before: Option<String>,
    /// Sessions or events in one answer; at most the server's --limit-page
    #[arg(long, value_name = "COUNT", default_value = "500", value_parser = count(1, 10_000))]
    page_size: usize,
    #[command(flatten)]
    server: ServerArgs,
}

/// The states of a session, as the API names them.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum Status {
    Initiated,
    Active,
    Completed,
    Failed,
}

/// Why an export is not complete.
#[derive(Debug, Error)]
pub(super) enum ExportError {
    /// The server did not answer, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The answer is none of this API.
    #[error("the answer of the server is not understood: is it SessionStore, of this version?")]
    Foreign,
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The user wants it to end.
    #[error("interrupted; a file that was to be written is as it was before")]
    Interrupted,
}

pub(super) async fn run(args: ExportArgs) -> Result<(), ExportError> {
    let client = Client::new(&args.server)?;
    let started = Instant::now();
    let progress = Progress::start(None);
    let mut output = Output::create(&args.file)?;
    let result = tokio::select! {
        result = export(&client, &args, &mut output, &progress) => result,
        () = interruption() => Err(ExportError::Interrupted),
    };
    progress.end();
    let counts = result?;
    output.complete()?;
    eprintln!("{counts} in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    sessions: u64,
    events: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions, {} events", self.sessions, self.events)
    }
}

/// How many sessions are read ahead of the one that is written. Each holds a page.
const AHEAD: usize = 8;

async fn export(
    client: &Client,
    args: &ExportArgs,
    output: &mut Output,
    progress: &Progress,
) -> Result<Counts, ExportError> {
    let source = Source {
        client,
        page_size: args.page_size.to_string(),
    };
    let mut counts = Counts::default();
    let mut cursor = None;
    loop {
        let (ids, next) = source.list(args, cursor.as_deref()).await?;
        let mut pages = stream::iter(ids)
            .map(async |id| Ok::<_, ExportError>((source.page(&id, None).await?, id)))
            .buffered(AHEAD);
        while let Some((page, id)) = pages.try_next().await? {
            // Erased since it was listed.
            let Some(page) = page else { continue };
            counts.sessions += 1;
            counts.events += source.write(&id, page, output).await?;
            progress.say(counts);
        }
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(counts),
        }
    }
}

/// Where sessions come from.
struct Source<'a> {
    client: &'a Client,
    page_size: String,
}

impl Source<'_> {
    /// The ids on a page of the list of sessions, and the cursor of the next page.
    async fn list(
        &self,
        args: &ExportArgs,
        cursor: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>), ExportError> {
        let status = args.status.and_then(|status| status.to_possible_value());
        let filters = [
            ("status", status.as_ref().map(PossibleValue::get_name)),
            ("language", args.language.as_deref()),
            ("startedAfter", args.started_after.as_deref()),
            ("startedBefore", args.started_before.as_deref()),
            ("limit", Some(&*self.page_size)),
            ("cursor", cursor),
        ];
        let query: Vec<_> = filters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let url = self.client.url(&["v1", "sessions"], &query);
        let answer = self.client.get(url).await?;
        let page = Page::of(&answer)?;
        let ids = page
            .array("sessions")?
            .map(|session| text(session, "sessionId"))
            .collect::<Option<_>>();
        Ok((ids.ok_or(ExportError::Foreign)?, page.next_cursor()))
    }

    /// A session with a page of its events; `None` if it is no more.
    async fn page(&self, id: &str, cursor: Option<&str>) -> Result<Option<Bytes>, ExportError> {
        let mut query = vec![("order", "seq"), ("limit", &*self.page_size)];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let url = self.client.url(&["v1", "sessions", id], &query);
        match self.client.get(url).await {
            Ok(page) => Ok(Some(page)),
            Err(CallError::Refused(refusal))
                if matches!(refusal.status, StatusCode::GONE | StatusCode::NOT_FOUND) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a session and its events, as many as the first page says there are: what is
    /// appended meanwhile is not of that moment any more.
    async fn write(&self, id: &str, first: Bytes, output: &mut Output) -> Result<u64, ExportError> {
        let count = write_session(&first, output)?;
        let mut answer = first;
        let mut written = 0;
        loop {
            let page = Page::of(&answer)?;
            for event in page.array("events")? {
                if written < count {
                    output.line("event", event)?;
                    written += 1;
                }
            }
            let next = page.next_cursor().filter(|_| written < count);
            let Some(cursor) = next else {
                return Ok(written);
            };
            match self.page(id, Some(&cursor)).await? {
                Some(page) => answer = page,
                // Erased since: what is written of it stays an incomplete session.
                None => return Ok(written),
            }
        }
    }
}

/// Writes the session of a page, and returns how many events it has.
fn write_session(answer: &[u8], output: &mut Output) -> Result<u64, ExportError> {
    let session = Page::of(answer)?.member("session")?;
    output.line("session", session)?;
    member(session, "eventCount")
        .and_then(Value::integer)
        .and_then(|count| u64::try_from(count).ok())
        .ok_or(ExportError::Foreign)
}

/// An answer with a page of something.
struct Page<'a>(Value<'a>);

impl<'a> Page<'a> {
    fn of(answer: &'a [u8]) -> Result<Self, ExportError> {
        json::check(answer)
            .map(Self)
            .map_err(|_| ExportError::Foreign)
    }

    fn member(&self, name: &str) -> Result<Value<'a>, ExportError> {
        member(self.0, name).ok_or(ExportError::Foreign)
    }

    fn array(&self, name: &str) -> Result<impl Iterator<Item = Value<'a>>, ExportError> {
        Ok(self.member(name)?.elements())
    }

    fn next_cursor(&self) -> Option<String> {
        text(member(self.0, "pagination")?, "nextCursor")
    }
}

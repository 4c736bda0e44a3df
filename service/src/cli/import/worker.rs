//! Carries out work at a server, piece by piece, and counts what came of it.

use std::collections::HashSet;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use thiserror::Error;

use crate::cli::answer::{detail_of, member};
use crate::cli::client::{CallError, Client, Refusal};
use crate::cli::import::line::{self, Closing, EventLine, SessionLine};
use crate::cli::import::work::{Numbered, Work};
use crate::domain::ClosingStatus;
use crate::json;

/// What came of some work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sessions_created: u64,
    pub(super) sessions_existing: u64,
    pub(super) events_stored: u64,
    pub(super) events_replayed: u64,
    /// Events that were not sent, because something before them in their session failed.
    pub(super) events_left_out: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.sessions_created += more.sessions_created;
        self.sessions_existing += more.sessions_existing;
        self.events_stored += more.events_stored;
        self.events_replayed += more.events_replayed;
        self.events_left_out += more.events_left_out;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions created, {} existing; {} events stored, {} replayed",
            self.sessions_created, self.sessions_existing, self.events_stored, self.events_replayed
        )?;
        if self.events_left_out > 0 {
            write!(f, "; {} events left out", self.events_left_out)?;
        }
        Ok(())
    }
}

/// Why a line was not imported.
#[derive(Debug, Error)]
#[error("line {line}: session {session_id:?}: {reason}")]
pub(super) struct Failure {
    pub(super) line: u64,
    pub(super) session_id: String,
    pub(super) reason: Reason,
}

/// Why.
#[derive(Debug, Error)]
pub(super) enum Reason {
    /// The server did not do it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server has another session of this id, and keeps it.
    #[error("the server has this session with another `{0}`, and keeps what it has")]
    Differs(&'static str),
    /// The answer is none of this API.
    #[error("the answer of the server is not understood: is it SessionStore, of this version?")]
    Foreign,
}

/// One of several that work at the same time, each on sessions of its own.
pub(super) struct Worker {
    client: Client,
    /// Sessions of which something could not be imported. What comes after it is left out, so
    /// that their logs are in order once the line is mended and the import repeated.
    spoilt: HashSet<String>,
}

impl Worker {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            spoilt: HashSet::new(),
        }
    }

    /// Does one piece of work, as far as it can be done.
    pub(super) async fn carry_out(&mut self, work: Work, counts: &mut Counts) -> Vec<Failure> {
        let mut failures = Vec::new();
        let Work {
            session_id,
            create,
            events,
            close,
        } = work;
        let failure = |line: u64, reason: Reason| Failure {
            line,
            session_id: session_id.clone(),
            reason,
        };
        if self.spoilt.contains(&session_id) {
            counts.events_left_out += events.len() as u64;
            return failures;
        }
        if let Some(Numbered { line, value }) = create
            && let Err(reason) = self.create(value, counts).await
        {
            failures.push(failure(line, reason));
            counts.events_left_out += events.len() as u64;
        } else if let Err(refused) = self.append(&session_id, &events, counts).await {
            let failed = refused
                .into_iter()
                .map(|(line, reason)| failure(line, reason));
            failures.extend(failed);
        }
        if failures.is_empty()
            && let Some(Numbered { line, value }) = close
            && let Err(reason) = self.close(&session_id, value).await
        {
            failures.push(failure(line, reason));
        }
        if !failures.is_empty() {
            self.spoilt.insert(session_id.clone());
        }
        failures
    }

    async fn create(&self, session: SessionLine, counts: &mut Counts) -> Result<(), Reason> {
        let url = self.client.url(&["v1", "sessions"], &[]);
        let (status, answer) = self.client.post(url, session.body.clone()).await?;
        if status == StatusCode::CREATED {
            counts.sessions_created += 1;
            return Ok(());
        }
        let answer = json::check(&answer).map_err(|_| Reason::Foreign)?;
        let stored = member(answer, "session").ok_or(Reason::Foreign)?;
        if let Some(field) = line::difference(&session.body, stored) {
            return Err(Reason::Differs(field));
        }
        counts.sessions_existing += 1;
        Ok(())
    }

    /// Appends in order. What the server could not do at the moment is sent again, with all that
    /// comes after it: what of it was stored is recognised.
    async fn append(
        &self,
        session_id: &str,
        events: &[Numbered<EventLine>],
        counts: &mut Counts,
    ) -> Result<(), Vec<(u64, Reason)>> {
        let mut refused = Vec::new();
        let mut rest = events;
        let mut repeats = 0;
        while let Some(first) = rest.first() {
            let outcomes = match self.append_batch(session_id, rest).await {
                Ok(outcomes) => outcomes,
                Err(reason) => {
                    refused.push((first.line, reason));
                    break;
                }
            };
            let busy = outcomes.iter().position(|outcome| {
                matches!(outcome, Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE)
            });
            let repeat = busy.filter(|_| repeats < MOST_REPEATS);
            let settled = repeat.unwrap_or(rest.len());
            for (event, outcome) in rest.iter().zip(outcomes).take(settled) {
                match outcome {
                    Ok(StatusCode::CREATED) => counts.events_stored += 1,
                    Ok(_) => counts.events_replayed += 1,
                    Err(refusal) => {
                        refused.push((event.line, CallError::Refused(refusal).into()));
                    }
                }
            }
            rest = &rest[settled..];
            if repeat.is_some() {
                repeats += 1;
                tokio::time::sleep(REPEAT_PAUSE).await;
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// Sends events in one request; one outcome each.
    async fn append_batch(
        &self,
        session_id: &str,
        events: &[Numbered<EventLine>],
    ) -> Result<Vec<Result<StatusCode, Refusal>>, Reason> {
        let url = self
            .client
            .url(&["v1", "sessions", session_id, "events:batch"], &[]);
        let (_, answer) = self.client.post(url, batch_body(events)).await?;
        let outcomes = outcomes_of(&answer).ok_or(Reason::Foreign)?;
        if outcomes.len() == events.len() {
            Ok(outcomes)
        } else {
            Err(Reason::Foreign)
        }
    }

    async fn close(&self, session_id: &str, closing: Closing) -> Result<(), Reason> {
        let verb = match closing.status {
            ClosingStatus::Completed => "complete",
            ClosingStatus::Failed => "fail",
        };
        let url = self.client.url(&["v1", "sessions", session_id, verb], &[]);
        self.client.post(url, closing.body).await?;
        Ok(())
    }
}

/// How often, and after how long, items that were answered 503 are sent again.
const MOST_REPEATS: usize = 30;
const REPEAT_PAUSE: Duration = Duration::from_secs(1);

fn batch_body(events: &[Numbered<EventLine>]) -> Bytes {
    let items: Vec<&str> = events.iter().map(|event| &*event.value.item).collect();
    format!("{{\"events\":[{}]}}", items.join(",")).into()
}

/// The outcome of each item, from the answer to a batch.
fn outcomes_of(answer: &[u8]) -> Option<Vec<Result<StatusCode, Refusal>>> {
    let answer = json::check(answer).ok()?;
    member(answer, "results")?
        .elements()
        .map(|result| {
            let status = member(result, "status")?.integer()?;
            let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
            if status.is_success() {
                return Some(Ok(status));
            }
            let problem = member(result, "problem")?;
            let detail = detail_of(problem.text().as_bytes());
            Some(Err(Refusal { status, detail }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_of_a_batch_has_its_own_outcome() {
        let answer = br#"{"results":[{"status":201,"event":{}},{"status":200,"event":{}},
            {"status":409,"problem":{"detail":"the session is closed"}}]}"#;
        let closed = Refusal {
            status: StatusCode::CONFLICT,
            detail: "the session is closed".to_owned(),
        };
        assert_eq!(
            outcomes_of(answer),
            Some(vec![
                Ok(StatusCode::CREATED),
                Ok(StatusCode::OK),
                Err(closed)
            ])
        );
    }

    #[test]
    fn an_answer_of_something_else_is_not_taken_for_success() {
        for answer in [
            "",
            "<html>",
            "{}",
            r#"{"results":[{}]}"#,
            r#"{"results":[{"status":7}]}"#,
        ] {
            assert_eq!(outcomes_of(answer.as_bytes()), None, "{answer}");
        }
    }
}

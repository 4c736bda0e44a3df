//! What comes back: the parts of an answer that something is promised about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Fault, Operation, Outcome, Stream,
    values::{Event, SessionView},
};

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The name of the problem: the last part of its `type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// `Retry-After`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// `Idempotent-Replayed: true`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// `X-Request-Id`, to find the request in the logs of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The session, if the answer has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionView>,
    /// The event, or those of the page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// `pagination.total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Whether there is a `nextCursor`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// Those of a batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ItemResult>,
}

/// What one item of a batch is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemResult {
    /// The status that it would have had alone.
    pub status: u16,
    /// The stored event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The name of the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Answer {
    /// Whether it says that all was done.
    pub fn is_good(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether it leaves open what became of the request.
    pub fn is_undecided(&self) -> bool {
        self.status >= 500
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What the client library says.
    pub detail: String,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// Nobody accepted the connection.
    Refused,
    /// The connection broke before the whole answer was there.
    Broken,
    /// The client stopped waiting, long after the deadline of the service.
    TimedOut,
    /// An answer came, and it is not what the contract says.
    Unreadable,
}

impl FailureKind {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Broken => "connection broken",
            Self::TimedOut => "no answer in time",
            Self::Unreadable => "unreadable answer",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => answer.fmt(f),
            Self::Failed(failure) => write!(f, "{}: {}", failure.kind.name(), failure.detail),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(problem) = &self.problem {
            write!(f, " {problem}")?;
        }
        if self.replayed {
            f.write_str(" replayed")?;
        }
        if let Some(session) = &self.session {
            write!(f, " {:?}", session.status)?;
            if let Some(count) = session.event_count {
                write!(f, " with {count} events")?;
            }
            if let Some(ended) = &session.ended_at {
                write!(f, " ended {ended}")?;
            }
        }
        if let Some(total) = self.total {
            write!(f, " total {total}")?;
        }
        if !self.events.is_empty() {
            f.write_str(" events")?;
            for event in &self.events {
                write!(f, " {}:{}", event.seq, event.event)?;
            }
        }
        for result in &self.results {
            write!(f, " [{}", result.status)?;
            if let Some(event) = &result.event {
                write!(f, " {}:{}", event.seq, event.event)?;
            }
            if let Some(problem) = &result.problem {
                write!(f, " {problem}")?;
            }
            f.write_str("]")?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            client,
            process,
            began,
            ended,
            request,
            outcome,
        } = self;
        write!(
            f,
            "operation {id}, {began}-{ended} s, client {client} at process {process}: \
             {request} -> {outcome}"
        )
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stream {} (of follower {}), {}-{} s, client {} at process {}: {} after {} -> {}",
            self.id,
            self.follower,
            self.began,
            self.ended,
            self.client,
            self.process,
            self.session,
            self.after,
            self.opened
        )?;
        if let (Some((_, first)), Some((at, last))) =
            (self.delivered.first(), self.delivered.last())
        {
            write!(
                f,
                ", delivered {} from {} to {} (at {at})",
                self.delivered.len(),
                first.seq,
                last.seq
            )?;
        }
        if let Some(end) = &self.end {
            write!(f, ", end {} {}", end.id, end.status)?;
        }
        write!(f, ", left {:?}", self.left)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {}, {}-{} s, recovered {}",
            self.kind, self.target, self.began, self.mended, self.recovered
        )
    }
}

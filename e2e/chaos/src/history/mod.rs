//! The history of a run: who asked for what, when, what was answered, and what was done to the
//! machines meanwhile. No opinion about any of it lives here; that is the checker's.
//!
//! A history is a file of JSON objects, one a line:
//!
//! | `line` | what it is | written |
//! |---|---|---|
//! | `run` | the first line: format, seed, processes, deadline | at the start |
//! | `operation` | one request to one process and its answer, or why none came | when it is over |
//! | `stream` | one connection of a follower and all that it delivered | when it is over |
//! | `fault` | what was done to whom, from when to when | when it is recovered from |
//!
//! All times are microseconds since the run began, on the monotonic clock of the one process that
//! has all clients: `ended < began` of two operations means that one was over before the other
//! started, whatever machines they went to.
//!
//! Content is kept as a digest (`content`: type, payload and the timestamp if the client gave one;
//! `stamp`: the times that the service answered), and an event as `[seq, eventId, content, stamp]`.

pub mod answer;
pub mod reader;
pub mod recorder;
pub mod request;
pub mod values;

use serde::{Deserialize, Serialize};

use answer::{Answer, Failure};
use request::Request;
use values::{Event, FaultKind, Moment, StreamEnd};

/// The version of the format, and what a reader needs to know who finds only the file.
pub const FORMAT: &str = "sessionstore-chaos 1: one JSON object a line (run, operation, stream, \
    fault); times in microseconds since the start, on one monotonic clock; an event is \
    [seq, eventId, digest of its content, digest of its times]";

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "camelCase")]
pub enum Line {
    /// How the run was set up.
    Run(Run),
    /// A request and what came of it.
    Operation(Operation),
    /// A connection of a follower.
    Stream(Stream),
    /// What was done to a member or a process.
    Fault(Fault),
}

/// How a run was set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// What the lines mean.
    pub format: String,
    /// What decided the schedule and the clients.
    pub seed: u64,
    /// How many service processes there were.
    pub processes: usize,
    /// After how long the service promises to have answered.
    pub deadline: Moment,
    /// What a busy machine may add to that.
    pub slack: Moment,
}

/// One request to one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its number, in the order of beginning.
    pub id: u64,
    /// The client, which has one request at a time in flight, or two when it races itself.
    pub client: u32,
    /// The service process that it went to.
    pub process: usize,
    /// When it was sent.
    pub began: Moment,
    /// When the answer was there as a whole, or the attempt had failed.
    pub ended: Moment,
    /// What was asked.
    pub request: Request,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// A whole answer.
    Answer(Answer),
    /// No answer, or one that makes no sense.
    Failed(Failure),
}

/// One connection of a follower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// Its number, from the same sequence as operations.
    pub id: u64,
    /// The number of the follower's first connection: those that go on from it share this.
    pub follower: u64,
    /// The client.
    pub client: u32,
    /// The service process that it went to.
    pub process: usize,
    /// The session that is followed.
    pub session: String,
    /// The place after which it began: `Last-Event-ID`.
    pub after: u64,
    /// When the request was sent.
    pub began: Moment,
    /// When the connection was over.
    pub ended: Moment,
    /// What the request was answered, if it was.
    pub opened: Outcome,
    /// What it delivered, and when, in the order of arrival.
    pub delivered: Vec<(Moment, Event)>,
    /// The terminal record, if it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<StreamEnd>,
    /// How the connection was over.
    pub left: Left,
    /// The place up to which it was waited for at the end of the run, without limit but patience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u64>,
}

/// How the connection of a follower was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Left {
    /// The follower had enough.
    ByClient,
    /// The service closed it in good order.
    Closed,
    /// It broke off.
    Broken,
    /// It was never open.
    Refused,
}

/// What was done to a member of the replica set or to a service process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What was done.
    pub kind: FaultKind,
    /// To whom, in words.
    pub target: String,
    /// The service process that it happened to: its clients may see broken connections meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<usize>,
    /// When it was done.
    pub began: Moment,
    /// When it was undone: let go, thawed, started again.
    pub mended: Moment,
    /// When whom it was done to worked again.
    pub recovered: Moment,
}

/// A whole history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// How the run was set up.
    pub run: Run,
    /// All requests.
    pub operations: Vec<Operation>,
    /// All connections of followers.
    pub streams: Vec<Stream>,
    /// All faults, in the order of their beginnings.
    pub faults: Vec<Fault>,
}

impl Operation {
    /// The answer, if a whole one came.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Answer(answer) => Some(answer),
            Outcome::Failed(_) => None,
        }
    }

    /// The status of the answer, if one came.
    pub fn status(&self) -> Option<u16> {
        self.answer().map(|answer| answer.status)
    }

    /// Whether it was answered with 200, 201 or 204.
    pub fn is_acknowledged(&self) -> bool {
        self.answer().is_some_and(Answer::is_good)
    }
}

impl Stream {
    /// The status with which it was opened or refused.
    pub fn status(&self) -> Option<u16> {
        match &self.opened {
            Outcome::Answer(answer) => Some(answer.status),
            Outcome::Failed(_) => None,
        }
    }

    /// The place up to which it has delivered, the terminal record included.
    pub fn reached(&self) -> u64 {
        let last = self.delivered.last().map(|(_, event)| event.seq);
        let end = self.end.as_ref().map(|end| end.id);
        end.or(last).unwrap_or(self.after)
    }
}

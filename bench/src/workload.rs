//! What is sent: the workloads, what each needs to be stored before, and their requests.
//!
//! Every request follows from its number alone, so that runs can be compared. No IO here.

use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST, HeaderValue},
};

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// New events, in turn to each of 1,000 sessions
    Append,
    /// New events, all to one session
    AppendHot,
    /// Retries: events that are stored already
    Replay,
    /// New sessions
    Create,
    /// The first page of 20 events of a session with 1,000
    Get20,
    /// New events, 100 in a request, in turn to each of 1,000 sessions
    Batch,
}

/// An endless list of requests, each known by its number.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// All its session ids begin with this.
    group: String,
    /// How many sessions it works on.
    sessions: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Create,
    Append,
    /// The first `stored` events again and again.
    Replay {
        stored: u64,
    },
    Page {
        limit: u64,
    },
    /// Events of one session in a request.
    Batch {
        events: u64,
    },
    /// Events of many sessions in a request.
    BatchAcross {
        events: u64,
    },
}

/// What came instead of the expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Status(StatusCode),
    /// A batch was answered, but refused an item.
    RefusedItem,
    Connection,
}

/// The number of sessions that an application has open at once, in a workload.
const SESSIONS: u64 = 1_000;

/// The events that are replayed: enough that they are not all in the newest block of the store.
const REPLAYED: u64 = 10 * SESSIONS;

const PRELOADED_SESSIONS: u64 = 20_000;

/// So many that those of 256 connections fit into the server's queue of 10,000: what does not is
/// refused, as it should be.
const PRELOAD_BATCH: u64 = 35;

impl Workload {
    pub(crate) const ALL: [Self; 6] = [
        Self::Append,
        Self::AppendHot,
        Self::Replay,
        Self::Create,
        Self::Get20,
        Self::Batch,
    ];

    /// What has to be stored before, in this order: the requests with the numbers from 0 up to
    /// the given one.
    pub(crate) fn preparation(self, group: &str) -> Vec<(Source, u64)> {
        let sessions = self.sessions();
        let create = (Source::new(group, sessions, Kind::Create), sessions);
        match self {
            Self::Append | Self::AppendHot | Self::Batch => vec![create],
            Self::Create => Vec::new(),
            Self::Replay => {
                let append = Source::new(group, sessions, Kind::Append);
                vec![create, (append, REPLAYED)]
            }
            Self::Get20 => {
                let fill = Source::new(group, sessions, Kind::Batch { events: 100 });
                vec![create, (fill, 10 * sessions)]
            }
        }
    }

    /// What is measured.
    pub(crate) fn source(self, group: &str) -> Source {
        let kind = match self {
            Self::Append | Self::AppendHot => Kind::Append,
            Self::Replay => Kind::Replay { stored: REPLAYED },
            Self::Create => Kind::Create,
            Self::Get20 => Kind::Page { limit: 20 },
            Self::Batch => Kind::Batch { events: 100 },
        };
        Source::new(group, self.sessions(), kind)
    }

    fn sessions(self) -> u64 {
        match self {
            Self::AppendHot => 1,
            Self::Get20 => 20,
            Self::Append | Self::Replay | Self::Create | Self::Batch => SESSIONS,
        }
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::AppendHot => "append-hot",
            Self::Replay => "replay",
            Self::Create => "create",
            Self::Get20 => "get20",
            Self::Batch => "batch",
        })
    }
}

/// What stores at least so many events in sessions that no workload touches.
pub(crate) fn preload(run: &str, events: u64) -> Vec<(Source, u64)> {
    if events == 0 {
        return Vec::new();
    }
    let group = format!("{run}-preload");
    let source = |kind| Source::new(&group, PRELOADED_SESSIONS, kind);
    let batch = Kind::BatchAcross {
        events: PRELOAD_BATCH,
    };
    vec![
        (source(Kind::Create), PRELOADED_SESSIONS),
        (source(batch), events.div_ceil(PRELOAD_BATCH)),
    ]
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {}", status.as_u16()),
            Self::RefusedItem => f.write_str("refused batch item"),
            Self::Connection => f.write_str("connection lost"),
        }
    }
}

impl Source {
    fn new(group: &str, sessions: u64, kind: Kind) -> Self {
        Self {
            group: group.to_owned(),
            sessions,
            kind,
        }
    }

    /// The request with this number.
    pub(crate) fn request(&self, number: u64, host: &HeaderValue) -> Request<Full<Bytes>> {
        let session = |number| self.session_id(number);
        let (method, path, body) = match self.kind {
            Kind::Create => (
                Method::POST,
                "/v1/sessions".to_owned(),
                self.new_session(number),
            ),
            Kind::Append => (
                Method::POST,
                format!("/v1/sessions/{}/events", session(number)),
                self.event(number, ""),
            ),
            Kind::Replay { stored } => (
                Method::POST,
                format!("/v1/sessions/{}/events", session(number % stored)),
                self.event(number % stored, ""),
            ),
            Kind::Page { limit } => (
                Method::GET,
                format!("/v1/sessions/{}/events?limit={limit}", session(number)),
                String::new(),
            ),
            Kind::Batch { events } => (
                Method::POST,
                format!("/v1/sessions/{}/events:batch", session(number)),
                batch(number * events, events, |event| self.event(event, "")),
            ),
            Kind::BatchAcross { events } => (
                Method::POST,
                "/v1/events:batch".to_owned(),
                batch(number * events, events, |event| self.addressed_event(event)),
            ),
        };
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = method;
        // Made of letters, digits and a few signs right above.
        *request.uri_mut() = path.parse::<Uri>().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(HOST, host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    /// Says what is wrong with an answer, if anything.
    pub(crate) fn judge(&self, status: StatusCode, body: &[u8]) -> Result<(), Failure> {
        let expected = match self.kind {
            Kind::Create | Kind::Append => StatusCode::CREATED,
            Kind::Replay { .. }
            | Kind::Page { .. }
            | Kind::Batch { .. }
            | Kind::BatchAcross { .. } => StatusCode::OK,
        };
        if status != expected {
            return Err(Failure::Status(status));
        }
        let is_batch = matches!(self.kind, Kind::Batch { .. } | Kind::BatchAcross { .. });
        if is_batch && has_problem(body) {
            return Err(Failure::RefusedItem);
        }
        Ok(())
    }

    fn session_id(&self, number: u64) -> String {
        match self.kind {
            Kind::Create => format!("{}-{number}", self.group),
            _ => format!("{}-{}", self.group, number % self.sessions),
        }
    }

    fn new_session(&self, number: u64) -> String {
        let id = self.session_id(number);
        format!(
            r#"{{"sessionId":"{id}","language":"en-GB","metadata":{{"channel":"voice","agent":"appointments-v3","caller":"{number:010}"}}}}"#
        )
    }

    fn addressed_event(&self, number: u64) -> String {
        // A prime step goes through all sessions in an order that looks random to a store.
        let id = self.session_id(number.wrapping_mul(7_919));
        self.event(number, &format!(r#""sessionId":"{id}","#))
    }

    /// One turn of a conversation in about 230 bytes; `more` are further fields.
    fn event(&self, number: u64, more: &str) -> String {
        let turn = usize::try_from(number / self.sessions).unwrap_or_default();
        let (kind, text) = TURNS[turn % TURNS.len()];
        let confidence = 800 + number % 200;
        let duration = 900 + number % 4_000;
        format!(
            r#"{{{more}"eventId":"turn-{number:012}","type":"{kind}","payload":{{"text":"{text}","confidence":0.{confidence},"durationMs":{duration},"channel":"phone","model":"speech-2026-04"}}}}"#
        )
    }
}

/// A conversation: what user and bot say in turn.
const TURNS: [(&str, &str); 8] = [
    (
        "user_speech",
        "Hello, I would like to move my appointment from Tuesday to Thursday afternoon, please.",
    ),
    (
        "bot_speech",
        "Of course. I see two appointments on Tuesday, at nine and at eleven. Which one is it?",
    ),
    (
        "user_speech",
        "The other one, with the physiotherapist, the one that was booked only last week.",
    ),
    (
        "bot_speech",
        "I found it. On Thursday there is a free slot at half past three. Shall I take that?",
    ),
    (
        "user_speech",
        "Half past three would be perfect, and could you send me a confirmation by text?",
    ),
    (
        "bot_speech",
        "Done: Thursday at half past three. Is the number that you are calling from the right one?",
    ),
    (
        "user_speech",
        "Yes, that is my number. Thank you very much, that was quick, have a nice day!",
    ),
    (
        "bot_speech",
        "You will get the confirmation in a minute. Thank you for calling, and goodbye.",
    ),
];

fn batch(first: u64, events: u64, event: impl Fn(u64) -> String) -> String {
    let items: Vec<String> = (first..first + events).map(event).collect();
    format!(r#"{{"events":[{}]}}"#, items.join(","))
}

/// Whether an item of a batch was refused. The word can come from nowhere else: no event that is
/// sent here has it.
fn has_problem(body: &[u8]) -> bool {
    let word = br#""problem""#;
    body.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use futures::FutureExt;
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    const HOST: HeaderValue = HeaderValue::from_static("localhost");

    fn body(source: &Source, number: u64) -> Value {
        let request = source.request(number, &HOST);
        let collected = request
            .into_body()
            .collect()
            .now_or_never()
            .unwrap()
            .unwrap();
        serde_json::from_slice(&collected.to_bytes()).unwrap()
    }

    fn path(source: &Source, number: u64) -> String {
        source.request(number, &HOST).uri().to_string()
    }

    #[test]
    fn appends_go_in_turn_to_each_session_and_never_repeat_an_event_id() {
        let source = Workload::Append.source("r");
        assert_eq!(path(&source, 999), "/v1/sessions/r-999/events");
        assert_eq!(path(&source, 1_000), "/v1/sessions/r-0/events");
        let ids: HashSet<String> = (0..3_000)
            .map(|number| body(&source, number)["eventId"].to_string())
            .collect();
        assert_eq!(ids.len(), 3_000);
    }

    #[test]
    fn a_replay_sends_exactly_what_was_stored() {
        let (append, stored) = Workload::Replay.preparation("r").remove(1);
        let replay = Workload::Replay.source("r");
        assert_eq!(body(&replay, stored + 7), body(&append, 7));
        assert_eq!(path(&replay, stored + 7), path(&append, 7));
    }

    #[test]
    fn an_event_has_about_230_bytes() {
        let source = Workload::Append.source("r");
        let sizes = (0..4_000).map(|number| source.event(number, "").len());
        let mean = sizes.sum::<usize>() / 4_000;
        assert!((220..=240).contains(&mean), "{mean}");
    }

    #[test]
    fn a_page_is_read_from_sessions_that_were_filled_with_a_thousand_events() {
        let (fill, requests) = Workload::Get20.preparation("r").remove(1);
        let into_first = (0..requests)
            .filter(|number| path(&fill, *number) == "/v1/sessions/r-0/events:batch")
            .map(|number| body(&fill, number)["events"].as_array().unwrap().len());
        assert_eq!(into_first.sum::<usize>(), 1_000);
        let page = Workload::Get20.source("r");
        assert_eq!(path(&page, 20), "/v1/sessions/r-0/events?limit=20");
    }

    #[test]
    fn a_preload_reaches_every_one_of_its_sessions() {
        let (batches, requests) = preload("r", 20_000).remove(1);
        let sessions: HashSet<String> = (0..requests)
            .flat_map(|number| body(&batches, number)["events"].as_array().unwrap().clone())
            .map(|event| event["sessionId"].to_string())
            .collect();
        assert_eq!(sessions.len(), 20_000);
        assert!(preload("r", 0).is_empty());
    }

    #[test]
    fn an_unexpected_status_and_a_refused_item_are_failures() {
        let batch = Workload::Batch.source("r");
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let busy = Failure::Status(unavailable);
        assert_eq!(batch.judge(unavailable, b""), Err(busy));
        let refused = br#"{"results":[{"status":409,"problem":{}}]}"#;
        assert_eq!(
            batch.judge(StatusCode::OK, refused),
            Err(Failure::RefusedItem)
        );
        assert_eq!(batch.judge(StatusCode::OK, br#"{"results":[]}"#), Ok(()));
    }
}

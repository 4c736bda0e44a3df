//! The requests of a workload, each known by its place, and what has to come back.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST, HeaderValue},
};

use crate::{
    client::Answer,
    workload::{
        turn::{Step, Turn},
        turns,
        view::{PAGE, View},
    },
};

/// An endless list of requests.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// All its session ids begin with this.
    group: String,
    /// How many sessions it works on.
    sessions: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Create,
    Append,
    /// An event in each session, with which it begins.
    Begin,
    /// The first `stored` events again and again.
    Replay {
        stored: u64,
    },
    /// A page that has to have at least so many events.
    Page {
        page: Page,
        events: u64,
    },
    /// Events of one session in a request.
    Batch {
        events: u64,
    },
    /// Events of many sessions in a request.
    BatchAcross {
        events: u64,
    },
    /// Whole conversations: each connection holds one after the other.
    Mixed,
}

/// Which page is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Page {
    /// Of a session of this many events.
    At(View, u64),
    /// Each in turn, by its offset in the order of time, of a session of this many events.
    Offset(u64),
}

/// What came instead of the expected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Refused as the contract has it: 503 or 429 with `Retry-After`.
    Refused,
    Status(StatusCode),
    /// A batch was answered, but refused an item.
    RefusedItem,
    /// A page was answered that is too small to hold what is stored.
    ShortPage,
    Connection,
}

/// The numbers of events with which sessions begin: beyond those of any run.
const FIRST: u64 = 900_000_000_000;

/// No event is answered in fewer bytes: its payload alone has more.
const EVENT_BYTES: u64 = 200;

impl Source {
    pub(super) fn new(group: &str, sessions: u64, kind: Kind) -> Self {
        Self {
            group: group.to_owned(),
            sessions,
            kind,
        }
    }

    /// The request of this turn.
    pub(crate) fn request(&self, turn: Turn, host: &HeaderValue) -> Request<Full<Bytes>> {
        let (method, path, body) = self.parts(turn);
        let mut request = get(&path, host);
        *request.body_mut() = Full::from(body);
        *request.method_mut() = method;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        request
    }

    /// Asks for the stream of the session that has this number, counting them over and over.
    pub(crate) fn stream_request(&self, number: u64, host: &HeaderValue) -> Request<Full<Bytes>> {
        get(
            &format!("{SESSIONS}/{}/stream", self.session_id(number)),
            host,
        )
    }

    fn parts(&self, turn: Turn) -> (Method, String, String) {
        let number = turn.number();
        let events = |number| format!("/v1/sessions/{}/events", self.session_id(number));
        match self.kind {
            Kind::Create => {
                let id = self.new_session_id(number);
                (Method::POST, SESSIONS.to_owned(), new_session(&id, number))
            }
            Kind::Append => (Method::POST, events(number), self.event(number, "")),
            Kind::Begin => {
                let event = turns::event(FIRST + number, 0, "");
                (Method::POST, events(number), event)
            }
            Kind::Replay { stored } => {
                let number = number % stored;
                (Method::POST, events(number), self.event(number, ""))
            }
            Kind::Page { page, .. } => {
                let page = self.page(page, number);
                (Method::GET, events(number) + &page, String::new())
            }
            Kind::Batch { events: count } => {
                let events = events(number) + ":batch";
                let event = |event| self.event(event, "");
                (Method::POST, events, batch(number * count, count, event))
            }
            Kind::BatchAcross { events } => {
                let event = |event| self.addressed_event(event);
                let body = batch(number * events, events, event);
                (Method::POST, "/v1/events:batch".to_owned(), body)
            }
            Kind::Mixed => self.part_of_life(turn),
        }
    }

    fn part_of_life(&self, turn: Turn) -> (Method, String, String) {
        let id = format!("{}-{}-{}", self.group, turn.connection, turn.life());
        let session = format!("{SESSIONS}/{id}");
        match turn.step_of_life() {
            Step::Create => {
                let body = new_session(&id, turn.number());
                (Method::POST, SESSIONS.to_owned(), body)
            }
            Step::Append(spoken) => {
                let body = turns::event(turn.step, spoken, "");
                (Method::POST, session + "/events", body)
            }
            Step::Read => (Method::GET, session + "?limit=20", String::new()),
            Step::Complete => (Method::POST, session + "/complete", String::new()),
        }
    }

    /// Says what is wrong with the answer to this turn, if anything.
    pub(crate) fn judge(&self, turn: Turn, answer: &Answer) -> Result<(), Failure> {
        let Answer {
            status,
            retry_after,
            body,
        } = answer;
        let is_refusal = matches!(
            *status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        if is_refusal && *retry_after {
            return Err(Failure::Refused);
        }
        if *status != self.expected(turn) {
            return Err(Failure::Status(*status));
        }
        match self.kind {
            Kind::Batch { .. } | Kind::BatchAcross { .. } if has_problem(body) => {
                Err(Failure::RefusedItem)
            }
            Kind::Page { events, .. } if (body.len() as u64) < events * EVENT_BYTES => {
                Err(Failure::ShortPage)
            }
            _ => Ok(()),
        }
    }

    fn expected(&self, turn: Turn) -> StatusCode {
        match self.kind {
            Kind::Create | Kind::Append | Kind::Begin => StatusCode::CREATED,
            Kind::Replay { .. }
            | Kind::Page { .. }
            | Kind::Batch { .. }
            | Kind::BatchAcross { .. } => StatusCode::OK,
            Kind::Mixed => match turn.step_of_life() {
                Step::Create | Step::Append(_) => StatusCode::CREATED,
                Step::Read | Step::Complete => StatusCode::OK,
            },
        }
    }

    fn page(&self, page: Page, number: u64) -> String {
        match page {
            Page::At(view, length) => view.query(length),
            Page::Offset(length) => {
                let pages = (length / PAGE).max(1);
                let offset = number / self.sessions % pages * PAGE;
                format!("?limit={PAGE}&offset={offset}")
            }
        }
    }

    fn session_id(&self, number: u64) -> String {
        self.new_session_id(number % self.sessions)
    }

    fn new_session_id(&self, number: u64) -> String {
        format!("{}-{number}", self.group)
    }

    fn addressed_event(&self, number: u64) -> String {
        // A prime step goes through all sessions in an order that looks random to a store.
        let id = self.session_id(number.wrapping_mul(7_919));
        self.event(number, &format!(r#""sessionId":"{id}","#))
    }

    fn event(&self, number: u64, more: &str) -> String {
        turns::event(number, number / self.sessions, more)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Status(status) => write!(f, "status {}", status.as_u16()),
            Self::RefusedItem => f.write_str("refused batch item"),
            Self::ShortPage => f.write_str("short page"),
            Self::Connection => f.write_str("connection lost"),
        }
    }
}

const SESSIONS: &str = "/v1/sessions";

fn get(path: &str, host: &HeaderValue) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    // Made here, of letters, digits and a few signs.
    *request.uri_mut() = path.parse::<Uri>().unwrap_or_default();
    request.headers_mut().insert(HOST, host.clone());
    request
}

fn new_session(id: &str, number: u64) -> String {
    format!(
        r#"{{"sessionId":"{id}","language":"en-GB","metadata":{{"channel":"voice","agent":"appointments-v3","caller":"{number:010}"}}}}"#
    )
}

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
pub(super) mod tests {
    use std::collections::HashSet;

    use futures::FutureExt;
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::workload::Workload;

    const HOST: HeaderValue = HeaderValue::from_static("localhost");

    fn body_at(source: &Source, turn: Turn) -> Value {
        let request = source.request(turn, &HOST);
        let collected = request
            .into_body()
            .collect()
            .now_or_never()
            .unwrap()
            .unwrap();
        serde_json::from_slice(&collected.to_bytes()).unwrap()
    }

    pub(crate) fn body(source: &Source, number: u64) -> Value {
        body_at(source, Turn::nth(number))
    }

    pub(crate) fn path(source: &Source, number: u64) -> String {
        source.request(Turn::nth(number), &HOST).uri().to_string()
    }

    fn answer(status: StatusCode, retry_after: bool, body: &'static str) -> Answer {
        Answer {
            status,
            retry_after,
            body: body.into(),
        }
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
    fn a_life_is_1_create_40_appends_5_reads_and_1_complete() {
        let source = Workload::Mixed.source("r");
        let life: Vec<String> = (0..47)
            .map(|step| {
                let request = source.request(Turn::nth(step), &HOST);
                format!("{} {}", request.method(), request.uri())
            })
            .collect();
        let count = |wanted: &str| life.iter().filter(|it| *it == wanted).count();
        assert_eq!(life[0], "POST /v1/sessions");
        assert_eq!(count("POST /v1/sessions/r-0-0/events"), 40);
        assert_eq!(count("GET /v1/sessions/r-0-0?limit=20"), 5);
        assert_eq!(life[46], "POST /v1/sessions/r-0-0/complete");
        assert_eq!(body(&source, 47)["sessionId"], "r-0-1");
    }

    #[test]
    fn a_life_is_answered_201_for_what_is_new_and_200_for_the_rest() {
        let source = Workload::Mixed.source("r");
        let expected: Vec<u16> = [0, 1, 9, 46]
            .map(|step| source.expected(Turn::nth(step)).as_u16())
            .into();
        assert_eq!(expected, [201, 201, 200, 200]);
    }

    #[test]
    fn deep_pages_are_read_at_every_offset_of_every_session() {
        let source = Workload::Get20Deep.source("r");
        let paths: HashSet<String> = (0..1_000).map(|number| path(&source, number)).collect();
        assert_eq!(paths.len(), 20 * 50);
        assert!(paths.contains("/v1/sessions/r-19/events?limit=20&offset=980"));
    }

    #[test]
    fn an_unexpected_status_and_a_refused_item_are_failures() {
        let batch = Workload::Batch.source("r");
        let judge = |answer: Answer| batch.judge(Turn::nth(0), &answer);
        let broken = answer(StatusCode::INTERNAL_SERVER_ERROR, false, "");
        let status = Failure::Status(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(judge(broken), Err(status));
        let refused = r#"{"results":[{"status":409,"problem":{}}]}"#;
        let refused = answer(StatusCode::OK, false, refused);
        assert_eq!(judge(refused), Err(Failure::RefusedItem));
        let good = answer(StatusCode::OK, false, r#"{"results":[]}"#);
        assert_eq!(judge(good), Ok(()));
    }

    #[test]
    fn a_refusal_counts_as_one_only_if_it_says_when_to_come_again() {
        let append = Workload::Append.source("r");
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        let judge = |retry_after| append.judge(Turn::nth(0), &answer(busy, retry_after, ""));
        assert_eq!(judge(true), Err(Failure::Refused));
        assert_eq!(judge(false), Err(Failure::Status(busy)));
    }

    #[test]
    fn a_page_without_its_events_is_a_failure() {
        let pages = Workload::Get20.source("r");
        let empty = answer(StatusCode::OK, false, r#"{"events":[]}"#);
        assert_eq!(pages.judge(Turn::nth(0), &empty), Err(Failure::ShortPage));
    }
}

//! Imports into a server that answers as it is told to, to see what the real one rarely does.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode as Status, Uri};
use axum::response::{IntoResponse, Response};
use clap::Parser;
use tempfile::NamedTempFile;

use crate::config::ListenAddr;
use crate::server::{ConnectionLimits, Listener, Server};

use super::*;

/// The answer to the n-th request with this path and body.
type Script = Arc<dyn Fn(usize, &str, &str) -> Response + Send + Sync>;

struct Fake {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(script: impl Fn(usize, &str, &str) -> Response + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let state = (Arc::new(script) as Script, Arc::clone(&requests));
        let router = Router::new().fallback(answer).with_state(state);
        let any = ListenAddr::parse("127.0.0.1:0").unwrap();
        let listener = Listener::bind("http-addr", &any).await.unwrap();
        let url = format!("http://{}", listener.addr());
        let limits = ConnectionLimits {
            connections: 100,
            first_head: Duration::from_secs(60),
            next_head: Duration::from_secs(60),
        };
        // It serves until the test's runtime ends.
        Server::start(listener, router, limits);
        Self { url, requests }
    }

    async fn import(&self, arguments: &[&str], lines: &str) -> Result<(), ImportError> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        let arguments = [
            &["import", "--concurrency", "1", "--url", &self.url][..],
            arguments,
            &[file.path().to_str().unwrap()],
        ];
        run(Command::parse_from(arguments.concat()).args).await
    }

    /// The requests so far, each as its path and body.
    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: ImportArgs,
}

async fn answer(
    State((script, requests)): State<(Script, Arc<Mutex<Vec<String>>>)>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let (path, body) = (uri.path(), String::from_utf8(body.to_vec()).unwrap());
    let number = {
        let mut requests = requests.lock().unwrap();
        requests.push(format!("{path} {body}"));
        requests.len() - 1
    };
    script(number, path, &body)
}

/// The answer of a server that stores everything.
fn stored(path: &str, body: &str) -> Response {
    if path.ends_with(":batch") {
        let items = body.matches("eventId").count();
        let results = vec![r#"{"status":201,"event":{}}"#; items].join(",");
        return format!("{{\"results\":[{results}]}}").into_response();
    }
    let status = if path == "/v1/sessions" {
        Status::CREATED
    } else {
        Status::OK
    };
    (status, r#"{"session":{}}"#).into_response()
}

fn problem(status: Status, detail: &str) -> Response {
    (status, format!("{{\"detail\":\"{detail}\"}}")).into_response()
}

const SESSION: &str =
    "{\"session\":{\"sessionId\":\"a/b\",\"language\":\"en\",\"status\":\"completed\"}}\n";
const EVENT: &str =
    "{\"event\":{\"sessionId\":\"a/b\",\"eventId\":\"e\",\"payload\":{\"n\":1.0}}}\n";

#[tokio::test]
async fn a_session_is_created_then_filled_then_closed() {
    let fake = Fake::start(|_, path, body| stored(path, body)).await;
    let lines = [SESSION, EVENT, EVENT].concat();
    fake.import(&[], &lines).await.unwrap();
    let event = r#"{"eventId":"e","payload":{"n":1.0}}"#;
    assert_eq!(
        fake.requests(),
        [
            r#"/v1/sessions {"sessionId":"a/b","language":"en"}"#.to_owned(),
            format!("/v1/sessions/a%2Fb/events:batch {{\"events\":[{event},{event}]}}"),
            "/v1/sessions/a%2Fb/complete {}".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_server_that_is_overloaded_is_asked_again() {
    let fake = Fake::start(|number, path, body| match number {
        0 | 2 => {
            let mut answer = problem(Status::SERVICE_UNAVAILABLE, "too much");
            let now = HeaderValue::from_static("0");
            answer.headers_mut().insert("retry-after", now);
            answer
        }
        _ => stored(path, body),
    })
    .await;
    fake.import(&[], &[SESSION, EVENT].concat()).await.unwrap();
    assert_eq!(fake.requests().len(), 5);
}

#[tokio::test]
async fn patience_has_an_end() {
    let fake = Fake::start(|_, _, _| problem(Status::SERVICE_UNAVAILABLE, "too much")).await;
    let result = fake.import(&["--retry-for", "0s"], SESSION).await;
    assert!(matches!(result, Err(ImportError::Failed)));
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn items_that_were_not_stored_are_sent_again_with_all_that_follow() {
    let fake = Fake::start(|number, path, body| match number {
        0 => {
            r#"{"results":[{"status":201},{"status":503,"problem":{"detail":"x"}},{"status":201}]}"#
                .into_response()
        }
        _ => stored(path, body),
    })
    .await;
    let events = [1, 2, 3].map(|n| EVENT.replace("\"e\"", &format!("\"e{n}\"")));
    fake.import(&[], &events.concat()).await.unwrap();
    let requests = fake.requests();
    assert_eq!(requests.len(), 2);
    let again = &requests[1];
    assert!(
        !again.contains("e1") && again.contains("e2") && again.contains("e3"),
        "{again}"
    );
}

#[tokio::test]
async fn a_refusal_ends_the_import_and_leaves_the_session_open() {
    let fake = Fake::start(|_, path, body| match path {
        "/v1/sessions" => stored(path, body),
        _ => r#"{"results":[{"status":409,"problem":{"detail":"taken"}}]}"#.into_response(),
    })
    .await;
    let lines = [SESSION, EVENT, &SESSION.replace("a/b", "c")].concat();
    let result = fake.import(&[], &lines).await;
    assert!(matches!(result, Err(ImportError::Failed)));
    assert_eq!(fake.requests().len(), 2, "{:?}", fake.requests());
}

#[tokio::test]
async fn an_import_that_keeps_going_leaves_out_the_rest_of_that_session_only() {
    let fake = Fake::start(|_, path, body| {
        if body.contains("bad") {
            problem(Status::BAD_REQUEST, "language")
        } else {
            stored(path, body)
        }
    })
    .await;
    let lines = [
        &SESSION.replace("en", "bad"),
        EVENT,
        "nonsense\n",
        &SESSION.replace("a/b", "c"),
    ];
    let result = fake
        .import(&["--keep-going"], &lines.map(ToString::to_string).concat())
        .await;
    assert!(matches!(result, Err(ImportError::Failed)));
    let requests = fake.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(requests[2].starts_with("/v1/sessions/c/complete"));
}

#[tokio::test]
async fn a_session_that_is_there_with_other_content_is_a_failure() {
    let fake = Fake::start(|_, path, body| match path {
        "/v1/sessions" => r#"{"session":{"language":"de"}}"#.into_response(),
        _ => stored(path, body),
    })
    .await;
    let result = fake.import(&[], &[SESSION, EVENT].concat()).await;
    assert!(matches!(result, Err(ImportError::Failed)));
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_server_of_something_else_is_not_taken_for_success() {
    let fake = Fake::start(|_, _, _| "<html>welcome</html>".into_response()).await;
    let result = fake.import(&[], EVENT).await;
    assert!(matches!(result, Err(ImportError::Failed)));
}

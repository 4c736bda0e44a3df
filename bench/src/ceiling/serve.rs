//! An axum service without a store: it parses what the service parses and answers what it
//! answers, as a program with typed bodies does. A process of its own, as the service is.

use std::{
    borrow::Cow,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::workload::event_text;

/// Serves on a free port, which it writes to standard output, until standard input ends: whoever
/// started it may have ended in any way.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        announce(listener.local_addr()?)?;
        thread::spawn(|| {
            // However it ends: there is nobody to serve any more.
            let _ = io::stdin().read(&mut [0]);
            std::process::exit(0);
        });
        let listener = listener.tap_io(|stream| {
            // Without it the service is slower, but not wrong.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, routes())
            .await
            .context("cannot serve")
    })
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{address}")?;
    out.flush()
}

pub(super) fn routes() -> Router {
    Router::new()
        .route("/v1/sessions", post(create))
        .route("/v1/sessions/{id}", get(page))
        .route("/v1/sessions/{id}/events", get(page).post(append))
        .route("/v1/sessions/{id}/events:batch", post(batch))
        .route("/v1/sessions/{id}/complete", post(complete))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewSession<'a> {
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow)]
    language: Cow<'a, str>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Serialize, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    agent: Cow<'a, str>,
    #[serde(borrow)]
    caller: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Session<'a> {
    #[serde(rename = "sessionId")]
    id: &'a str,
    status: &'static str,
    language: &'a str,
    started_at: &'static str,
    created_at: &'static str,
    updated_at: &'static str,
    ended_at: Option<&'static str>,
    event_count: u64,
    metadata: &'a Metadata<'a>,
    version: u64,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    events: Vec<NewEvent<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewEvent<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    confidence: f64,
    duration_ms: i64,
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    model: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    session_id: &'a str,
    seq: u64,
    #[serde(rename = "eventId")]
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    payload: &'a Payload<'a>,
    timestamp: &'static str,
    recorded_at: &'static str,
}

#[derive(Serialize)]
struct One<T> {
    event: T,
}

#[derive(Serialize)]
struct Whole<T> {
    session: T,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    status: u16,
    event: Event<'a>,
}

/// Stands for any: reading the clock is what the service has to do.
const TIME: &str = "2026-01-01T00:00:00.000Z";

async fn create(body: Bytes) -> Response {
    let Ok(new) = serde_json::from_slice::<NewSession<'_>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let session = Session::new(&new.session_id, &new.language, &new.metadata);
    json(StatusCode::CREATED, &Whole { session })
}

async fn append(Path(id): Path<String>, body: Bytes) -> Response {
    let Ok(new) = serde_json::from_slice::<NewEvent<'_>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let event = Event::new(&id, &new);
    json(StatusCode::CREATED, &One { event })
}

async fn batch(Path(id): Path<String>, body: Bytes) -> Response {
    let Ok(new) = serde_json::from_slice::<Batch<'_>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let results = new.events.iter().map(|event| Item {
        status: 201,
        event: Event::new(&id, event),
    });
    let results = results.collect();
    json(StatusCode::OK, &Results { results })
}

async fn complete(Path(id): Path<String>) -> Response {
    let metadata = Metadata {
        channel: "voice".into(),
        agent: "appointments-v3".into(),
        caller: "0000000000".into(),
    };
    let session = Session::new(&id, "en-GB", &metadata);
    json(StatusCode::OK, &Whole { session })
}

/// A page of 20 events, each written anew.
async fn page() -> Response {
    let events: Vec<String> = (0..20)
        .map(|number| {
            let event = event_text(number);
            format!(
                r#"{{"seq":{number},"timestamp":"{TIME}","recordedAt":"{TIME}","event":{event}}}"#
            )
        })
        .collect();
    let text = format!(
        r#"{{"events":[{}],"pagination":{{"limit":20}}}}"#,
        events.join(",")
    );
    ([(header::CONTENT_TYPE, JSON)], text).into_response()
}

impl<'a> Session<'a> {
    fn new(id: &'a str, language: &'a str, metadata: &'a Metadata<'a>) -> Self {
        Self {
            id,
            status: "initiated",
            language,
            started_at: TIME,
            created_at: TIME,
            updated_at: TIME,
            ended_at: None,
            event_count: 0,
            metadata,
            version: 1,
        }
    }
}

impl<'a> Event<'a> {
    fn new(session_id: &'a str, new: &'a NewEvent<'a>) -> Self {
        Self {
            session_id,
            seq: 1,
            id: &new.event_id,
            kind: &new.kind,
            payload: &new.payload,
            timestamp: TIME,
            recorded_at: TIME,
        }
    }
}

const JSON: &str = "application/json";

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, JSON)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! Requests as HTTP, and HTTP as answers: the contract of the API, as far as clients need it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, header::HeaderMap};
use serde_json::{Map, Value, json};

use super::content::{Content, event_of};
use crate::history::{
    Outcome,
    answer::{Answer, Failure, FailureKind, ItemResult},
    request::{Item, Request},
    values::SessionView,
};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A page limit that no session of a run reaches.
pub(crate) const WHOLE: u64 = 500;

fn path_of(session: &str) -> String {
    format!("/v1/sessions/{}", utf8_percent_encode(session, RESERVED))
}

/// The request that follows a session from a place on.
pub(crate) fn stream(
    http: &reqwest::Client,
    url: &str,
    session: &str,
    after: u64,
) -> RequestBuilder {
    http.get(format!("{url}{}/stream", path_of(session)))
        .header("accept", "text/event-stream")
        .header("last-event-id", after)
}

/// The HTTP request of a request; `cursor` goes on with a walk.
pub(crate) fn request(
    http: &reqwest::Client,
    url: &str,
    request: &Request,
    cursor: Option<&str>,
) -> RequestBuilder {
    let send = |method: Method, path: String| http.request(method, format!("{url}{path}"));
    let post = |path: String, body: Value| {
        send(Method::POST, path)
            .header("content-type", "application/json")
            .body(body.to_string())
    };
    match request {
        Request::Create { session } => post(
            "/v1/sessions".to_owned(),
            json!({ "sessionId": session, "language": "en", "metadata": { "of": session } }),
        ),
        Request::Append { item } => post(
            format!("{}/events", path_of(&item.session)),
            Value::Object(fields_of(item)),
        ),
        Request::Batch { across, items } => batch(*across, items, post),
        Request::Close { session, failed } => {
            let outcome = if *failed { "fail" } else { "complete" };
            post(
                format!("{}/{outcome}", path_of(session)),
                json!({ "reason": outcome }),
            )
        }
        Request::Erase { session } => send(Method::DELETE, path_of(session)),
        Request::Get {
            session,
            consistency,
            limit,
        } => send(Method::GET, path_of(session))
            .query(&[("consistency", consistency.name()), ("order", "seq")])
            .query(&[("limit", limit)]),
        Request::Page {
            session,
            consistency,
            order,
            limit,
            after,
            walk: _,
        } => {
            let page = send(Method::GET, format!("{}/events", path_of(session)))
                .query(&[("consistency", consistency.name())])
                .query(&[("limit", limit)]);
            match (after, cursor) {
                (Some(after), _) => page.query(&[("afterSeq", after)]),
                (None, None) => page.query(&[("order", order.name())]),
                (None, Some(cursor)) => page.query(&[("order", order.name()), ("cursor", cursor)]),
            }
        }
        Request::Event {
            session,
            event,
            consistency,
        } => {
            let event = utf8_percent_encode(event, RESERVED);
            send(Method::GET, format!("{}/events/{event}", path_of(session)))
                .query(&[("consistency", consistency.name())])
        }
    }
}

fn batch(
    across: bool,
    items: &[Item],
    post: impl Fn(String, Value) -> RequestBuilder,
) -> RequestBuilder {
    let events: Vec<Value> = items
        .iter()
        .map(|item| {
            let mut fields = fields_of(item);
            if across {
                fields.insert("sessionId".to_owned(), item.session.as_str().into());
            }
            Value::Object(fields)
        })
        .collect();
    let path = match items.first() {
        Some(item) if !across => format!("{}/events:batch", path_of(&item.session)),
        _ => "/v1/events:batch".to_owned(),
    };
    post(path, json!({ "events": events }))
}

fn fields_of(item: &Item) -> Map<String, Value> {
    let content = Content::of(&item.event, item.variant);
    let mut fields = Map::new();
    fields.insert("eventId".to_owned(), item.event.as_str().into());
    fields.insert("type".to_owned(), content.kind.into());
    fields.insert("payload".to_owned(), content.payload);
    if let Some(timestamp) = content.timestamp {
        fields.insert("timestamp".to_owned(), timestamp.into());
    }
    fields
}

/// An answer as the history keeps it, and the cursor, which it does not keep.
pub(crate) async fn outcome(response: reqwest::Result<Response>) -> (Outcome, Option<String>) {
    let response = match response {
        Ok(response) => response,
        Err(error) => return (failed(&error), None),
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    match response.bytes().await {
        Ok(body) => read(status, &headers, &body),
        Err(error) => (failed(&error), None),
    }
}

fn read(status: u16, headers: &HeaderMap, body: &[u8]) -> (Outcome, Option<String>) {
    let json: Value = match serde_json::from_slice(body) {
        Ok(json) => json,
        Err(_) if body.is_empty() => Value::Null,
        Err(error) => return (unreadable(status, &error.to_string(), body), None),
    };
    match answer_of(status, headers, &json) {
        Some(answer) => {
            let cursor = json.pointer("/pagination/nextCursor");
            let cursor = cursor.and_then(Value::as_str).map(str::to_owned);
            (Outcome::Answer(answer), cursor)
        }
        None => (unreadable(status, "a part is missing", body), None),
    }
}

/// `None` if the body does not have what a body of this status must have.
fn answer_of(status: u16, headers: &HeaderMap, json: &Value) -> Option<Answer> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut answer = Answer {
        status,
        retry_after: header("retry-after").and_then(|text| text.parse().ok()),
        replayed: header("idempotent-replayed") == Some("true"),
        request_id: header("x-request-id").map(str::to_owned),
        ..Answer::default()
    };
    if status >= 400 {
        answer.problem = Some(problem_of(json)?);
        return Some(answer);
    }
    if let Some(session) = json.get("session") {
        answer.session = Some(view_of(session)?);
    }
    if let Some(event) = json.get("event") {
        answer.events.push(event_of(event)?);
    }
    if let Some(events) = json.get("events") {
        answer.events = events
            .as_array()?
            .iter()
            .map(event_of)
            .collect::<Option<_>>()?;
    }
    if let Some(results) = json.get("results") {
        answer.results = results
            .as_array()?
            .iter()
            .map(result_of)
            .collect::<Option<_>>()?;
    }
    answer.total = json.pointer("/pagination/total").and_then(Value::as_u64);
    answer.more = json.pointer("/pagination/nextCursor").is_some();
    Some(answer)
}

fn problem_of(json: &Value) -> Option<String> {
    let (_, name) = json.get("type")?.as_str()?.rsplit_once('#')?;
    Some(name.to_owned())
}

fn view_of(json: &Value) -> Option<SessionView> {
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(SessionView {
        status: serde_json::from_value(json.get("status")?.clone()).ok()?,
        created_at: text("createdAt")?,
        ended_at: text("endedAt"),
        end_reason: text("endReason"),
        event_count: json.get("eventCount").and_then(Value::as_u64),
    })
}

fn result_of(json: &Value) -> Option<ItemResult> {
    let status = u16::try_from(json.get("status")?.as_u64()?).ok()?;
    let (event, problem) = if status < 400 {
        (Some(event_of(json.get("event")?)?), None)
    } else {
        (None, Some(problem_of(json.get("problem")?)?))
    };
    Some(ItemResult {
        status,
        event,
        problem,
    })
}

fn unreadable(status: u16, why: &str, body: &[u8]) -> Outcome {
    let shown = &body[..body.len().min(400)];
    Outcome::Failed(Failure {
        kind: FailureKind::Unreadable,
        detail: format!("{status}, {why}: {}", String::from_utf8_lossy(shown)),
    })
}

/// Why there is no answer.
pub(crate) fn failed(error: &reqwest::Error) -> Outcome {
    let kind = if error.is_timeout() {
        FailureKind::TimedOut
    } else if error.is_connect() {
        FailureKind::Refused
    } else {
        FailureKind::Broken
    };
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        detail = format!("{detail}: {error}");
        cause = error.source();
    }
    Outcome::Failed(Failure { kind, detail })
}

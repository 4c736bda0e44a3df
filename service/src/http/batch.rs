//! `POST /v1/sessions/{sessionId}/events:batch` and `POST /v1/events:batch`

use std::sync::Arc;

use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::domain::{Consistency, NewEvent, SessionId};
use crate::http::fields::{Base, Fields};
use crate::http::media::Accepted;
use crate::http::new_event::{self, Context};
use crate::http::openapi::{params, schemas};
use crate::http::problem::{Problem, Violations};
use crate::http::request::{no_query, parameters};
use crate::http::{Api, RequestId, answer, wire};
use crate::json::{Kind, Value};
use crate::log::{Appended, Refusal};

/// An item as it was read: an event to append, or why it is none.
type Item = Result<NewEvent, Problem>;

/// Events to append to one session.
pub(super) struct SessionBatchRequest {
    session_id: SessionId,
    items: Vec<Item>,
}

/// Events to append, each to its own session.
pub(super) struct BatchRequest(Vec<Item>);

impl FromRequest<Arc<Api>> for SessionBatchRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let unread = parameters(request, |parts| {
            no_query(parts, |given| given.session_id(&api.limits))
        })?;
        let limit = api.limits.batch_body_bytes;
        unread
            .body(api, Accepted::Json, limit, |session_id, body| {
                let context = Context::of(api);
                let items = read(body, api.limits.batch_items, |item, base| {
                    new_event::of_session(item, base, &session_id, context)
                })?;
                Ok(Self { session_id, items })
            })
            .await
    }
}

impl FromRequest<Arc<Api>> for BatchRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        let unread = parameters(request, |parts| no_query(parts, |_| Some(())))?;
        let limit = api.limits.batch_body_bytes;
        unread
            .body(api, Accepted::Json, limit, |(), body| {
                let context = Context::of(api);
                let items = read(body, api.limits.batch_items, |item, base| {
                    new_event::with_session(item, base, context)
                })?;
                Ok(Self(items))
            })
            .await
    }
}

/// The items of `{events: […]}`, each judged by itself.
fn read(
    body: Value<'_>,
    most: usize,
    mut item: impl FnMut(Value<'_>, Base) -> Item,
) -> Result<Vec<Item>, Problem> {
    let mut violations = Violations::default();
    let mut fields = Fields::new(Base::Root, &mut violations);
    let Some([events]) = fields.of(body, ["events"]) else {
        return Err(Problem::Invalid(violations));
    };
    let events = fields.required(events, |value| {
        let count = value.elements().take(most + 1).count();
        if value.kind() == Kind::Array && (1..=most).contains(&count) {
            Ok(value.elements())
        } else {
            Err(format!("must be an array of 1 to {most} events"))
        }
    });
    let events = violations.finish(|| events)?;
    let read = |(index, value)| item(value, Base::Event(index));
    Ok(events.enumerate().map(read).collect())
}

/// Append events to a session
///
/// In order, each judged by itself: one that is refused does not stop those after it. Safe to
/// retry as a whole. `results` are in the order of `events`; the `status` of each is that which the
/// same event sent alone would have had.
#[utoipa::path(
    post,
    path = "/v1/sessions/{sessionId}/events:batch",
    operation_id = "appendEvents",
    tag = "events",
    params(params::SessionPath),
    request_body = schemas::Batch,
    responses((status = 200, description = "A result for each event.", body = schemas::BatchAnswer)),
)]
pub(super) async fn append_to_session(
    State(api): State<Arc<Api>>,
    request_id: Option<Extension<RequestId>>,
    request: SessionBatchRequest,
) -> Result<Response, Problem> {
    let results = append(&api, request.items).await;
    refuse_whole(&api, &request.session_id, &results).await?;
    Ok(answer(&results, request_id))
}

/// Append events to any sessions
///
/// As with the batch of one session; every event names its `sessionId`. Those of one session are
/// appended in order.
#[utoipa::path(
    post,
    path = "/v1/events:batch",
    operation_id = "appendEventsToSessions",
    tag = "events",
    request_body = schemas::SessionsBatch,
    responses((status = 200, description = "A result for each event.", body = schemas::BatchAnswer)),
)]
pub(super) async fn append_to_sessions(
    State(api): State<Arc<Api>>,
    request_id: Option<Extension<RequestId>>,
    BatchRequest(items): BatchRequest,
) -> Result<Response, Problem> {
    let results = append(&api, items).await;
    Ok(answer(&results, request_id))
}

/// Appends what can be appended; one result an item, in order.
async fn append(api: &Api, items: Vec<Item>) -> Vec<Result<Appended, Problem>> {
    let mut events = Vec::with_capacity(items.len());
    let judged: Vec<Result<(), Problem>> = items
        .into_iter()
        .map(|item| item.map(|event| events.push(event)))
        .collect();
    let mut outcomes = api.log.append_all(events).await.into_iter();
    let mut next = || outcomes.next().unwrap_or(Err(Refusal::TimedOut));
    judged
        .into_iter()
        .map(|item| item.and_then(|()| Ok(next()?)))
        .collect()
}

/// Refuses the batch as a whole if the session of its path is missing or erased and nothing was
/// stored. Where the log judged an item it has said so; where it judged none, it is asked.
async fn refuse_whole(
    api: &Api,
    session_id: &SessionId,
    results: &[Result<Appended, Problem>],
) -> Result<(), Problem> {
    if results.iter().any(Result::is_ok) {
        return Ok(());
    }
    for whole in [Problem::SessionNotFound, Problem::SessionErased] {
        if results.iter().any(|result| result.as_ref() == Err(&whole)) {
            return Err(whole);
        }
    }
    if results
        .iter()
        .all(|result| matches!(result, Err(Problem::Invalid(_))))
    {
        api.log.session(session_id, Consistency::Strong).await?;
    }
    Ok(())
}

fn answer(
    results: &[Result<Appended, Problem>],
    request_id: Option<Extension<RequestId>>,
) -> Response {
    let instance = request_id.map(|Extension(RequestId(id))| id);
    let instance = instance.as_deref().unwrap_or_default();
    let bytes = |result: &Result<Appended, Problem>| match result {
        Ok(appended) => wire::event_bytes(&appended.event),
        Err(_) => 400,
    };
    let mut body = String::with_capacity(100 + results.iter().map(bytes).sum::<usize>());
    body.push_str("{\"results\":");
    wire::list(&mut body, results, |out, result| {
        out.push_str("{\"status\":");
        match result {
            Ok(appended) => {
                let status = if appended.replayed {
                    StatusCode::OK
                } else {
                    StatusCode::CREATED
                };
                wire::plain(out, status.as_u16());
                out.push_str(",\"event\":");
                wire::event(out, &appended.event);
            }
            Err(problem) => {
                wire::plain(out, problem.kind().status().as_u16());
                out.push_str(",\"problem\":");
                problem.write(out, instance);
            }
        }
        out.push('}');
    });
    body.push('}');
    answer::json(StatusCode::OK, body)
}

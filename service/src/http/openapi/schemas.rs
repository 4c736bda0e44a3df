//! The bodies of the API, as types only for their documentation: requests are read by the
//! endpoints, answers are written by `wire`. Tests compare them.

use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Ref, Schema, SchemaType};

use crate::http::openapi::values::{Document, EventId, Language, SessionId, Time, TimeUtc};

/// Who said it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum EventType {
    /// The user.
    UserSpeech,
    /// The bot.
    BotSpeech,
    /// The system.
    System,
}

/// Where a session stands: created, with at least one event, or closed in one of two ways.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Created, no event yet.
    Initiated,
    /// At least one event.
    Active,
    /// Closed by `complete`.
    Completed,
    /// Closed by `fail`.
    Failed,
}

/// A session to create.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({
    "sessionId": "call-7f3a",
    "language": "en-US",
    "metadata": {"channel": "phone"}
})))]
pub struct NewSession {
    /// Its name.
    pub session_id: SessionId,
    /// The language it is held in.
    pub language: Language,
    /// What else is to be remembered: at most 16 KiB. `{}` without.
    pub metadata: Option<Document>,
    /// When the conversation began; the time of creation without.
    pub started_at: Option<Time>,
}

/// What to change of a session: a JSON merge patch (RFC 7396).
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({"metadata": {"channel": null, "agent": "eva"}})))]
pub struct SessionPatch {
    /// Merged into the metadata: a null removes its key. Null itself empties it. At most 16 KiB
    /// afterwards.
    pub metadata: Option<Document>,
    /// The new language.
    #[schema(required = false)]
    pub language: Language,
}

/// Why a session is closed.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({"reason": "caller hung up"})))]
pub struct Closing {
    /// In words: at most 1024 bytes of UTF-8.
    #[schema(max_length = 1024)]
    pub reason: Option<String>,
}

/// An event to append.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({
    "eventId": "turn-1",
    "type": "user_speech",
    "payload": {"text": "Hello"}
})))]
pub struct NewEvent {
    /// Its name.
    pub event_id: EventId,
    /// Who said it.
    pub r#type: EventType,
    /// What was said: at most 256 KiB.
    pub payload: Document,
    /// When it was said; the time of arrival without.
    pub timestamp: Option<Time>,
    /// Append only at this place in the log.
    #[schema(minimum = 1)]
    pub expected_seq: Option<i64>,
}

/// An event to append to the session that it names.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({
    "sessionId": "call-7f3a",
    "eventId": "turn-2",
    "type": "bot_speech",
    "payload": {"text": "How can I help?"}
})))]
pub struct NewSessionEvent {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Its name.
    pub event_id: EventId,
    /// Who said it.
    pub r#type: EventType,
    /// What was said: at most 256 KiB.
    pub payload: Document,
    /// When it was said; the time of arrival without.
    pub timestamp: Option<Time>,
    /// Append only at this place in the log.
    #[schema(minimum = 1)]
    pub expected_seq: Option<i64>,
}

/// Events to append to one session.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({"events": [
    {"eventId": "turn-3", "type": "user_speech", "payload": {"text": "I lost my card"}},
    {"eventId": "turn-4", "type": "bot_speech", "payload": {"text": "I will block it"}}
]})))]
pub struct Batch {
    /// In the order in which they are to be appended.
    #[schema(min_items = 1, max_items = 500, schema_with = items_of::<NewEvent>)]
    pub events: Vec<NewEvent>,
}

/// Events to append, each to the session that it names.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({"events": [
    {"sessionId": "call-7f3a", "eventId": "turn-5", "type": "system", "payload": {"blocked": true}}
]})))]
pub struct SessionsBatch {
    /// Those of one session in the order in which they are to be appended.
    #[schema(schema_with = items_of::<NewSessionEvent>)]
    pub events: Vec<NewSessionEvent>,
}

/// The items of a batch. Anything else than an event is refused too, but by itself, in the answer
/// to the whole.
fn items_of<T: ToSchema>() -> Schema {
    let anything = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .description(Some("Anything else is refused by itself, in `results`."));
    let item = AnyOfBuilder::new()
        .item(Ref::from_schema_name(T::name()))
        .item(anything);
    ArrayBuilder::new()
        .items(item)
        .min_items(Some(1))
        .max_items(Some(500))
        .into()
}

/// A session.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({
    "sessionId": "call-7f3a",
    "status": "initiated",
    "language": "en-US",
    "startedAt": "2026-11-25T09:30:00.000Z",
    "createdAt": "2026-11-25T09:30:00.000Z",
    "updatedAt": "2026-11-25T09:30:00.000Z",
    "endedAt": null,
    "endReason": null,
    "eventCount": 0,
    "metadata": {"channel": "phone"},
    "version": 1
})))]
pub struct Session {
    /// Its name.
    pub session_id: SessionId,
    /// Where it stands.
    pub status: SessionStatus,
    /// The language it is held in.
    pub language: Language,
    /// When the conversation began.
    pub started_at: TimeUtc,
    /// When it was created.
    pub created_at: TimeUtc,
    /// When its version last changed.
    pub updated_at: TimeUtc,
    /// When it was closed; null while it is open.
    #[schema(required)]
    pub ended_at: Option<TimeUtc>,
    /// Why it was closed, when the one who closed it said so.
    #[schema(required)]
    pub end_reason: Option<String>,
    /// How many events it has.
    #[schema(minimum = 0)]
    pub event_count: i64,
    /// What else is remembered.
    pub metadata: Document,
    /// Counts the changes by PATCH and by closing, from 1.
    #[schema(minimum = 1)]
    pub version: i64,
}

/// A session in a list.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListedSession {
    /// Its name.
    pub session_id: SessionId,
    /// Where it stands.
    pub status: SessionStatus,
    /// The language it is held in.
    pub language: Language,
    /// When the conversation began.
    pub started_at: TimeUtc,
    /// When it was created.
    pub created_at: TimeUtc,
    /// When its version last changed.
    pub updated_at: TimeUtc,
    /// When it was closed; null while it is open.
    #[schema(required)]
    pub ended_at: Option<TimeUtc>,
    /// Why it was closed, when the one who closed it said so.
    #[schema(required)]
    pub end_reason: Option<String>,
    /// How many events it has; absent while it is open.
    #[schema(minimum = 0, required = false)]
    pub event_count: i64,
    /// What else is remembered.
    pub metadata: Document,
    /// Counts the changes by PATCH and by closing, from 1.
    #[schema(minimum = 1)]
    pub version: i64,
}

/// An event. It never changes; only erasing its session removes it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({
    "sessionId": "call-7f3a",
    "seq": 1,
    "eventId": "turn-1",
    "type": "user_speech",
    "payload": {"text": "Hello"},
    "timestamp": "2026-11-25T09:30:00.000Z",
    "recordedAt": "2026-11-25T09:30:00.000Z"
})))]
pub struct Event {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Its place in the log of the session: 1, 2, 3 … without a gap.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Its name.
    pub event_id: EventId,
    /// Who said it.
    pub r#type: EventType,
    /// What was said.
    pub payload: Document,
    /// When it was said, as the client gave it; else the time of arrival.
    pub timestamp: TimeUtc,
    /// When it arrived.
    pub recorded_at: TimeUtc,
}

/// Where a page of events stands.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pagination {
    /// Most events of a page.
    #[schema(minimum = 1)]
    pub limit: i64,
    /// How many events the session has; absent with `type`, `since` or `until`.
    #[schema(minimum = 0, required = false)]
    pub total: i64,
    /// The offset that was asked for.
    #[schema(minimum = 0, required = false)]
    pub offset: i64,
    /// Where to go on; absent at the end, and with `afterSeq`.
    #[schema(required = false)]
    pub next_cursor: String,
}

/// Where a page of sessions stands.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPagination {
    /// Most sessions of a page.
    #[schema(minimum = 1)]
    pub limit: i64,
    /// Where to go on; absent at the end.
    #[schema(required = false)]
    pub next_cursor: String,
}

/// One session.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionAnswer {
    /// As it is stored.
    pub session: Session,
}

/// One session with a page of its events.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionPageAnswer {
    /// As it is stored.
    pub session: Session,
    /// In the order asked for.
    pub events: Vec<Event>,
    /// Where the page stands.
    pub pagination: Pagination,
}

/// A page of sessions.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionListAnswer {
    /// Newest start first.
    pub sessions: Vec<ListedSession>,
    /// Where the page stands.
    pub pagination: ListPagination,
}

/// One event.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventAnswer {
    /// As it is stored.
    pub event: Event,
}

/// A page of events.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventPageAnswer {
    /// In the order asked for.
    pub events: Vec<Event>,
    /// Where the page stands.
    pub pagination: Pagination,
}

/// A message of a stream, its fields as texts.
#[derive(ToSchema)]
pub struct StreamMessage {
    /// The seq of the event; that of the end is one more than that of the last event.
    #[schema(pattern = "^[0-9]+$")]
    pub id: String,
    /// `end` at the end of the session. Absent with every event before, which stands for `message`.
    #[schema(required = false, pattern = "^(?:message|end)$")]
    pub event: String,
    /// JSON: an `Event`, or with `end` an object with `status` (`completed`, `failed` or
    /// `erased`), `endedAt` and, where there is one, `reason`.
    pub data: String,
}

/// A result for each event of a batch, in its order.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchAnswer {
    /// One for each event.
    pub results: Vec<BatchResult>,
}

/// What became of one event of a batch.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchResult {
    /// The status that the same event sent alone would have had.
    #[schema(minimum = 200, maximum = 599)]
    pub status: i32,
    /// The event as it is stored: with 200 and 201.
    #[schema(required = false)]
    pub event: Event,
    /// Why it was refused: with any other status.
    #[schema(required = false)]
    pub problem: Problem,
}

/// An error (RFC 9457).
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Problem {
    /// What kind of error it is: never changes, and leads to its documentation.
    #[schema(format = "uri")]
    pub r#type: String,
    /// The kind in words.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: i32,
    /// What is wrong with this request.
    pub detail: String,
    /// The id of the request.
    pub instance: String,
    /// Every violation of an invalid request.
    #[schema(required = false, min_items = 1)]
    pub errors: Vec<Violation>,
    /// The next place in the log, where `expectedSeq` was another.
    #[schema(required = false, minimum = 1)]
    pub next_seq: i64,
}

/// One rule that a request breaks, with its place: one of `pointer`, `parameter`, `header`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// What is wrong.
    pub detail: String,
    /// A JSON pointer (RFC 6901) from the root of the body.
    #[schema(required = false)]
    pub pointer: String,
    /// A path or query parameter.
    #[schema(required = false)]
    pub parameter: String,
    /// A header.
    #[schema(required = false)]
    pub header: String,
}

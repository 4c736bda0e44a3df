//! The parameters of the API, as types only for their documentation.

use utoipa::IntoParams;

use crate::http::openapi::schemas::{EventType, SessionStatus};
use crate::http::openapi::values::{EntityTags, EventId, Language, SessionId, Time};

/// The path of a session.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionPath {
    /// The id of the session, percent-encoded: a `/` in it is `%2F`. At most 256 bytes of UTF-8.
    #[param(rename = "sessionId")]
    pub session_id: SessionId,
}

/// The path of an event.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EventPath {
    /// The id of the session, percent-encoded: a `/` in it is `%2F`. At most 256 bytes of UTF-8.
    #[param(rename = "sessionId")]
    pub session_id: SessionId,
    /// The id of the event, percent-encoded: a `/` in it is `%2F`. At most 256 bytes of UTF-8.
    #[param(rename = "eventId")]
    pub event_id: EventId,
}

/// How fresh an answer has to be.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyParameter {
    /// `strong` sees every write that was acknowledged before the read began; `linearizable` also
    /// where a deposed primary is not aware of it yet, for a higher price; `eventual` may be
    /// behind, and never waits for a primary. On the embedded store they are the same.
    #[param(inline)]
    pub consistency: Option<Consistency>,
}

/// See the parameter.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase", default = "strong")]
pub enum Consistency {
    /// `strong`
    Strong,
    /// `linearizable`
    Linearizable,
    /// `eventual`
    Eventual,
}

/// The order of a page of events.
#[derive(utoipa::ToSchema)]
#[schema(default = "timestamp")]
pub enum Order {
    /// `timestamp`
    #[schema(rename = "timestamp")]
    Timestamp,
    /// `-timestamp`
    #[schema(rename = "-timestamp")]
    TimestampDescending,
    /// `seq`
    #[schema(rename = "seq")]
    Seq,
    /// `-seq`
    #[schema(rename = "-seq")]
    SeqDescending,
}

/// A page of events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// Most events to answer.
    #[param(minimum = 1, maximum = 500, default = 50)]
    pub limit: Option<u32>,
    /// Go on after a page: its `nextCursor`. The other parameters have to be repeated, `limit` may
    /// change. Not with `offset` or `afterSeq`.
    pub cursor: Option<String>,
    /// Skip so many events of the order. To go on from such a page, follow its `nextCursor`
    /// without `offset`.
    #[param(minimum = 0, maximum = 10000)]
    pub offset: Option<u32>,
    /// Ties of time go by seq; the descending orders are the exact reverse.
    #[param(inline)]
    pub order: Option<Order>,
    /// How fresh: see the other reads.
    #[param(inline)]
    pub consistency: Option<Consistency>,
}

/// Which events, and polling.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilterParameters {
    /// Only events after this seq, in the order of seq: for polling. Not with `order`, `offset` or
    /// `cursor`.
    #[param(rename = "afterSeq", minimum = 0)]
    pub after_seq: Option<i64>,
    /// Only events of this type.
    #[param(rename = "type", inline)]
    pub kind: Option<EventType>,
    /// Only events at this time or later.
    pub since: Option<Time>,
    /// Only events before this time.
    pub until: Option<Time>,
}

/// A page of sessions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// Only sessions in this status.
    #[param(inline)]
    pub status: Option<SessionStatus>,
    /// Only sessions in exactly this language, whatever its case.
    pub language: Option<Language>,
    /// Only sessions that started at this time or later.
    #[param(rename = "startedAfter")]
    pub started_after: Option<Time>,
    /// Only sessions that started before this time.
    #[param(rename = "startedBefore")]
    pub started_before: Option<Time>,
    /// Most sessions to answer.
    #[param(minimum = 1, maximum = 500, default = 50)]
    pub limit: Option<u32>,
    /// Go on after a page: its `nextCursor`. The other parameters have to be repeated, `limit` may
    /// change.
    pub cursor: Option<String>,
    /// How fresh: see the other reads.
    #[param(inline)]
    pub consistency: Option<Consistency>,
}

/// The version that a change builds on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// Change the session only at one of these versions: the `ETag` of an earlier answer, a list of
    /// them, or `*`.
    #[param(rename = "If-Match", required = false)]
    pub if_match: EntityTags,
}

/// Where a stream begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AfterParameter {
    /// Stream what comes after this seq; beyond the last one, the stream waits.
    #[param(minimum = 0)]
    pub after: Option<i64>,
}

/// Where a stream goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub struct LastEventIdHeader {
    /// The same as `after`, and beats it: an `EventSource` sends it when it connects again.
    #[param(rename = "Last-Event-ID", minimum = 0, required = false)]
    pub last_event_id: i64,
}

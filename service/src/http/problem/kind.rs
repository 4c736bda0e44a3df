//! The list of every error the API can answer, as `docs/errors.md` has it. Facts only: what one
//! answer says beside them is in [`super::Problem`].

use axum::http::StatusCode;

/// Where the types of problems are documented; the fragment is the name of the problem.
pub(in crate::http) const DOCUMENTATION: &str = "https://sessionstore.dev/errors";

/// Whether sending the same request again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The answer will be the same.
    Useless,
    /// The same request may succeed, at any time.
    Helps,
    /// The same request may succeed after so many seconds: `Retry-After`.
    HelpsAfter(u8),
}

macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $name:ident = $slug:literal, $status:ident, $retry:expr, $title:literal;)+) => {
        /// What went wrong, without the particulars of one request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[doc = $meaning])+ $name,)+
        }

        impl Kind {
            /// Every kind, in the order of its documentation.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name: the fragment of its `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug),+ }
            }

            /// The status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            /// The same words for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }

            /// Whether to send the request again.
            pub fn retry(self) -> Retry {
                match self { $(Self::$name => $retry),+ }
            }

            /// What it means and what to do about it, in Markdown.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning, "\n"),+).trim_ascii()),+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON (RFC 8259, UTF-8, without a byte order mark). `detail` says what is
    /// wrong and at which byte, counted from 0.
    BadJson = "bad-json", BAD_REQUEST, Retry::Useless, "The body is not JSON";

    /// Something in the request breaks a rule. `errors` lists the violations (at most 50), each
    /// with its place: a JSON pointer from the root of the body (`pointer`), the name of a path
    /// or query parameter (`parameter`), or the name of a header (`header`). Those of parameters
    /// and headers are told before the body is read.
    InvalidRequest = "invalid-request", BAD_REQUEST, Retry::Useless, "The request is not valid";

    /// The body could not be read to its end: the connection broke, or its framing is wrong.
    /// Nothing was done.
    UnreadableBody = "unreadable-body", BAD_REQUEST, Retry::Helps, "The body could not be read";

    /// There is no such route. Paths have no trailing slash; a `/` inside an id is written `%2F`.
    RouteNotFound = "route-not-found", NOT_FOUND, Retry::Useless, "There is no such route";

    /// No session of this id was ever created.
    SessionNotFound = "session-not-found", NOT_FOUND, Retry::Useless, "There is no such session";

    /// The session exists, and has no event of this id.
    EventNotFound = "event-not-found", NOT_FOUND, Retry::Useless, "There is no such event";

    /// The route exists, but not for this method. The header `Allow` lists those that do.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, Retry::Useless, "The method is not allowed here";

    /// The body took too long to arrive. Nothing was done.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, Retry::Helps, "The body did not arrive in time";

    /// The session is completed or failed, and takes no new event. An event that was stored
    /// before it closed is still answered with 200 when it is sent again.
    SessionClosed = "session-closed", CONFLICT, Retry::Useless, "The session is closed";

    /// The session was closed with the other outcome: a completed session cannot fail any more,
    /// a failed one cannot complete.
    ClosedOtherwise = "closed-otherwise", CONFLICT, Retry::Useless, "The session is closed with the other outcome";

    /// The session has an event of this id with another `type`, `payload` or `timestamp`. It is
    /// no retry of that event, so it needs an id of its own. The stored event is unchanged.
    EventIdTaken = "event-id-taken", CONFLICT, Retry::Useless, "The event id is taken by another event";

    /// `expectedSeq` is not the next place in the log. `nextSeq` is: read the events from
    /// `expectedSeq` on, and decide again.
    SeqNotNext = "seq-not-next", CONFLICT, Retry::Useless, "The expected seq is not the next one";

    /// The session was erased. Its id stays spent: every call on it but DELETE is answered so,
    /// for ever.
    SessionErased = "session-erased", GONE, Retry::Useless, "The session was erased";

    /// The session's version is none of those in `If-Match`. Read the session, and decide again.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, Retry::Useless, "The session has another version";

    /// The body is larger than this route takes: 1 MiB, 8 MiB for a batch, if not configured
    /// otherwise.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, Retry::Useless, "The body is too large";

    /// The body has no `Content-Type`, or one that this route does not take: `application/json`
    /// everywhere (a `charset` may only be `utf-8`), for PATCH `application/merge-patch+json`
    /// too. Compressed bodies are not taken.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, Retry::Useless, "The media type is not supported";

    /// More is waiting to be stored than this server accepts. Nothing was done. Wait as
    /// `Retry-After` says, and send the same request again.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, Retry::HelpsAfter(1), "The server is overloaded";

    /// The store did not answer, or not in time. It is not known whether the request was carried
    /// out, and it need not be: wait as `Retry-After` says, and send the same request again.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, Retry::HelpsAfter(1), "The store is not available";

    /// Too many others change the same session at the same time. Nothing was done. Wait as
    /// `Retry-After` says, and send the same request again.
    Contended = "contended", SERVICE_UNAVAILABLE, Retry::HelpsAfter(1), "The session is changed by too many others";

    /// The server failed at something that it should have been able to do: a defect of its own, not
    /// of the request. Its log says where. Whether the request was carried out is not known; it is
    /// safe to send it again.
    Internal = "internal", INTERNAL_SERVER_ERROR, Retry::Helps, "The server failed";
}

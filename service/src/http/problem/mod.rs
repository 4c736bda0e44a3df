//! Errors as the API answers them: RFC 9457 `application/problem+json`, one closed list.
//!
//! A handler returns a [`Problem`]; as a response it travels in the extensions, with nothing but
//! its status, until the outermost layer, which knows the request's id, renders it. What the
//! layers below refuse is translated in `refusals`; nothing here knows a route.

mod kind;
mod markdown;
mod refusals;
mod violation;

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::domain::{Seq, SessionStatus, Terminal};
use crate::http::media::Accepted;
use crate::json::{SyntaxError, write_string};
use crate::store::StoreError;

pub(in crate::http) use kind::DOCUMENTATION;
pub use kind::{Kind, Retry};
pub use markdown::errors_markdown;
pub use violation::{Place, Violation, Violations};

/// Why a request was not done. The text is the `detail` of the answer.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Problem {
    /// See [`Kind::BadJson`].
    #[error("{0}")]
    BadJson(SyntaxError),
    /// See [`Kind::InvalidRequest`].
    #[error("{0}")]
    Invalid(Violations),
    /// See [`Kind::UnreadableBody`].
    #[error("the body ended early, or its framing is wrong")]
    UnreadableBody,
    /// See [`Kind::RouteNotFound`].
    #[error("no route has this path")]
    RouteNotFound,
    /// See [`Kind::SessionNotFound`].
    #[error("no session of this id was ever created")]
    SessionNotFound,
    /// See [`Kind::EventNotFound`].
    #[error("the session has no event of this id")]
    EventNotFound,
    /// See [`Kind::MethodNotAllowed`].
    #[error("this route takes {allow}")]
    MethodNotAllowed {
        /// The value of the header `Allow`.
        allow: &'static str,
    },
    /// See [`Kind::BodyTimeout`].
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// See [`Kind::SessionClosed`].
    #[error("the session {} and takes no new event", closing(.0))]
    SessionClosed(Terminal),
    /// See [`Kind::ClosedOtherwise`].
    #[error("the session {}", closing(.0))]
    ClosedOtherwise(Terminal),
    /// See [`Kind::EventIdTaken`].
    #[error("the session has an event of this id with another type, payload or timestamp")]
    EventIdTaken,
    /// See [`Kind::SeqNotNext`].
    #[error("the next seq is {next}")]
    SeqNotNext {
        /// The next place in the log, also told as `nextSeq`.
        next: Seq,
    },
    /// See [`Kind::SessionErased`].
    #[error("the session was erased, its id stays spent")]
    SessionErased,
    /// See [`Kind::PreconditionFailed`].
    #[error("the session's version is none of those in `If-Match`")]
    PreconditionFailed,
    /// See [`Kind::BodyTooLarge`].
    #[error("the body must be at most {limit} bytes")]
    BodyTooLarge {
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// See [`Kind::UnsupportedMediaType`].
    #[error("the `Content-Type` of the body must be {}, uncompressed", accepted.in_words())]
    UnsupportedMediaType {
        /// What the route takes.
        accepted: Accepted,
    },
    /// See [`Kind::Overloaded`].
    #[error("too much is waiting to be stored; nothing was done")]
    Overloaded,
    /// See [`Kind::Unavailable`]. Why is for the log, not for the client.
    #[error("the store did not answer in time; it is safe to send the request again")]
    Unavailable(StoreError),
    /// See [`Kind::Internal`].
    #[error("the server failed; its log says where")]
    Internal,
    /// See [`Kind::Contended`].
    #[error("the session was changed by others at every attempt; nothing was done")]
    Contended,
}

/// `was completed at 2026-11-25T09:30:00.000Z`
fn closing(terminal: &Terminal) -> String {
    let status = SessionStatus::from(terminal.status).as_str();
    format!("{status} at {}", terminal.at)
}

impl Problem {
    /// A single violation.
    pub(in crate::http) fn invalid(place: Place, detail: impl std::fmt::Display) -> Self {
        Self::Invalid(Violations::one(place, detail))
    }

    /// Its place in the list of errors.
    pub fn kind(&self) -> Kind {
        match self {
            Self::BadJson(_) => Kind::BadJson,
            Self::Invalid(_) => Kind::InvalidRequest,
            Self::UnreadableBody => Kind::UnreadableBody,
            Self::RouteNotFound => Kind::RouteNotFound,
            Self::SessionNotFound => Kind::SessionNotFound,
            Self::EventNotFound => Kind::EventNotFound,
            Self::MethodNotAllowed { .. } => Kind::MethodNotAllowed,
            Self::BodyTimeout => Kind::BodyTimeout,
            Self::SessionClosed(_) => Kind::SessionClosed,
            Self::ClosedOtherwise(_) => Kind::ClosedOtherwise,
            Self::EventIdTaken => Kind::EventIdTaken,
            Self::SeqNotNext { .. } => Kind::SeqNotNext,
            Self::SessionErased => Kind::SessionErased,
            Self::PreconditionFailed => Kind::PreconditionFailed,
            Self::BodyTooLarge { .. } => Kind::BodyTooLarge,
            Self::UnsupportedMediaType { .. } => Kind::UnsupportedMediaType,
            Self::Overloaded => Kind::Overloaded,
            Self::Unavailable(_) => Kind::Unavailable,
            Self::Contended => Kind::Contended,
            Self::Internal => Kind::Internal,
        }
    }

    /// What the store said, for the log of the server: clients are not told.
    pub fn cause(&self) -> Option<&StoreError> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }

    /// The answer. `instance` is the id of the request.
    pub fn render(self, instance: &str) -> Response {
        let kind = self.kind();
        let mut body = String::with_capacity(400);
        self.write(&mut body, instance);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = kind.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Retry::HelpsAfter(seconds) = kind.retry() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
        }
        if let Some((name, value)) = self.header() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// What a client needs to know to do it right the next time.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::MethodNotAllowed { allow } => Some((header::ALLOW, allow)),
            Self::UnsupportedMediaType { accepted } => Some(accepted.header()),
            _ => None,
        }
    }

    /// Appends the JSON object of RFC 9457 §3.
    pub(in crate::http) fn write(&self, out: &mut String, instance: &str) {
        let kind = self.kind();
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{{\"type\":\"{DOCUMENTATION}#{}\",\"title\":\"{}\",\"status\":{},\"detail\":",
            kind.slug(),
            kind.title(),
            kind.status().as_u16(),
        );
        write_string(out, &self.to_string());
        out.push_str(",\"instance\":");
        write_string(out, instance);
        match self {
            Self::Invalid(violations) => {
                out.push_str(",\"errors\":");
                violations.write(out);
            }
            Self::SeqNotNext { next } => {
                let _ = write!(out, ",\"nextSeq\":{next}");
            }
            _ => {}
        }
        out.push('}');
    }
}

impl IntoResponse for Problem {
    /// A response that carries the problem in its extensions, to be rendered with the request's
    /// id.
    fn into_response(self) -> Response {
        let mut response = self.kind().status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{ClosingStatus, Timestamp};

    use super::*;

    fn body(problem: &Problem) -> serde_json::Value {
        let mut text = String::new();
        problem.write(&mut text, "a \"b\"");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let mut violations = Violations::one(Place::Pointer("/a".to_owned()), "must be a string");
        violations.add(Place::Parameter("limit".to_owned()), "must not be repeated");
        violations.add(Place::Header("If-Match"), "is wrong");
        assert_eq!(
            body(&Problem::Invalid(violations)),
            serde_json::json!({
                "type": "https://sessionstore.dev/errors#invalid-request",
                "title": "The request is not valid",
                "status": 400,
                "detail": "`/a` must be a string (3 errors)",
                "instance": "a \"b\"",
                "errors": [
                    {"detail": "must be a string", "pointer": "/a"},
                    {"detail": "must not be repeated", "parameter": "limit"},
                    {"detail": "is wrong", "header": "If-Match"},
                ],
            })
        );
    }

    #[test]
    fn a_closed_session_tells_how_and_when_it_closed() {
        let terminal = Terminal {
            seq: Seq::FIRST,
            status: ClosingStatus::Failed,
            at: Timestamp::from_millis(0),
            reason: None,
        };
        let detail = Problem::SessionClosed(terminal).to_string();
        assert_eq!(
            detail,
            "the session failed at 1970-01-01T00:00:00.000Z and takes no new event"
        );
    }

    #[test]
    fn headers_tell_what_to_do_about_it() {
        let header = |problem: Problem, name: &str| {
            let response = problem.render("1");
            response.headers().get(name).cloned().unwrap()
        };
        assert_eq!(header(Problem::Overloaded, "retry-after"), "1");
        let allow = "GET, HEAD";
        assert_eq!(header(Problem::MethodNotAllowed { allow }, "allow"), allow);
        let next = Seq::after(6);
        assert_eq!(body(&Problem::SeqNotNext { next })["nextSeq"], 7);
    }
}

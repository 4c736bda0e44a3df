//! Taking a request apart, in the order in which it is judged: parameters, then the body.

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use bytes::Bytes;

use crate::http::Api;
use crate::http::body::{self, Bounds};
use crate::http::media::Accepted;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::json;

/// A request whose parameters are right, its body not yet read.
pub(super) struct Unread<P> {
    /// What the parameters say.
    pub(super) parameters: P,
    parts: Parts,
    body: Body,
}

/// Reads the parameters.
pub(super) fn parameters<P>(
    request: Request,
    read: impl FnOnce(&Parts) -> Result<P, Problem>,
) -> Result<Unread<P>, Problem> {
    let (parts, body) = request.into_parts();
    match read(&parts) {
        Ok(parameters) => Ok(Unread {
            parameters,
            parts,
            body,
        }),
        Err(problem) => {
            body::discard(&parts.headers, body);
            Err(problem)
        }
    }
}

impl<P> Unread<P> {
    /// Reads the body, of at most `limit` bytes; `read` makes the request of it.
    pub(super) async fn body<T>(
        self,
        api: &Api,
        accepted: Accepted,
        limit: usize,
        read: impl FnOnce(P, json::Value<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let bytes = bytes(api, &self.parts, self.body, accepted, limit).await?;
        let value = json::check(&bytes).map_err(Problem::BadJson)?;
        read(self.parameters, value)
    }

    /// The same, of a request that has to wait in a queue: where that has no room, nothing but this
    /// is said of it. Most of what a refusal costs otherwise is to judge its body.
    pub(super) async fn queued_body<T>(
        self,
        api: &Api,
        accepted: Accepted,
        limit: usize,
        read: impl FnOnce(P, json::Value<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let bytes = bytes(api, &self.parts, self.body, accepted, limit).await?;
        if !api.log.has_room() {
            return Err(Problem::Overloaded);
        }
        let value = json::check(&bytes).map_err(Problem::BadJson)?;
        read(self.parameters, value)
    }

    /// Like [`Self::body`], where there need not be a body at all.
    pub(super) async fn optional_body<T>(
        self,
        api: &Api,
        accepted: Accepted,
        limit: usize,
        read: impl FnOnce(P, Option<json::Value<'_>>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let bytes = bytes(api, &self.parts, self.body, accepted, limit).await?;
        if bytes.is_empty() {
            return read(self.parameters, None);
        }
        let value = json::check(&bytes).map_err(Problem::BadJson)?;
        read(self.parameters, Some(value))
    }
}

async fn bytes(
    api: &Api,
    parts: &Parts,
    body: Body,
    accepted: Accepted,
    limit: usize,
) -> Result<Bytes, Problem> {
    let bounds = Bounds {
        accepted,
        limit,
        patience: api.timing.body,
    };
    body::read(&parts.headers, body, bounds).await
}

/// Reads the parameters of a route that has none in its query, and at most `{sessionId}` in its
/// path.
pub(super) fn no_query<P>(
    parts: &Parts,
    read: impl FnOnce(&mut Parameters<'_>) -> Option<P>,
) -> Result<P, Problem> {
    let mut given = Parameters::of(&parts.uri);
    let path = read(&mut given);
    let [] = given.query([]);
    given.finish(|| path)
}

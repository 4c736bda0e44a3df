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

/// A request whose body has arrived, not yet judged.
struct Arrived<P> {
    parameters: P,
    body: Bytes,
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
        self.arrived(api, accepted, limit).await?.judged(read)
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
        let arrived = self.arrived(api, accepted, limit).await?;
        if !api.log.has_room() {
            return Err(Problem::Overloaded);
        }
        arrived.judged(read)
    }

    /// Like [`Self::body`], where there need not be a body at all.
    pub(super) async fn optional_body<T>(
        self,
        api: &Api,
        accepted: Accepted,
        limit: usize,
        read: impl FnOnce(P, Option<json::Value<'_>>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let arrived = self.arrived(api, accepted, limit).await?;
        if arrived.body.is_empty() {
            return read(arrived.parameters, None);
        }
        arrived.judged(|parameters, value| read(parameters, Some(value)))
    }

    async fn arrived(
        self,
        api: &Api,
        accepted: Accepted,
        limit: usize,
    ) -> Result<Arrived<P>, Problem> {
        let bounds = Bounds {
            accepted,
            limit,
            patience: api.timing.body,
        };
        Ok(Arrived {
            parameters: self.parameters,
            body: body::read(&self.parts.headers, self.body, bounds).await?,
        })
    }
}

impl<P> Arrived<P> {
    fn judged<T>(
        self,
        read: impl FnOnce(P, json::Value<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let value = json::check(&self.body).map_err(Problem::BadJson)?;
        read(self.parameters, value)
    }
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

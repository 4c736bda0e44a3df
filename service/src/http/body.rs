//! Reading the body of a request: media type, then size, then the bytes.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::http::media::Accepted;
use crate::http::problem::Problem;

/// What a route takes for a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) accepted: Accepted,
    /// Most bytes.
    pub(super) limit: usize,
    /// How long all of it may take to arrive.
    pub(super) patience: Duration,
}

/// The whole body; empty if there is none. A body of no bytes has no media type to be wrong.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    bounds: Bounds,
) -> Result<Bytes, Problem> {
    let reading = collect(headers, &mut body, bounds);
    let result = tokio::time::timeout(bounds.patience, reading)
        .await
        .unwrap_or(Err(Problem::BodyTimeout));
    if matches!(
        result,
        Err(Problem::BodyTooLarge { .. } | Problem::UnsupportedMediaType { .. })
    ) {
        discard(headers, body);
    }
    result
}

async fn collect(headers: &HeaderMap, body: &mut Body, bounds: Bounds) -> Result<Bytes, Problem> {
    let Bounds {
        accepted, limit, ..
    } = bounds;
    let too_large = Problem::BodyTooLarge { limit };
    let takes_type = accepted.takes(headers);
    let announced = body.size_hint().lower();
    if announced == 0 || takes_type {
        if announced > limit as u64 {
            return Err(too_large);
        }
    } else {
        return Err(Problem::UnsupportedMediaType { accepted });
    }
    let Some(first) = next_data(body).await? else {
        return Ok(Bytes::new());
    };
    if !takes_type {
        return Err(Problem::UnsupportedMediaType { accepted });
    }
    if first.len() > limit {
        return Err(too_large);
    }
    let Some(second) = next_data(body).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(data) = next {
        if whole.len() + data.len() > limit {
            return Err(too_large);
        }
        whole.extend_from_slice(&data);
        next = next_data(body).await?;
    }
    Ok(whole.freeze())
}

/// The next bytes; `None` at the end.
async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::UnreadableBody)?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// How much of a refused body is read and thrown away, and for how long.
const DISCARD_BYTES: usize = 32 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads on beside the answer that refuses a request. To close a connection with bytes unread
/// resets it, and a client that is still sending may then never see the answer.
pub(super) fn discard(headers: &HeaderMap, mut body: Body) {
    // A client that asked first (`Expect: 100-continue`) sends nothing after a refusal.
    if body.is_end_stream() || headers.contains_key(header::EXPECT) {
        return;
    }
    tokio::spawn(async move {
        let reading = async {
            let mut left = DISCARD_BYTES;
            while let Ok(Some(data)) = next_data(&mut body).await {
                left = left.saturating_sub(data.len());
                if left == 0 {
                    return;
                }
            }
        };
        // Whether it ended in time makes no difference: the connection may close now.
        let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
    });
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::HeaderValue;
    use futures::{StreamExt, stream};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        accepted: Accepted::Json,
        limit: 10,
        patience: Duration::from_secs(30),
    };

    fn json() -> HeaderMap {
        let json = HeaderValue::from_static("application/json");
        HeaderMap::from_iter([(header::CONTENT_TYPE, json)])
    }

    fn chunks(chunks: &'static [&'static str]) -> Body {
        let chunks = chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk));
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_however_it_is_cut() {
        let parts: &[&str] = &["", "{\"a\"", ":", "1}", ""];
        for body in [Body::from("{\"a\":1}"), chunks(parts)] {
            let whole = read(&json(), body, BOUNDS).await.unwrap();
            assert_eq!(whole, "{\"a\":1}");
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
        let too_large = Err(Problem::BodyTooLarge { limit: 10 });
        let announced = Body::from("12345678901");
        assert_eq!(read(&json(), announced, BOUNDS).await, too_large);
        let endless = stream::repeat_with(|| Ok::<_, Infallible>("1234"));
        let endless = Body::from_stream(endless);
        assert_eq!(read(&json(), endless, BOUNDS).await, too_large);
    }

    #[tokio::test]
    async fn only_a_body_with_bytes_needs_a_media_type() {
        let none = HeaderMap::new();
        let refused = Err(Problem::UnsupportedMediaType {
            accepted: Accepted::Json,
        });
        assert_eq!(read(&none, Body::empty(), BOUNDS).await, Ok(Bytes::new()));
        assert_eq!(read(&none, chunks(&[""]), BOUNDS).await, Ok(Bytes::new()));
        assert_eq!(read(&none, Body::from("{}"), BOUNDS).await, refused);
        assert_eq!(read(&none, chunks(&["{}"]), BOUNDS).await, refused);
        let large = Body::from("a body that is too large as well");
        assert_eq!(read(&none, large, BOUNDS).await, refused);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told_from_a_whole_one() {
        let broken = stream::iter([Ok("{}"), Err(std::io::Error::other("reset"))]);
        let broken = Body::from_stream(broken);
        let result = read(&json(), broken, BOUNDS).await;
        assert_eq!(result, Err(Problem::UnreadableBody));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let first = stream::iter([Ok::<_, Infallible>("{")]);
        let silent = Body::from_stream(first.chain(stream::pending()));
        let result = read(&json(), silent, BOUNDS).await;
        assert_eq!(result, Err(Problem::BodyTimeout));
    }
}

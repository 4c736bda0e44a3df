//! Calling a server, and trying again where that is safe and may help.
//!
//! Everything that import and export send is idempotent, so every call may be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url, header};
use thiserror::Error;
use tokio::time::Instant;

use crate::cli::answer::detail_of;
use crate::tls;
use crate::version::VERSION;

/// A server, and how patient to be with it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    patience: Duration,
    /// Whether anything has ever answered; shared by all clones.
    has_answered: Arc<AtomicBool>,
}

/// A server as the command line names it.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerArgs {
    /// The server's API
    #[arg(long, env = "SESSIONSTORE_URL", default_value = "http://127.0.0.1:8080", value_parser = base_url)]
    url: Url,
    /// How long a call is tried again while the server is overloaded or away
    #[arg(
        long,
        env = "SESSIONSTORE_RETRY_FOR",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = crate::config::duration(0, 86_400_000),
    )]
    retry_for: Duration,
}

/// Why a text is no URL of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected the URL of a server, such as http://127.0.0.1:8080")]
struct NoServerUrl;

fn base_url(text: &str) -> Result<Url, NoServerUrl> {
    let url = Url::parse(text).map_err(|_| NoServerUrl)?;
    let is_base = matches!(url.scheme(), "http" | "https") && url.query().is_none();
    if is_base { Ok(url) } else { Err(NoServerUrl) }
}

/// Why a call had no good answer.
#[derive(Debug, Error)]
pub(super) enum CallError {
    /// No client can be made.
    #[error("this machine has no TLS that can be used: {}", causes(.0))]
    NoClient(reqwest::Error),
    /// Nothing answered, again and again.
    #[error("{url} does not answer: {}; is the server running?", causes(.source))]
    Unreachable {
        /// What was called.
        url: Url,
        /// What happened the last time.
        source: reqwest::Error,
    },
    /// It was refused.
    #[error("{0}")]
    Refused(Refusal),
}

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{status}: {detail}")]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// What the server says about it.
    pub(super) detail: String,
}

/// All causes of an error in one line: the outermost alone rarely says what happened.
fn causes(error: &reqwest::Error) -> String {
    let mut line = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// How long to wait for a connection, and for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

impl Client {
    pub(super) fn new(server: &ServerArgs) -> Result<Self, CallError> {
        tls::install();
        let http = reqwest::Client::builder()
            .user_agent(format!("sessionstore/{VERSION}"))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(CallError::NoClient)?;
        Ok(Self {
            http,
            base: server.url.clone(),
            patience: server.retry_for,
            has_answered: Arc::default(),
        })
    }

    /// The URL of a path. Its segments may contain anything: a `/` in one becomes `%2F`.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// GETs until it is answered.
    pub(super) async fn get(&self, url: Url) -> Result<Bytes, CallError> {
        let (_, body) = self.call(Method::GET, url, None).await?;
        Ok(body)
    }

    /// POSTs JSON until it is answered.
    pub(super) async fn post(
        &self,
        url: Url,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes), CallError> {
        self.call(Method::POST, url, Some(body.into())).await
    }

    /// A server that has never answered may just be starting; more likely it is not there.
    fn patience(&self) -> Duration {
        const BEFORE_THE_FIRST_ANSWER: Duration = Duration::from_secs(3);
        if self.has_answered.load(Ordering::Relaxed) {
            self.patience
        } else {
            self.patience.min(BEFORE_THE_FIRST_ANSWER)
        }
    }

    async fn call(
        &self,
        method: Method,
        url: Url,
        body: Option<Bytes>,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let started = Instant::now();
        for attempt in 0.. {
            let mut request = self.http.request(method.clone(), url.clone());
            if let Some(body) = body.clone() {
                request = request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(body);
            }
            let outcome = exchange(request).await;
            if outcome.is_ok() {
                self.has_answered.store(true, Ordering::Relaxed);
            }
            let pause = match &outcome {
                Ok((status, _, _)) if status.is_success() => None,
                Ok((status, retry_after, _)) => pause_after(*status, *retry_after, attempt),
                Err(_) => Some(backoff(attempt)),
            };
            match (pause, outcome) {
                (Some(pause), _) if started.elapsed() + pause < self.patience() => {
                    tokio::time::sleep(pause).await;
                }
                (_, Ok((status, _, body))) if status.is_success() => return Ok((status, body)),
                (_, Ok((status, _, body))) => {
                    return Err(CallError::Refused(Refusal {
                        status,
                        detail: detail_of(&body),
                    }));
                }
                (_, Err(source)) => {
                    let source = source.without_url();
                    return Err(CallError::Unreachable { url, source });
                }
            }
        }
        unreachable!("the attempts are not counted to their end")
    }
}

async fn exchange(
    request: reqwest::RequestBuilder,
) -> Result<(StatusCode, Option<Duration>, Bytes), reqwest::Error> {
    let response = request.send().await?;
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    Ok((response.status(), retry_after, response.bytes().await?))
}

/// How long to wait before a refused call is tried again, if that can help. Proxies answer 502 and
/// 504 for a server that is being replaced.
fn pause_after(
    status: StatusCode,
    retry_after: Option<Duration>,
    attempt: u32,
) -> Option<Duration> {
    let may_help = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    may_help.then(|| retry_after.unwrap_or_else(|| backoff(attempt)))
}

/// 100 ms, doubling up to 5 s.
fn backoff(attempt: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(5);
    Duration::from_millis(100 << attempt.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        let url = base_url(url).unwrap();
        let retry_for = Duration::ZERO;
        Client::new(&ServerArgs { url, retry_for }).unwrap()
    }

    #[test]
    fn an_id_is_one_segment_of_a_path_whatever_it_contains() {
        let url = client("http://localhost:1").url(&["v1", "sessions", "a/b ?#%ü"], &[]);
        let expected = "http://localhost:1/v1/sessions/a%2Fb%20%3F%23%25%C3%BC";
        assert_eq!(url.as_str(), expected);
    }

    #[test]
    fn a_server_may_lie_below_a_path() {
        for base in ["https://example.org/store", "https://example.org/store/"] {
            let url = client(base).url(&["v1", "sessions"], &[("cursor", "a+b&c")]);
            let expected = "https://example.org/store/v1/sessions?cursor=a%2Bb%26c";
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn only_an_answer_that_a_retry_can_change_is_retried() {
        let pause = |status: u16, after: Option<u64>| {
            let status = StatusCode::from_u16(status).unwrap();
            pause_after(status, after.map(Duration::from_secs), 0)
        };
        assert_eq!(pause(503, Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(pause(429, None), Some(Duration::from_millis(100)));
        for final_answer in [400, 404, 409, 410, 413, 500] {
            assert_eq!(pause(final_answer, Some(1)), None);
        }
    }

    #[test]
    fn who_never_answered_is_not_waited_for_as_long_as_who_did() {
        let url = base_url("http://localhost:1").unwrap();
        let retry_for = Duration::from_secs(30);
        let client = Client::new(&ServerArgs { url, retry_for }).unwrap();
        assert_eq!(client.patience(), Duration::from_secs(3));
        client.clone().has_answered.store(true, Ordering::Relaxed);
        assert_eq!(client.patience(), retry_for);
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert_eq!(backoff(1), Duration::from_millis(200));
        assert_eq!(backoff(5), Duration::from_millis(3200));
        assert_eq!(backoff(u32::MAX), Duration::from_secs(5));
    }
}

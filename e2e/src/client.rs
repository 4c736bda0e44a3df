//! A thin client: requests in, replies out. What holds for every answer of the service (a request
//! id, never a 500, each refusal a problem) is asserted here, for every request of the suite.

use std::sync::Once;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

use crate::{PATIENCE, problem::Problem, sample, session::Session, target::Target};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An id as a segment of a path.
pub fn segment(id: &str) -> String {
    utf8_percent_encode(id, RESERVED).to_string()
}

/// A client of one service. Connections belong to the runtime of the test that made it.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    target: Target,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Method and path of the request, for messages.
    pub request: String,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub text: String,
}

impl Api {
    /// A client of the service that all tests share.
    pub async fn shared() -> Self {
        Self::of(Target::shared().await)
    }

    /// A client of one process of that service, always the same: what a process tells of itself
    /// is about what was sent to it.
    pub async fn one_process() -> Self {
        Self::of(Target::shared().await.one_process())
    }

    /// A client of the service at `target`.
    pub fn of(target: Target) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider()
                .install_default()
                .expect("nobody else installs a provider");
        });
        let http = reqwest::Client::builder()
            .build()
            .expect("the client has no settings to refuse");
        Self { http, target }
    }

    /// Where this client sends its requests.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A handle to a session that may or may not exist.
    pub fn session(&self, id: impl Into<String>) -> Session {
        Session::new(self.clone(), id.into())
    }

    /// A new session with an id of its own.
    pub async fn new_session(&self) -> Session {
        let session = self.session(sample::fresh("s"));
        self.create(&sample::session(&session.id)).await.expect(201);
        session
    }

    /// Creates a session from this body.
    pub async fn create(&self, body: &Value) -> Reply {
        self.post("/v1/sessions", body).await
    }

    /// Lists sessions.
    pub async fn sessions(&self, query: &[(&str, &str)]) -> Reply {
        self.get("/v1/sessions", query).await
    }

    /// Lists sessions page by page until no cursor is left, and returns them all.
    pub async fn list(&self, query: &[(&str, &str)]) -> Vec<Value> {
        self.walk("/v1/sessions", "sessions", query).await
    }

    /// Appends to many sessions with one request.
    pub async fn append_batch(&self, events: &[Value]) -> Reply {
        self.post("/v1/events:batch", &serde_json::json!({ "events": events }))
            .await
    }

    /// GETs a path.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        self.send(self.request(Method::GET, path).query(query))
            .await
    }

    /// POSTs a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string()).await
    }

    /// POSTs this very text as JSON.
    pub async fn post_text(&self, path: &str, body: &str) -> Reply {
        let request = self.request(Method::POST, path);
        self.send(
            request
                .header("content-type", "application/json")
                .body(body.to_owned()),
        )
        .await
    }

    /// GETs a path of the admin port. Its answers are those of an operations tool, not of the API:
    /// none of the API's promises is asserted.
    pub async fn admin(&self, path: &str) -> Reply {
        let Some(base) = self.target.admin_url() else {
            panic!("SESSIONSTORE_E2E_ADMIN_URL must be set beside SESSIONSTORE_E2E_URL");
        };
        let request = self.http.get(format!("{base}{path}"));
        self.try_send(request)
            .await
            .expect("the admin port answers")
    }

    /// A request that is sent by [`Self::send`] or one of its kin.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.target.url()))
    }

    /// Sends a request and asserts what holds for every answer.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let reply = self.try_send(request).await.expect("the service answers");
        reply.assert_is_proper();
        reply
    }

    /// Sends a request to a service that may be gone before it answers.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Reply> {
        let request = request.timeout(PATIENCE).build()?;
        let name = format!("{} {}", request.method(), request.url().path());
        let response = self.http.execute(request).await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await?;
        let text = String::from_utf8(body.into()).expect("every body is UTF-8");
        Ok(Reply {
            request: name,
            status,
            headers,
            text,
        })
    }

    /// GETs page after page until no cursor is left, and returns all of `items`.
    pub async fn walk(&self, path: &str, items: &str, query: &[(&str, &str)]) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let mut query = query.to_vec();
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
                // Only the first page may be named by its offset.
                query.retain(|(name, _)| *name != "offset");
            }
            let page = self.get(path, &query).await.expect(200);
            all.extend(page.list(&format!("/{items}")));
            cursor = page.next_cursor();
            if cursor.is_none() {
                return all;
            }
        }
    }
}

impl Reply {
    /// Asserts the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        self
    }

    /// The problem that this reply must be.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Problem {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        Problem::of(self)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.text) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error} in {}", self.request, self.text),
        }
    }

    /// What the body has at a JSON pointer.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> Value {
        match self.json().pointer_mut(pointer) {
            Some(value) => value.take(),
            None => panic!("{}: no {pointer} in {}", self.request, self.text),
        }
    }

    /// The text that the body has at a JSON pointer.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        match self.at(pointer) {
            Value::String(text) => text,
            other => panic!("{}: {pointer} is no text but {other}", self.request),
        }
    }

    /// The integer that the body has at a JSON pointer.
    #[track_caller]
    pub fn number_at(&self, pointer: &str) -> u64 {
        let value = self.at(pointer);
        match value.as_u64() {
            Some(number) => number,
            None => panic!("{}: {pointer} is no count but {value}", self.request),
        }
    }

    /// The array that the body has at a JSON pointer.
    #[track_caller]
    pub fn list(&self, pointer: &str) -> Vec<Value> {
        match self.at(pointer) {
            Value::Array(items) => items,
            other => panic!("{}: {pointer} is no array but {other}", self.request),
        }
    }

    /// The cursor of the next page; absent at the end.
    pub fn next_cursor(&self) -> Option<String> {
        let body = self.json();
        let cursor = body.pointer("/pagination/nextCursor")?;
        (!cursor.is_null()).then(|| cursor.as_str().expect("a cursor is text").to_owned())
    }

    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("headers are ASCII"))
    }

    /// Whether the service says that it had done this before.
    pub fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    fn assert_is_proper(&self) {
        assert!(self.status != 500, "{} gave {}", self.request, self.text);
        let request_id = self.header("x-request-id").unwrap_or_default();
        assert!(!request_id.is_empty(), "{} has no request id", self.request);
        if self.status >= 400 {
            Problem::of(self);
        }
    }
}

//! The calls on one session, named as the contract names them, and what its log must look like.

use std::collections::HashSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    client::{Api, Reply, segment},
    sample,
    sse::EventSource,
};

/// One session of one service.
#[derive(Clone)]
pub struct Session {
    api: Api,
    /// Its id.
    pub id: String,
}

impl Session {
    pub(crate) fn new(api: Api, id: String) -> Self {
        Self { api, id }
    }

    /// The client that it is called by.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The path of this session, with `rest` behind it.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/sessions/{}{rest}", segment(&self.id))
    }

    /// Creates it with the smallest body.
    pub async fn create(&self) -> Reply {
        self.api.create(&sample::session(&self.id)).await
    }

    /// Reads it with a page of its events.
    pub async fn get(&self, query: &[(&str, &str)]) -> Reply {
        self.api.get(&self.path(""), query).await
    }

    /// Its session object as it is now.
    pub async fn current(&self) -> Value {
        self.get(&[("limit", "1")]).await.expect(200).at("/session")
    }

    /// Patches it.
    pub async fn patch(&self, patch: &Value) -> Reply {
        self.api.send(self.patch_request(&patch.to_string())).await
    }

    /// Patches it if it still has this version.
    pub async fn patch_if(&self, if_match: &str, patch: &Value) -> Reply {
        self.api
            .send(
                self.patch_request(&patch.to_string())
                    .header("if-match", if_match),
            )
            .await
    }

    /// A patch that is still to be sent.
    pub fn patch_request(&self, patch: &str) -> RequestBuilder {
        self.api
            .request(Method::PATCH, &self.path(""))
            .header("content-type", "application/merge-patch+json")
            .body(patch.to_owned())
    }

    /// Erases it.
    pub async fn delete(&self) -> Reply {
        self.api
            .send(self.api.request(Method::DELETE, &self.path("")))
            .await
    }

    /// Appends the event of this body.
    pub async fn append(&self, body: &Value) -> Reply {
        self.api.post(&self.path("/events"), body).await
    }

    /// Appends the event of this very text.
    pub async fn append_text(&self, body: &str) -> Reply {
        self.api.post_text(&self.path("/events"), body).await
    }

    /// Appends `count` events, `e1` the first, with one request.
    pub async fn fill(&self, count: usize) {
        let events: Vec<_> = (1..=count)
            .map(|n| sample::event(&format!("e{n}")))
            .collect();
        for part in events.chunks(500) {
            self.append_batch(part).await.expect(200);
        }
    }

    /// Appends these events with one request.
    pub async fn append_batch(&self, events: &[Value]) -> Reply {
        self.api
            .post(&self.path("/events:batch"), &json!({ "events": events }))
            .await
    }

    /// A page of its events.
    pub async fn events(&self, query: &[(&str, &str)]) -> Reply {
        self.api.get(&self.path("/events"), query).await
    }

    /// All its events, page by page.
    pub async fn walk(&self, query: &[(&str, &str)]) -> Vec<Value> {
        self.api.walk(&self.path("/events"), "events", query).await
    }

    /// One event.
    pub async fn event(&self, event_id: &str) -> Reply {
        self.api
            .get(&self.path(&format!("/events/{}", segment(event_id))), &[])
            .await
    }

    /// Closes it as completed.
    pub async fn complete(&self) -> Reply {
        self.api
            .send(self.api.request(Method::POST, &self.path("/complete")))
            .await
    }

    /// Closes it as completed, with this body.
    pub async fn complete_with(&self, body: &Value) -> Reply {
        self.api.post(&self.path("/complete"), body).await
    }

    /// Closes it as failed.
    pub async fn fail(&self) -> Reply {
        self.api
            .send(self.api.request(Method::POST, &self.path("/fail")))
            .await
    }

    /// Closes it as failed, with this body.
    pub async fn fail_with(&self, body: &Value) -> Reply {
        self.api.post(&self.path("/fail"), body).await
    }

    /// Opens its stream, which must be there.
    pub async fn stream(&self, query: &[(&str, &str)]) -> EventSource {
        EventSource::open(self.stream_request().query(query)).await
    }

    /// Opens its stream as a browser does that has seen `last_event_id`.
    pub async fn resume(&self, last_event_id: u64) -> EventSource {
        EventSource::open(self.stream_request().header("last-event-id", last_event_id)).await
    }

    /// The request for its stream.
    pub fn stream_request(&self) -> RequestBuilder {
        self.api
            .request(Method::GET, &self.path("/stream"))
            .header("accept", "text/event-stream")
    }

    /// Asks for its stream where none is expected.
    pub async fn no_stream(&self, query: &[(&str, &str)]) -> Reply {
        self.api.send(self.stream_request().query(query)).await
    }

    /// Reads the whole log in its order and asserts that it is one: sequence numbers from 1 without
    /// a gap, each event id once, a count that agrees. Returns the events.
    #[track_caller]
    pub fn log(&self) -> impl Future<Output = Vec<Value>> + Send {
        let session = self.clone();
        async move {
            let events = session.walk(&[("order", "seq"), ("limit", "500")]).await;
            let seqs = numbers(&events, "seq");
            assert!(
                seqs.iter().copied().eq(1..=events.len() as u64),
                "{}: {seqs:?}",
                session.id
            );
            let ids: HashSet<_> = events.iter().map(|event| &event["eventId"]).collect();
            assert_eq!(
                ids.len(),
                events.len(),
                "{} has an event id twice",
                session.id
            );
            assert_eq!(session.current().await["eventCount"], json!(events.len()));
            events
        }
    }
}

/// A text field of each item.
pub fn texts(items: &[Value], field: &str) -> Vec<String> {
    let text = |item: &Value| item[field].as_str().expect("the field is text").to_owned();
    items.iter().map(text).collect()
}

/// A count of each item.
pub fn numbers(items: &[Value], field: &str) -> Vec<u64> {
    items
        .iter()
        .map(|item| item[field].as_u64().expect("the field is a count"))
        .collect()
}

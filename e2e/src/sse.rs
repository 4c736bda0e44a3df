//! A reader of Server-Sent Events (WHATWG HTML §9.2), as far as the service uses them.

use std::collections::VecDeque;

use futures::StreamExt;
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::within;

/// What a stream brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event that a browser would dispatch.
    Message(Message),
    /// A comment, such as a heartbeat.
    Comment(String),
    /// A hint how long to wait before connecting again, in milliseconds.
    Retry(u64),
}

/// A dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The `event:` field; absent for the default kind.
    pub event: Option<String>,
    /// The `id:` field as the number it must be.
    pub id: u64,
    /// The `data:` field.
    pub data: String,
}

impl Message {
    /// The data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("the data is JSON")
    }

    /// Whether this is the terminal record.
    pub fn is_end(&self) -> bool {
        self.event.as_deref() == Some("end")
    }
}

/// An open stream.
pub struct EventSource {
    body: futures::stream::BoxStream<'static, Option<Vec<u8>>>,
    parser: Parser,
    frames: VecDeque<Frame>,
}

impl EventSource {
    /// Opens the stream of `request`, which must be there.
    pub async fn open(request: RequestBuilder) -> Self {
        let response = within("stream", request.send())
            .await
            .expect("the service answers");
        assert_eq!(response.status(), 200);
        let media_type = response.headers()["content-type"]
            .to_str()
            .expect("headers are ASCII");
        assert!(media_type.starts_with("text/event-stream"), "{media_type}");
        let body = response
            .bytes_stream()
            .map(|chunk| chunk.ok().map(Vec::from))
            .boxed();
        Self {
            body,
            parser: Parser::default(),
            frames: VecDeque::new(),
        }
    }

    /// The next frame of any kind; `None` when the stream has ended or broken off.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            let chunk = within("more of a stream", self.body.next()).await??;
            self.frames.extend(self.parser.feed(&chunk));
        }
    }

    /// The next event; `None` when the stream has ended or broken off.
    pub async fn message(&mut self) -> Option<Message> {
        loop {
            if let Frame::Message(message) = self.frame().await? {
                return Some(message);
            }
        }
    }

    /// The next `count` events, all of which must come.
    pub async fn take(&mut self, count: usize) -> Vec<Message> {
        let mut messages = Vec::with_capacity(count);
        while messages.len() < count {
            messages.push(self.message().await.expect("the stream goes on"));
        }
        messages
    }

    /// All events up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            messages.push(message);
        }
        messages
    }
}

/// Bytes in, frames out, whatever the chunks they come in.
#[derive(Default)]
struct Parser {
    pending: Vec<u8>,
    event: Option<String>,
    id: Option<u64>,
    data: Vec<String>,
}

impl Parser {
    fn feed(&mut self, chunk: &[u8]) -> Vec<Frame> {
        self.pending.extend_from_slice(chunk);
        let mut frames = Vec::new();
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = std::str::from_utf8(&line).expect("a stream is UTF-8");
            frames.extend(self.line(line.trim_end_matches(['\r', '\n'])));
        }
        frames
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => return Some(Frame::Comment(value.to_owned())),
            "retry" => {
                return Some(Frame::Retry(
                    value.parse().expect("a retry hint is a number"),
                ));
            }
            "event" => self.event = Some(value.to_owned()),
            "id" => self.id = Some(value.parse().expect("an id is a sequence number")),
            "data" => self.data.push(value.to_owned()),
            other => panic!("unknown field {other} in a stream"),
        }
        None
    }

    fn dispatch(&mut self) -> Option<Frame> {
        let event = self.event.take();
        let id = self.id.take();
        let data = std::mem::take(&mut self.data).join("\n");
        if data.is_empty() {
            return None;
        }
        Some(Frame::Message(Message {
            event,
            id: id.expect("every event has an id"),
            data,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_whatever_the_chunks() {
        let text =
            b": hello\nretry: 1500\n\nid: 7\nevent: end\ndata: {\"a\":\ndata: 1}\n\nid: 8\n\n";
        let expected = vec![
            Frame::Comment("hello".into()),
            Frame::Retry(1500),
            Frame::Message(Message {
                event: Some("end".into()),
                id: 7,
                data: "{\"a\":\n1}".into(),
            }),
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let frames: Vec<_> = text
                .chunks(size)
                .flat_map(|chunk| parser.feed(chunk))
                .collect();
            assert_eq!(frames, expected, "in chunks of {size}");
        }
    }
}

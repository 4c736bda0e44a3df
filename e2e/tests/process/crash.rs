//! Killed in the middle of load, twenty times, on one folder: every acknowledged write is there, no
//! log has a gap, no event is there twice.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use rand::Rng;
use reqwest::Method;
use serde_json::{Value, json};
use sessionstore_e2e::{
    all_at_once,
    client::{Api, Reply},
    sample::{self, event, fresh, with},
    server::Server,
    until,
};

const CRASHES: usize = 20;
const WRITERS: usize = 12;

/// One write, as it is sent, and sent again when its outcome is unknown.
#[derive(Clone)]
enum Write {
    Create(String),
    Append(String, Vec<Value>),
    Close(String),
}

/// What the writers were told, and what they were not told.
#[derive(Default)]
struct Record {
    /// Sessions by id; the closed ones with what their close answered.
    sessions: HashMap<String, Option<Value>>,
    events: Vec<Value>,
    unknown: VecDeque<Write>,
}

impl Record {
    fn acknowledge(&mut self, write: &Write, reply: &Reply) {
        match write {
            Write::Create(id) => {
                self.sessions.entry(id.clone()).or_default();
            }
            Write::Close(id) => {
                self.sessions.insert(id.clone(), Some(reply.at("/session")));
            }
            Write::Append(..) => {
                for result in reply.list("/results") {
                    assert!(
                        [200, 201].contains(&result["status"].as_u64().unwrap()),
                        "{result}"
                    );
                    self.events.push(result["event"].clone());
                }
            }
        }
    }
}

async fn send(api: &Api, write: &Write) -> reqwest::Result<Reply> {
    let (path, body) = match write {
        Write::Create(id) => ("/v1/sessions".to_owned(), sample::session(id)),
        Write::Append(id, events) => (
            api.session(id).path("/events:batch"),
            json!({ "events": events }),
        ),
        Write::Close(id) => (api.session(id).path("/complete"), json!({})),
    };
    let request = api
        .request(Method::POST, &path)
        .header("content-type", "application/json");
    api.try_send(request.body(body.to_string())).await
}

/// What one writer does, time after time: appends to a session that all share and to one of its own,
/// which it creates and, after some events, closes.
fn story() -> impl Iterator<Item = Write> {
    let own_session = || {
        let id = fresh("own");
        let append = |n: usize| {
            let events = (0..=n % 4).map(|m| event(&format!("{n}-{m}"))).collect();
            Write::Append(id.clone(), events)
        };
        let shared = |_| {
            let payload = json!({ "text": "x".repeat(rand::rng().random_range(0..4000)) });
            Write::Append(
                "shared".to_owned(),
                vec![with(event(&fresh("e")), "payload", payload)],
            )
        };
        let mut writes = vec![Write::Create(id.clone())];
        writes.extend((0..6).flat_map(|n| [append(n), shared(n)]));
        writes.push(Write::Close(id.clone()));
        writes
    };
    std::iter::repeat_with(own_session).flatten()
}

/// Writes until the server is gone, what is unknown from the last time first.
async fn write(api: &Api, record: &Mutex<Record>, acknowledged: &AtomicUsize) {
    let mut story = story();
    loop {
        let unknown = record.lock().unwrap().unknown.pop_front();
        let write = unknown.unwrap_or_else(|| story.next().expect("the story has no end"));
        match send(api, &write).await {
            Ok(reply) => {
                assert!([200, 201].contains(&reply.status), "{}", reply.text);
                record.lock().unwrap().acknowledge(&write, &reply);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => return record.lock().unwrap().unknown.push_back(write),
        }
    }
}

/// Reads everything, each log as a whole, and compares it with what was acknowledged.
async fn verify(api: &Api, record: &Record) {
    let mut logs = HashMap::new();
    for (id, closed) in &record.sessions {
        let session = api.session(id);
        logs.insert(id.as_str(), session.log().await);
        if let Some(closed) = closed {
            assert_eq!(&session.current().await, closed);
        }
    }
    for event in &record.events {
        let log = &logs[event["sessionId"].as_str().unwrap()];
        let seq = usize::try_from(event["seq"].as_u64().unwrap()).unwrap();
        assert_eq!(log.get(seq - 1), Some(event));
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_twenty_crashes_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let record = Mutex::new(Record::default());
    let mut server = Server::start(folder.path()).await;
    server
        .api()
        .create(&sample::session("shared"))
        .await
        .expect(201);
    record
        .lock()
        .unwrap()
        .sessions
        .insert("shared".to_owned(), None);

    for crash in 0..CRASHES {
        let api = server.api();
        let acknowledged = AtomicUsize::new(0);
        let enough = rand::rng().random_range(0..250);
        let writing = all_at_once(WRITERS, |_| write(&api, &record, &acknowledged));
        let killing = async {
            until("load", async || {
                acknowledged.load(Ordering::Relaxed) >= enough
            })
            .await;
            server.kill().await;
        };
        tokio::join!(writing, killing);

        server = Server::start(folder.path()).await;
        println!(
            "crash {crash}: {} acknowledged events",
            record.lock().unwrap().events.len()
        );
        let known = std::mem::take(&mut *record.lock().unwrap());
        verify(&server.api(), &known).await;
        *record.lock().unwrap() = known;
    }

    let unknown = std::mem::take(&mut record.lock().unwrap().unknown);
    for write in unknown {
        let reply = send(&server.api(), &write)
            .await
            .expect("the server is there");
        record.lock().unwrap().acknowledge(&write, &reply);
    }
    let record = record.into_inner().unwrap();
    verify(&server.api(), &record).await;
    assert!(
        record.events.len() > 500,
        "too little load to mean anything"
    );
}

#[tokio::test]
async fn a_server_killed_while_it_starts_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let session = server.api().new_session().await;
    session.fill(100).await;
    server.kill().await;
    for _ in 0..5 {
        let server = Server::start(folder.path()).await;
        server.kill().await;
    }
    let server = Server::start(folder.path()).await;
    assert_eq!(server.api().session(&session.id).log().await.len(), 100);
}

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::{StreamExt, stream};
use prometheus::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::ListenAddr;
use crate::log::{LogMetrics, Settings};
use crate::server::{ConnectionLimits, Listener};
use crate::store::{EmbeddedSettings, EmbeddedStore};

use super::*;

/// A server with one stream that goes on until it is told to end.
struct World {
    server: Server,
    log: Log,
    health: Health,
    streams: CancellationToken,
    stream: TcpStream,
    _folder: tempfile::TempDir,
}

/// What was seen of the end, in order.
type Seen = Arc<Mutex<Vec<&'static str>>>;

async fn world(end_of_stream: impl Fn() -> &'static str + Clone + Send + Sync + 'static) -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path(), EmbeddedSettings::default()).unwrap();
    let metrics = LogMetrics::register(&Registry::new()).unwrap();
    let log = Log::new(Arc::new(store), Settings::default(), metrics);
    let health = Health::default();
    health.serve(log.clone());
    let streams = CancellationToken::new();
    let stopping = streams.clone();
    let endless = async move || {
        let first = stream::once(async { "begin " });
        let last = stream::once(async move {
            stopping.cancelled().await;
            end_of_stream()
        });
        let parts = first
            .chain(last)
            .map(|part| Ok::<_, io::Error>(Bytes::from(part)));
        Body::from_stream(parts)
    };
    let any = ListenAddr::parse("127.0.0.1:0").unwrap();
    let listener = Listener::bind("http-addr", &any).await.unwrap();
    let mut stream = TcpStream::connect(listener.addr()).await.unwrap();
    let limits = ConnectionLimits {
        connections: 10,
        first_head: Duration::from_secs(60),
        next_head: Duration::from_secs(60),
    };
    let router = Router::new().route("/stream", get(endless));
    let server = Server::start(listener, router, limits);
    let request = b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut text = String::new();
    while !text.ends_with("begin ") {
        text.push(char::from(stream.read_u8().await.unwrap()));
    }
    World {
        server,
        log,
        health,
        streams,
        stream,
        _folder: folder,
    }
}

#[tokio::test]
async fn readiness_fails_then_the_port_closes_then_streams_end() {
    let seen = Seen::default();
    let world = world({
        let seen = Arc::clone(&seen);
        move || {
            seen.lock().unwrap().push("stream ends");
            "end"
        }
    });
    let mut world = world.await;
    let shutdown = Shutdown {
        health: world.health.clone(),
        delay: Duration::ZERO,
        streams: world.streams.clone(),
        limit: Duration::from_secs(60),
    };

    let ended = shutdown.run(&mut world.server, &world.log).await;

    assert_eq!(ended, Ended::Drained);
    assert_eq!(*seen.lock().unwrap(), ["stream ends"]);
    assert!(format!("{:?}", world.health).contains("the process is stopping"));
    let mut rest = String::new();
    world.stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("end"), "{rest}");
    assert_eq!(world.server.connections(), 0);
}

#[tokio::test]
async fn the_port_stays_open_for_the_delay_although_readiness_fails() {
    let mut world = world(|| "end").await;
    let shutdown = Shutdown {
        health: world.health.clone(),
        delay: Duration::from_secs(3600),
        streams: world.streams.clone(),
        limit: Duration::from_secs(60),
    };
    let (health, streams) = (world.health.clone(), world.streams.clone());
    let stopping = async move { shutdown.run(&mut world.server, &world.log).await };
    let stopping = tokio::spawn(stopping);
    while !format!("{health:?}").contains("stopping") {
        tokio::task::yield_now().await;
    }
    assert!(!streams.is_cancelled());
    assert!(!stopping.is_finished());
    stopping.abort();
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let mut world = world(|| "end").await;
    let shutdown = Shutdown {
        health: world.health.clone(),
        delay: Duration::ZERO,
        // Nobody tells this stream to end.
        streams: CancellationToken::new(),
        limit: Duration::from_millis(50),
    };
    let ended = shutdown.run(&mut world.server, &world.log).await;
    assert_eq!(ended, Ended::CutOff);
    assert_eq!(world.server.connections(), 1);
}

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::*;

const PATIENT: ConnectionLimits = ConnectionLimits {
    connections: 100,
    first_head: Duration::from_secs(60),
    next_head: Duration::from_secs(60),
};

/// Short enough to wait for in a test; nothing is asserted about how long it takes.
const SOON: Duration = Duration::from_millis(50);

async fn listener() -> Listener {
    let any = ListenAddr::parse("127.0.0.1:0").unwrap();
    Listener::bind("http-addr", &any).await.unwrap()
}

async fn start(router: Router, limits: ConnectionLimits) -> (Server, SocketAddr) {
    let listener = listener().await;
    let addr = listener.addr();
    (Server::start(listener, router, limits), addr)
}

fn hello() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/echo", post(async |body: String| body))
}

/// A client that knows no HTTP.
struct Client(TcpStream);

impl Client {
    async fn connect(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until this was read.
    async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).await.unwrap();
            text.push(char::from(byte[0]));
        }
        text
    }

    /// Reads until the server has closed the connection, by whatever means.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut bytes).await;
        // HTTP/2 is no text.
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn requests_of_one_connection_are_answered_one_after_the_other() {
    let (_server, addr) = start(hello(), PATIENT).await;
    let mut client = Client::connect(addr).await;
    for _ in 0..3 {
        client.send(REQUEST).await;
        assert!(client.until("hello").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn http_2_is_spoken_with_who_begins_with_it() {
    let (_server, addr) = start(hello(), PATIENT).await;
    let client = reqwest_http2();
    let answer = client.get(format!("http://{addr}/")).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn what_is_spoken_is_found_out_however_slowly_it_begins() {
    let (_server, addr) = start(hello(), PATIENT).await;
    let http1 = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    // The preface, and settings that change nothing, which are acknowledged (RFC 9113 §3.4, §6.5).
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (asked, answer) in [(http1, "HTTP/1.1 200 OK"), (http2, "\x04\x01\0\0\0\0")] {
        let mut client = Client::connect(addr).await;
        for piece in asked.split_inclusive(|_: char| true) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        client.until(answer).await;
    }
}

#[test]
fn what_is_spoken_is_told_by_four_bytes() {
    let protocols = Protocols::new(PATIENT);
    let speaks = |bytes: &[u8]| {
        let http = protocols.opened_with(bytes);
        (http.is_http1_available(), http.is_http2_available())
    };
    let (http1, http2, either) = ((true, false), (false, true), (true, true));
    for bytes in ["GET ", "G", "POST", "PO", "PRIV", "\x16\x03"] {
        assert_eq!(speaks(bytes.as_bytes()), http1, "{bytes}");
    }
    assert_eq!(speaks(b"PRI "), http2);
    for bytes in ["", "P", "PR", "PRI"] {
        assert_eq!(speaks(bytes.as_bytes()), either, "{bytes}");
    }
}

fn reqwest_http2() -> reqwest::Client {
    crate::tls::install();
    let builder = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy();
    builder.build().unwrap()
}

#[tokio::test]
async fn a_connection_that_does_not_ask_is_closed() {
    let limits = ConnectionLimits {
        first_head: SOON,
        ..PATIENT
    };
    for start_of_head in ["", "P", "GET / HT", "PRI * HTTP/2.0\r\n"] {
        let (server, addr) = start(hello(), limits).await;
        let mut client = Client::connect(addr).await;
        client.send(start_of_head).await;
        client.rest().await;
        drop(server);
    }
}

#[tokio::test]
async fn a_connection_that_asks_no_more_is_closed() {
    let limits = ConnectionLimits {
        next_head: SOON,
        ..PATIENT
    };
    for start_of_head in ["", "GET / HT"] {
        let (_server, addr) = start(hello(), limits).await;
        let mut client = Client::connect(addr).await;
        client.send(REQUEST).await;
        client.until("hello").await;
        client.send(start_of_head).await;
        client.rest().await;
    }
}

#[tokio::test]
async fn a_connection_outlives_the_time_for_its_first_request() {
    let limits = ConnectionLimits {
        first_head: SOON,
        ..PATIENT
    };
    let (_server, addr) = start(hello(), limits).await;
    let mut client = Client::connect(addr).await;
    client.send(REQUEST).await;
    client.until("hello").await;
    tokio::time::sleep(2 * SOON).await;
    client.send(REQUEST).await;
    client.until("hello").await;
}

#[tokio::test]
async fn one_connection_too_many_waits_for_a_place() {
    let limits = ConnectionLimits {
        connections: 1,
        ..PATIENT
    };
    let (server, addr) = start(hello(), limits).await;
    let mut first = Client::connect(addr).await;
    first.send(REQUEST).await;
    first.until("hello").await;
    let mut second = Client::connect(addr).await;
    second.send(REQUEST).await;
    first.send(REQUEST).await;
    first.until("hello").await;
    assert_eq!(server.connections(), 1);

    drop(first);

    second.until("hello").await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (_server, addr) = start(hello(), PATIENT).await;
    // The last one leaves much unread when it is refused.
    for bytes in [HEAD_BYTES, HEAD_BYTES + HEAD_BYTES / 2, 3 * HEAD_BYTES] {
        let mut client = Client::connect(addr).await;
        let large = "x".repeat(bytes as usize);
        client
            .send(&format!("GET / HTTP/1.1\r\nX: {large}\r\n\r\n"))
            .await;
        assert!(client.rest().await.starts_with("HTTP/1.1 431"));
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_by_its_setting() {
    let taken = listener().await;
    let addr = ListenAddr::parse(&taken.addr().to_string()).unwrap();
    let error = Listener::bind("admin-addr", &addr).await.unwrap_err();
    let expected = format!("--admin-addr {} is taken by another process", taken.addr());
    assert!(error.to_string().starts_with(&expected), "{error}");
    let foreign = ListenAddr::parse("192.0.2.1:80").unwrap();
    let error = Listener::bind("http-addr", &foreign).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("--http-addr 192.0.2.1:80 cannot be bound"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_it_is_at_and_nothing_else() {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (arrived, go_on) = (Arc::clone(&arrived), Arc::clone(&go_on));
        async move || {
            arrived.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let (mut server, addr) = start(hello().route("/slow", get(slow)), PATIENT).await;
    let mut silent = Client::connect(addr).await;
    let mut idle = Client::connect(addr).await;
    idle.send(REQUEST).await;
    idle.until("hello").await;
    let mut under_way = Client::connect(addr).await;
    under_way
        .send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nhe")
        .await;
    let mut busy = Client::connect(addr).await;
    busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    arrived.notified().await;

    server.stop_accepting().await;

    assert!(
        TcpStream::connect(addr).await.is_err(),
        "the port is closed"
    );
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    go_on.notify_one();
    let answer = busy.rest().await;
    assert!(
        answer.contains("connection: close") && answer.ends_with("done"),
        "{answer}"
    );
    under_way.send("ar").await;
    assert!(under_way.rest().await.ends_with("hear"));
    server.finished().await;
}

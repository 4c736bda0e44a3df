//! Raw HTTP/1.1 over TCP, for requests that no client library would send.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{client::Reply, target::Target, within};

/// A connection on which a test writes what it likes.
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Connects to the public port of the process whose turn it is.
    pub async fn open(target: &Target) -> Self {
        let address = target
            .url()
            .strip_prefix("http://")
            .expect("raw requests need plain http");
        let stream = TcpStream::connect(address)
            .await
            .expect("the service listens");
        Self { stream }
    }

    /// Writes bytes. A server that has already refused the request may have closed: no failure.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = within("progress of a write", self.stream.write_all(bytes)).await;
    }

    /// Says that nothing more will be written, and goes on reading.
    pub async fn stop_writing(&mut self) {
        // Fails only when the other side has closed already.
        let _ = self.stream.shutdown().await;
    }

    /// Reads all that comes until the server closes; `None` when it closed without an answer.
    pub async fn answer(mut self) -> Option<Reply> {
        let mut bytes = Vec::new();
        // A reset after the answer is still an answer.
        let _ = within("answer", self.stream.read_to_end(&mut bytes)).await;
        let text = String::from_utf8(bytes).expect("the answer is text");
        (!text.is_empty()).then(|| parse(&text))
    }
}

/// Sends one request as it is and returns the answer; the request should say `Connection: close`.
pub async fn exchange(target: &Target, request: &[u8]) -> Option<Reply> {
    let mut connection = Connection::open(target).await;
    connection.write(request).await;
    connection.answer().await
}

/// The head of a request that asks for the connection to be closed behind it.
pub fn head(line: &str, headers: &[&str]) -> Vec<u8> {
    let mut head = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn parse(text: &str) -> Reply {
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status
        .and_then(|code| code.parse().ok())
        .expect("an answer has a status");
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("a header has a colon");
            let name = name.parse().expect("a header has a name");
            (name, value.trim().parse().expect("a header has a value"))
        })
        .collect();
    Reply {
        request: "a raw request".to_owned(),
        status,
        headers,
        text: body.to_owned(),
    }
}

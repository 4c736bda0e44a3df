//! HTTP/1.1 connections, driven directly, without a client's pool in between: the generator shares
//! the machine with the service, so what it costs takes from what it measures.

use std::rc::Rc;

use anyhow::Context;
use bytes::Bytes;
use futures::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode, Uri,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{HeaderValue, RETRY_AFTER},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An open connection.
pub(crate) struct Connection {
    address: Rc<Address>,
    sender: SendRequest<Full<Bytes>>,
}

/// Where a server is.
pub(crate) struct Address {
    authority: String,
    host: HeaderValue,
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Whether it says when to come again.
    pub(crate) retry_after: bool,
    pub(crate) body: Bytes,
}

/// Opens so many connections, spread over the servers.
pub(crate) async fn connect(urls: &[Uri], connections: usize) -> anyhow::Result<Vec<Connection>> {
    let servers: Vec<Rc<Address>> = urls
        .iter()
        .map(|url| Address::of(url).map(Rc::new))
        .collect::<Result<_, _>>()?;
    let each = servers.iter().cycle().take(connections).cloned();
    try_join_all(each.map(Connection::open)).await
}

impl Address {
    fn of(url: &Uri) -> anyhow::Result<Self> {
        let host = url.host().context("the URL names no host")?;
        let authority = format!("{host}:{}", url.port_u16().unwrap_or(80));
        Ok(Self {
            host: HeaderValue::try_from(&authority)?,
            authority,
        })
    }

    async fn dial(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let unreachable = || format!("cannot connect to {}", self.authority);
        let stream = TcpStream::connect(&self.authority)
            .await
            .with_context(unreachable)?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .with_context(unreachable)?;
        // Its error is the error of the request that was on the way.
        tokio::spawn(connection);
        Ok(sender)
    }
}

impl Connection {
    async fn open(address: Rc<Address>) -> anyhow::Result<Self> {
        let sender = address.dial().await?;
        Ok(Self { address, sender })
    }

    /// Replaces a connection that was lost.
    pub(crate) async fn reopen(&mut self) -> anyhow::Result<()> {
        self.sender = self.address.dial().await?;
        Ok(())
    }

    /// What requests name as their host.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.address.host
    }

    /// Sends the last request of this connection; its answer may go on for long.
    pub(crate) async fn into_stream(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<(StatusCode, Incoming)> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        Ok((response.status(), response.into_body()))
    }

    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Answer> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        Ok(Answer {
            status: response.status(),
            retry_after: response.headers().contains_key(RETRY_AFTER),
            body: response.into_body().collect().await?.to_bytes(),
        })
    }
}

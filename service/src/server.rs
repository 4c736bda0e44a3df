//! Listening and serving: connections, their limits and their end. What is served is a router, of
//! which nothing is known here.

mod stream;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::config::ListenAddr;
use crate::server::stream::Stream;

/// A port that is bound, before anything is served on it.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    addr: SocketAddr,
}

/// Why a port cannot be bound.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process has it.
    #[error("--{flag} {addr} is taken by another process: end that one, or choose another port")]
    Taken {
        /// The setting that names it.
        flag: &'static str,
        /// Its value.
        addr: String,
    },
    /// The system does not allow it.
    #[error("--{flag} {addr} is not allowed to this user: choose a port from 1024 on")]
    Forbidden {
        /// The setting that names it.
        flag: &'static str,
        /// Its value.
        addr: String,
    },
    /// It is none of this machine, or something else.
    #[error("--{flag} {addr} cannot be bound, is it an address of this machine? {source}")]
    Other {
        /// The setting that names it.
        flag: &'static str,
        /// Its value.
        addr: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Listener {
    /// Binds the address of the setting `flag`.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(flag: &'static str, addr: &ListenAddr) -> Result<Self, BindError> {
        let bound = TcpListener::bind(addr.as_str()).await;
        let bound = bound.and_then(|tcp| Ok((tcp.local_addr()?, tcp)));
        match bound {
            Ok((addr, tcp)) => Ok(Self { tcp, addr }),
            Err(source) => {
                let addr = addr.as_str().to_owned();
                Err(match source.kind() {
                    io::ErrorKind::AddrInUse => BindError::Taken { flag, addr },
                    io::ErrorKind::PermissionDenied => BindError::Forbidden { flag, addr },
                    _ => BindError::Other { flag, addr, source },
                })
            }
        }
    }

    /// Where it listens, the port being the real one.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// What is allowed to connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Open at the same time; more wait in the system's queue.
    pub connections: usize,
    /// How long the head of the first request may take to arrive.
    pub first_head: Duration,
    /// How long a connection may wait for the whole head of its next request.
    pub next_head: Duration,
}

/// Largest head of a request, in bytes: the longest path, percent-encoded, is a small part of it.
const HEAD_BYTES: u32 = 64 * 1024;

/// How often a silent HTTP/2 peer is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long to wait when the system has no more connections to give (no file is free).
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A port that is being served.
#[derive(Debug)]
pub struct Server {
    accepting: JoinHandle<()>,
    no_more: CancellationToken,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Serves `router` on `listener`.
    pub fn start(listener: Listener, router: Router, limits: ConnectionLimits) -> Self {
        let no_more = CancellationToken::new();
        let stop = CancellationToken::new();
        let connections = TaskTracker::new();
        let acceptor = Acceptor {
            tcp: listener.tcp,
            router,
            limits,
            protocols: Arc::new(Protocols::new(limits)),
            free: Arc::new(Semaphore::new(limits.connections)),
            stop: stop.clone(),
            connections: connections.clone(),
        };
        let accepting = tokio::spawn(acceptor.run(no_more.clone()));
        Self {
            accepting,
            no_more,
            stop,
            connections,
        }
    }

    /// Takes no new connection any more, and closes the port. Connections that are idle end;
    /// others after the request they are at.
    pub async fn stop_accepting(&mut self) {
        self.no_more.cancel();
        self.connections.close();
        if let Err(panic) = (&mut self.accepting).await {
            tracing::error!(%panic, "accepting connections had ended before");
        }
        self.stop.cancel();
    }

    /// Waits until the last connection has ended.
    pub async fn finished(&self) {
        self.connections.wait().await;
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }
}

/// What connections speak, which their first bytes tell.
struct Protocols {
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    /// Finds out by itself, for too few bytes to tell.
    either: Builder<TokioExecutor>,
}

/// How the preface of HTTP/2 begins (RFC 9113 §3.4), and no request of HTTP/1.
const HTTP2_OPENING: [u8; 4] = *b"PRI ";

impl Protocols {
    fn new(limits: ConnectionLimits) -> Self {
        let either = either_protocol(limits);
        Self {
            http1: either.clone().http1_only(),
            http2: either.clone().http2_only(),
            either,
        }
    }

    /// The one that a connection speaks which opens with these bytes, four if there are as many.
    ///
    /// Not left to hyper: what it reads to find out it gives to HTTP/1 as a first small read, whose
    /// buffer doubles for the second one, to 16 KiB for as long as the connection lasts.
    fn opened_with(&self, bytes: &[u8]) -> &Builder<TokioExecutor> {
        if bytes == HTTP2_OPENING {
            &self.http2
        } else if HTTP2_OPENING.starts_with(bytes) {
            &self.either
        } else {
            &self.http1
        }
    }
}

fn either_protocol(limits: ConnectionLimits) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        // Also counts while a connection is idle between two requests.
        .header_read_timeout(limits.next_head)
        .max_buf_size(HEAD_BYTES as usize);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .max_header_list_size(HEAD_BYTES);
    http
}

struct Acceptor {
    tcp: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    protocols: Arc<Protocols>,
    free: Arc<Semaphore>,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Acceptor {
    async fn run(self, no_more: CancellationToken) {
        let accepting = async {
            // The semaphore is never closed.
            while let Ok(place) = Arc::clone(&self.free).acquire_owned().await {
                match self.tcp.accept().await {
                    Ok((stream, _)) => self.serve(stream, place),
                    Err(error) if is_of_the_peer(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "no more connections can be accepted for now");
                        tokio::time::sleep(EXHAUSTED_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = no_more.cancelled() => {}
        }
        // Who is in the system's queue believes to be connected: closing the port resets them.
        while let Ok(place) = Arc::clone(&self.free).try_acquire_owned()
            && let Some(Ok((stream, _))) = self.tcp.accept().now_or_never()
        {
            self.serve(stream, place);
        }
    }

    /// Serves a connection on a task of its own, for as long as it has its place.
    fn serve(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        let (router, limits) = (self.router.clone(), self.limits);
        let (protocols, stop) = (Arc::clone(&self.protocols), self.stop.clone());
        self.connections.spawn(async move {
            serve_connection(stream, router, &protocols, limits, &stop).await;
            drop(place);
        });
    }
}

/// A connection that was gone before it was accepted; the next one may be well.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// How many bytes the head has in HTTP/1. hyper refuses only one that does not fit into its buffer,
/// which may be larger than it was told.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let uri = request.uri().path_and_query();
    let line = request.method().as_str().len() + uri.map_or(0, |it| it.as_str().len());
    let fields = request.headers().iter();
    line + fields
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum::<usize>()
}

/// As hyper answers it.
fn head_too_large() -> Response {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    (status, [(header::CONNECTION, "close")]).into_response()
}

async fn serve_connection(
    stream: TcpStream,
    router: Router,
    protocols: &Protocols,
    limits: ConnectionLimits,
    stop: &CancellationToken,
) {
    // Answers are written whole; to wait for more would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection was gone at once");
        return;
    }
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let is_small = head_bytes(&request) <= HEAD_BYTES as usize;
        let answer = is_small.then(|| router.clone().call(request.map(Body::new)));
        async {
            match answer {
                Some(answer) => answer.await,
                None => Ok(head_too_large()),
            }
        }
    });
    // hyper's own limit begins only when it knows the version of HTTP, some bytes later.
    let mut first_head = pin!(tokio::time::sleep(limits.first_head));
    let mut opening = [0; HTTP2_OPENING.len()];
    let opened = tokio::select! {
        biased;
        opened = stream.peek(&mut opening) => opened,
        () = stop.cancelled() => return,
        () = &mut first_head => {
            tracing::debug!("a connection sent nothing in time");
            return;
        }
    };
    let http = match opened {
        Ok(bytes) => protocols.opened_with(&opening[..bytes]),
        Err(error) => {
            tracing::debug!(%error, "a connection broke");
            return;
        }
    };
    let mut connection = pin!(http.serve_connection(TokioIo::new(Stream(stream)), service));
    let mut is_watched = true;
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // A request that has arrived is read before the connection is found idle.
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut first_head, if is_watched => {
                if !has_asked.load(Ordering::Relaxed) {
                    tracing::debug!("a connection sent no request in time");
                    return;
                }
                is_watched = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;

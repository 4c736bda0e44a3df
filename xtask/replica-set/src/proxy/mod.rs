//! Proxies between drivers and members: one a member, that can be cut, slowed down and mended.
//!
//! Members talk to each other directly: what a cut tests is a client that no longer reaches a
//! member which the others still have.

mod connection;
mod listener;
mod wire;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::AbortHandle};

use crate::{SetError, background, limits, member::host, ports};

use listener::Listener;
use wire::Substitution;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Connections are reset, new ones are refused: the process is gone.
    Refuse,
    /// Connections stay open, also new ones, and pass nothing: the network is gone. What was on
    /// the way arrives after the mending, as TCP would send it again.
    Blackhole,
}

/// What a proxy does at the moment.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    cut: Option<Cut>,
    delay: Duration,
}

/// One way to all members of a set: a proxy for each, with a connection string of its own. A
/// driver that is given the string stays on this way, whatever hosts the members name.
#[derive(Debug)]
pub struct ProxyGroup {
    proxies: Vec<Proxy>,
    substitution: Arc<Substitution>,
    url: String,
}

#[derive(Debug)]
struct Proxy {
    address: String,
    line: watch::Sender<Line>,
    /// Whether new connections are accepted.
    listening: watch::Receiver<bool>,
    task: AbortHandle,
}

impl ProxyGroup {
    /// Puts proxies in front of `members`, whose connection string is `url`.
    pub(crate) fn start(members: &[u16], url: &str) -> Result<Self, SetError> {
        let failed = SetError::system;
        let mut listeners = Vec::new();
        let mut pairs = Vec::new();
        for member in members {
            let listener = ports::listen().map_err(failed("listen on a free port"))?;
            let address = listener.local_addr().map_err(failed("listen"))?;
            pairs.push((host(*member), host(address.port())));
            listeners.push(listener);
        }
        let substitution = Arc::new(Substitution::new(pairs));
        let url = substitution.in_url(url);
        let proxies = listeners
            .into_iter()
            .zip(members)
            .map(|(listener, member)| Proxy::start(listener, *member, &substitution))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            proxies,
            substitution,
            url,
        })
    }

    /// The connection string of the service's user for database `sessionstore`, through these
    /// proxies.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Leads another connection string of the same set through these proxies.
    pub fn through(&self, url: &str) -> String {
        self.substitution.in_url(url)
    }

    /// Host and port of the proxy of a member.
    ///
    /// # Panics
    ///
    /// When the set has no member of this number.
    pub fn address(&self, member: usize) -> String {
        self.proxies[member].address.clone()
    }

    /// Cuts the line to a member; returns when that is so.
    ///
    /// # Errors
    ///
    /// [`SetError::TimedOut`] if it does not come about.
    ///
    /// # Panics
    ///
    /// When the set has no member of this number.
    pub async fn cut(&self, member: usize, cut: Cut) -> Result<(), SetError> {
        let proxy = &self.proxies[member];
        proxy.line.send_modify(|line| line.cut = Some(cut));
        proxy.await_listening(cut != Cut::Refuse).await
    }

    /// Mends the line to a member; returns when new connections are accepted.
    ///
    /// # Errors
    ///
    /// [`SetError::TimedOut`] if somebody else has taken the port meanwhile.
    ///
    /// # Panics
    ///
    /// When the set has no member of this number.
    pub async fn mend(&self, member: usize) -> Result<(), SetError> {
        let proxy = &self.proxies[member];
        proxy.line.send_modify(|line| line.cut = None);
        proxy.await_listening(true).await
    }

    /// Makes everything on the line to a member take this much longer, each way. Zero undoes it.
    ///
    /// # Panics
    ///
    /// When the set has no member of this number.
    pub fn delay(&self, member: usize, delay: Duration) {
        let line = &self.proxies[member].line;
        line.send_modify(|line| line.delay = delay);
    }
}

impl Proxy {
    fn start(
        listener: std::net::TcpListener,
        member: u16,
        substitution: &Arc<Substitution>,
    ) -> Result<Self, SetError> {
        let address = listener.local_addr().map_err(SetError::system("listen"))?;
        let (line, watched_line) = watch::channel(Line::default());
        let (listening, watched_listening) = watch::channel(true);
        let runtime = background::handle();
        let listener = {
            let _runtime = runtime.enter();
            Listener::new(
                listener,
                member,
                watched_line,
                listening,
                Arc::clone(substitution),
            )
            .map_err(SetError::system("listen"))?
        };
        Ok(Self {
            address: address.to_string(),
            line,
            listening: watched_listening,
            task: runtime.spawn(listener.run()).abort_handle(),
        })
    }

    async fn await_listening(&self, wanted: bool) -> Result<(), SetError> {
        let mut listening = self.listening.clone();
        let change = listening.wait_for(|it| *it == wanted);
        match tokio::time::timeout(limits::PROCESS, change).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(SetError::TimedOut {
                condition: "a proxy to change",
                last: format!("{:?}", *self.line.borrow()),
            }),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

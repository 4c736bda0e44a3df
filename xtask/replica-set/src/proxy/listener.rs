//! Accepting connections for one member, while its line is not cut.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};

use crate::limits;

use super::{Cut, Line, connection, wire::Substitution};

pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    member: u16,
    line: watch::Receiver<Line>,
    listening: watch::Sender<bool>,
    substitution: Arc<Substitution>,
    /// They go with the listener.
    connections: JoinSet<()>,
}

impl Listener {
    /// Must be called within a runtime.
    pub(super) fn new(
        socket: std::net::TcpListener,
        member: u16,
        line: watch::Receiver<Line>,
        listening: watch::Sender<bool>,
        substitution: Arc<Substitution>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            member,
            line,
            listening,
            substitution,
            connections: JoinSet::new(),
        })
    }

    /// Runs until the proxy is dropped.
    pub(super) async fn run(mut self) {
        loop {
            if !self.accept_until_refused().await {
                return;
            }
            let Self {
                socket,
                address,
                member,
                mut line,
                listening,
                substitution,
                mut connections,
            } = self;
            // Only a closed socket makes the system refuse.
            drop(socket);
            while connections.join_next().await.is_some() {}
            listening.send_replace(false);
            if line
                .wait_for(|it| it.cut != Some(Cut::Refuse))
                .await
                .is_err()
            {
                return;
            }
            let socket = bind(address).await;
            listening.send_replace(true);
            self = Self {
                socket,
                address,
                member,
                line,
                listening,
                substitution,
                connections,
            };
        }
    }

    /// Returns false when the proxy is gone.
    async fn accept_until_refused(&mut self) -> bool {
        let mut line = self.line.clone();
        loop {
            tokio::select! {
                refused = line.wait_for(|it| it.cut == Some(Cut::Refuse)) => return refused.is_ok(),
                accepted = self.socket.accept() => {
                    // An error is that of one connection that has gone already.
                    if let Ok((client, _)) = accepted {
                        self.serve(client);
                    }
                }
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    fn serve(&mut self, client: TcpStream) {
        let line = self.line.clone();
        let substitution = Arc::clone(&self.substitution);
        self.connections
            .spawn(connection::serve(client, self.member, line, substitution));
    }
}

/// The port lies outside of those that the system gives away, so it is still free.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(socket) => return socket,
            Err(_) => sleep(limits::PAUSE).await,
        }
    }
}

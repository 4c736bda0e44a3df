//! A mongod that belongs to no replica set.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::set::until;

pub(crate) struct Standalone {
    guard: Child,
    port: u16,
    _data: TempDir,
}

/// Ends the server when its own input ends, which it does when this process does.
const GUARD: &str = r#""$0" "$@" & read -r _; kill -KILL $!; wait"#;

impl Standalone {
    pub(crate) async fn start() -> Self {
        let mongod = tokio::task::spawn_blocking(sessionstore_replica_set::mongod);
        let mongod = mongod.await.unwrap().unwrap();
        let data = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let guard = Command::new("sh")
            .args(["-c", GUARD])
            .arg(mongod)
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket"])
            .args(["--wiredTigerCacheSizeGB", "0.25", "--port"])
            .arg(port.to_string())
            .arg("--dbpath")
            .arg(data.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("a server to listen", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self {
            guard,
            port,
            _data: data,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/sessionstore", self.port)
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // An error means that it has ended already.
        let _ = self.guard.wait();
    }
}

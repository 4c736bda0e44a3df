//! The runtime of what outlives a single test: drivers and proxies.
//!
//! Each `#[tokio::test]` has a runtime of its own, which takes its tasks with it. A set that
//! several tests share must not lose its connections with the first of them.

use std::sync::LazyLock;

use mongodb::{Client, error::Error, options::ClientOptions};
use tokio::runtime::{Builder, Handle, Runtime};

#[expect(
    clippy::expect_used,
    reason = "without a thread nothing of this process works, and there is nobody to tell"
)]
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("replica-set")
        .enable_all()
        .build()
        .expect("a runtime for the replica set")
});

/// A driver that outlives the runtime of its caller.
pub(crate) async fn client(url: &str) -> Result<Client, Error> {
    let options = ClientOptions::parse(url).await?;
    let _runtime = handle().enter();
    Client::with_options(options)
}

pub(crate) fn handle() -> &'static Handle {
    RUNTIME.handle()
}

//! Where the service under test is: a URL from the environment, or a server of this process.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tokio::sync::OnceCell;

use crate::{log::Log, server};

/// The base URLs of one service, without a slash at the end.
#[derive(Clone, Debug)]
pub struct Target {
    /// The public port.
    pub url: Arc<str>,
    /// The admin port; absent when the environment gives only `SESSIONSTORE_E2E_URL`.
    pub admin_url: Option<Arc<str>>,
}

impl Target {
    /// The service that all tests of this process share: that of `SESSIONSTORE_E2E_URL`, else one
    /// on the embedded store in a folder of its own, started by the first test that asks.
    pub async fn shared() -> Self {
        static SHARED: OnceCell<(Target, Option<Child>)> = OnceCell::const_new();
        let (target, _) = SHARED
            .get_or_init(async || match env::var("SESSIONSTORE_E2E_URL") {
                Ok(url) => (
                    Self::new(&url, env::var("SESSIONSTORE_E2E_ADMIN_URL").ok().as_deref()),
                    None,
                ),
                Err(_) => start_guarded().await,
            })
            .await;
        target.clone()
    }

    /// The service at these base URLs.
    pub fn new(url: &str, admin_url: Option<&str>) -> Self {
        let base = |url: &str| Arc::from(url.trim_end_matches('/'));
        Self {
            url: base(url),
            admin_url: admin_url.map(base),
        }
    }
}

/// Runs a server until its own stdin ends. A static is never dropped, but the system closes the pipe
/// when the test process ends, in whatever way: then the server is killed and its folder removed.
const GUARD: &str = r#"
folder=$1; shift
"$@" &
exec 2>/dev/null
cat >/dev/null
kill -KILL $!
wait
rm -rf -- "$folder"
"#;

async fn start_guarded() -> (Target, Option<Child>) {
    let folder = tempfile::Builder::new()
        .prefix("sessionstore-e2e-")
        .tempdir()
        .expect("a temporary folder can be made")
        .keep();
    let serve = server::serve_command(&folder);
    let mut guard = Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .arg(&folder)
        .arg(serve.get_program())
        .args(serve.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let log = Log::follow(guard.stderr.take().expect("stderr is piped"));
    (server::serving(&log).await, Some(guard))
}

//! Where the service under test is: URLs from the environment, or a server of this process.

use std::{
    env,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::OnceCell;

use crate::{log::Log, server};

/// The processes of one service. Each request goes to the next of them, so that what one process
/// acknowledged is read, raced and streamed through another.
#[derive(Clone, Debug)]
pub struct Target {
    processes: Arc<[Process]>,
    turn: Arc<AtomicUsize>,
}

/// The base URLs of one process, without a slash at the end.
#[derive(Clone, Debug)]
struct Process {
    url: Arc<str>,
    admin_url: Option<Arc<str>>,
}

impl Target {
    /// The service that all tests of this process share: that of `SESSIONSTORE_E2E_URL`, else one
    /// on the embedded store in a folder of its own, started by the first test that asks.
    pub async fn shared() -> Self {
        static SHARED: OnceCell<(Target, Option<Child>)> = OnceCell::const_new();
        let (target, _) = SHARED
            .get_or_init(async || match env::var("SESSIONSTORE_E2E_URL") {
                Ok(urls) => (
                    Self::new(
                        &urls,
                        env::var("SESSIONSTORE_E2E_ADMIN_URL").ok().as_deref(),
                    ),
                    None,
                ),
                Err(_) => start_guarded().await,
            })
            .await;
        target.clone()
    }

    /// The service at these base URLs: one, or one a process with commas between them, in both
    /// lists in the same order.
    pub fn new(urls: &str, admin_urls: Option<&str>) -> Self {
        let urls = bases(urls);
        let admin_urls = match admin_urls {
            Some(admin_urls) => bases(admin_urls).into_iter().map(Some).collect(),
            None => vec![None; urls.len()],
        };
        assert_eq!(
            urls.len(),
            admin_urls.len(),
            "each process has a URL and an admin URL"
        );
        let processes = urls.into_iter().zip(admin_urls);
        Self {
            processes: processes
                .map(|(url, admin_url)| Process { url, admin_url })
                .collect(),
            turn: Arc::default(),
        }
    }

    /// All processes of these services as those of one.
    pub fn of_all<'a>(services: impl IntoIterator<Item = &'a Self>) -> Self {
        Self {
            processes: services
                .into_iter()
                .flat_map(|service| service.processes.iter().cloned())
                .collect(),
            turn: Arc::default(),
        }
    }

    /// One process of the service, always the same.
    pub fn one_process(&self) -> Self {
        Self {
            processes: self.processes[..1].into(),
            turn: Arc::default(),
        }
    }

    /// The public port of the process whose turn it is.
    pub fn url(&self) -> &str {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.processes[turn % self.processes.len()].url
    }

    /// The admin port of one process; absent when the environment gives only
    /// `SESSIONSTORE_E2E_URL`.
    pub fn admin_url(&self) -> Option<&str> {
        self.processes[0].admin_url.as_deref()
    }
}

fn bases(urls: &str) -> Vec<Arc<str>> {
    urls.split(',')
        .map(|url| Arc::from(url.trim().trim_end_matches('/')))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_to_each_process_in_turn() {
        let target = Target::new("http://a/,http://b", Some("http://c,http://d/"));
        assert_eq!(
            [0; 3].map(|_| target.url().to_owned()),
            ["http://a", "http://b", "http://a"]
        );
        assert_eq!(target.admin_url(), Some("http://c"));
    }

    #[test]
    fn one_process_stays_one() {
        let target = Target::new("http://a,http://b", None).one_process();
        assert_eq!([0; 2].map(|_| target.url().to_owned()), ["http://a"; 2]);
    }
}

//! What the API server was asked, by its own account.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
};

use serde_json::Value;

use super::{lab::cluster, operator};

/// A request that has been answered.
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) path: String,
    code: u64,
    message: String,
}

/// One line each.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            path,
            code,
            message,
            ..
        } = self;
        write!(f, "{verb} {path}: {code} {message}")
    }
}

/// A place in the account.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mark(u64);

fn open() -> File {
    let log = cluster().audit_log();
    let log = log.expect("the cluster is up with --audit");
    File::open(log).unwrap()
}

/// Where the account stands now.
pub(crate) fn now() -> Mark {
    Mark(open().metadata().unwrap().len())
}

/// Those of them that were refused to the operator, whose rights must be enough. What is refused in a
/// namespace that is being deleted is so to everybody.
pub(crate) fn refused(since: Mark) -> Vec<Request> {
    let mut refused = of(operator::USER, since);
    refused.retain(|it| {
        [401, 403].contains(&it.code) && !it.message.contains("because it is being terminated")
    });
    refused
}

/// The requests of one user since then, in their order.
pub(crate) fn of(user: &str, since: Mark) -> Vec<Request> {
    let mut log = open();
    log.seek(SeekFrom::Start(since.0)).unwrap();
    let lines = BufReader::new(log).lines().map_while(Result::ok);
    lines
        // Most are not, and reading JSON takes its time.
        .filter(|line| line.contains(user))
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .filter(|it| it["stage"] == "ResponseComplete" && it["user"]["username"] == user)
        .map(|it| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Request {
                verb: text(&it["verb"]),
                resource: text(&it["objectRef"]["resource"]),
                path: text(&it["requestURI"]),
                code: it["responseStatus"]["code"].as_u64().unwrap_or_default(),
                message: text(&it["responseStatus"]["message"]),
            }
        })
        .collect()
}

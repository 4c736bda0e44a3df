//! The way to the members: one command at a time to one of them, as one user, each with its limit.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::Document;
use mongodb::options::{
    AuthMechanism, ClientOptions, Credential, ReadPreference, SelectionCriteria, ServerAddress,
    ServerMonitoringMode,
};
use tokio::time::{Instant, timeout};

use super::error::{CallError, NO_ANSWER};
use super::metrics::CommandMetrics;

/// How the operator is called in the logs of the members.
pub(super) const APP_NAME: &str = "sessionstore-operator";

/// To open a connection. Members and operator are in one cluster.
pub(super) const CONNECT: Duration = Duration::from_millis(1_500);

/// To find out whether a member can be reached at all.
const SELECTION: Duration = Duration::from_secs(2);

/// For an answer to a question. A frozen member costs each look this much.
pub(super) const LOOK: Duration = Duration::from_secs(3);

/// How often the driver looks for a member that it has no call for: hardly.
const IDLE: Duration = Duration::from_secs(60);

/// Looks, and next to it an action.
const MAX_CONNECTIONS: u32 = 2;

/// What opens a replica set.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// The name of the set.
    pub set: String,
    /// The text of the members' key file, without white space.
    pub key: String,
    /// The operator's user, in database `admin`.
    pub operator: Login,
    /// The service's user, in database `sessionstore`.
    pub service: Login,
}

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// Passwords do not belong into logs.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

/// As the other.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum User {
    /// The members' own user, which can do everything: for what nobody else can do yet.
    System,
    Operator,
    Service,
}

/// The members of a set, each reached directly, whatever state it is in. Connections are made when
/// they are needed and closed when this is dropped, so it is kept while a plan is open and not
/// longer.
#[derive(Debug)]
pub struct Members {
    pub(super) access: Access,
    metrics: CommandMetrics,
    clients: Mutex<HashMap<(String, User), Client>>,
}

impl Members {
    /// Nothing is connected yet.
    pub fn new(access: Access, metrics: CommandMetrics) -> Self {
        Self {
            access,
            metrics,
            clients: Mutex::default(),
        }
    }

    /// Whether these credentials are those that it was made with.
    pub fn opens_with(&self, access: &Access) -> bool {
        self.access == *access
    }

    /// Runs a command on a member, and waits for the answer so long.
    pub(super) async fn run(
        &self,
        host: &str,
        user: User,
        database: &str,
        command: Document,
        limit: Duration,
    ) -> Result<Document, CallError> {
        let database = self.client(host, user)?.database(database);
        let name = command.keys().next().cloned().unwrap_or_default();
        let begun = Instant::now();
        // A driver's future that is dropped halfway costs its connection.
        let running = tokio::spawn(async move {
            database
                .run_command(command)
                .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Nearest {
                    options: Option::default(),
                }))
                .await
        });
        let result = match timeout(limit, running).await {
            Ok(Ok(Ok(reply))) => settled(reply),
            Ok(Ok(Err(error))) => Err(CallError::from(&error)),
            Ok(Err(panic)) => Err(CallError::Unreachable(panic.to_string())),
            Err(_) => Err(CallError::Unreachable(NO_ANSWER.to_owned())),
        };
        self.metrics.observe(&name, begun.elapsed(), &result);
        result
    }

    /// Lets go of connections that were made with other passwords, or with none.
    pub(super) fn forget(&self, host: &str) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|(other, user), _| other != host || *user == User::System);
    }

    fn client(&self, host: &str, user: User) -> Result<Client, CallError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), user);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let wrong = |error: mongodb::error::Error| CallError::Refused(error.kind.to_string());
        let address = ServerAddress::parse(host).map_err(wrong)?;
        let mut options = ClientOptions::builder()
            .hosts(vec![address])
            .direct_connection(true)
            .app_name(APP_NAME.to_owned())
            .credential(self.credential(user))
            .connect_timeout(CONNECT)
            .server_selection_timeout(SELECTION)
            .heartbeat_freq(IDLE)
            .max_pool_size(MAX_CONNECTIONS)
            // What was lost is looked at, not asked for twice.
            .retry_reads(false)
            .retry_writes(false)
            .build();
        options.server_monitoring_mode = Some(ServerMonitoringMode::Poll);
        let client = Client::with_options(options).map_err(wrong)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn credential(&self, user: User) -> Credential {
        let Access {
            key,
            operator,
            service,
            ..
        } = &self.access;
        let (name, password, source) = match user {
            User::System => ("__system", key, "local"),
            User::Operator => (&*operator.user, &operator.password, "admin"),
            User::Service => (&*service.user, &service.password, "sessionstore"),
        };
        Credential::builder()
            .username(name.to_owned())
            .password(password.clone())
            .source(source.to_owned())
            .mechanism(AuthMechanism::ScramSha256)
            .build()
    }
}

/// Whether a majority has all of a write.
fn settled(reply: Document) -> Result<Document, CallError> {
    match reply.get_document("writeConcernError") {
        Ok(error) => {
            let message = error.get_str("errmsg").unwrap_or("no majority in time");
            Err(CallError::NotNow(message.to_owned()))
        }
        Err(_) => Ok(reply),
    }
}

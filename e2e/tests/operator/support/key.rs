//! The hand of whoever has the key of the members, who is root in the database: for what a test does
//! behind the operator's back, and for what only a member itself can say.

use std::time::Duration;

use mongodb::{
    Client,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    options::{
        AuthMechanism, ClientOptions, Credential, ReadPreference, SelectionCriteria, ServerAddress,
    },
};

use super::{forward::Forward, store::Store};

/// To a process of this machine and through the cluster, to a member that answers.
const SELECTION: Duration = Duration::from_secs(20);

/// One member, whatever state it is in.
pub(crate) struct Member {
    client: Client,
    /// Held for what its end means.
    _way: Forward,
}

impl Member {
    /// The one in this pod.
    pub(crate) async fn of(store: &Store, pod: &str) -> Self {
        let way = Forward::to(&store.namespace, pod, 27017).await;
        let secret = format!("{}-mongodb-key", store.name);
        let key = "--output=go-template={{.data.key | base64decode}}";
        let key = store.kubectl(&["get", "secret", &secret, key]).await;
        let credential = Credential::builder()
            .username("__system".to_owned())
            .password(key)
            .source("local".to_owned())
            .mechanism(AuthMechanism::ScramSha256)
            .build();
        let options = ClientOptions::builder()
            .hosts(vec![ServerAddress::parse(way.address()).unwrap()])
            .direct_connection(true)
            .credential(credential)
            .server_selection_timeout(SELECTION)
            .build();
        Self {
            client: Client::with_options(options).unwrap(),
            _way: way,
        }
    }

    /// Runs a command of the database `admin`; the code of its error, if it is refused.
    pub(crate) async fn run(&self, command: Document) -> Result<Document, i32> {
        self.run_in("admin", command).await
    }

    /// Runs a command of a database; the code of its error, if it is refused.
    pub(crate) async fn run_in(&self, database: &str, command: Document) -> Result<Document, i32> {
        let nearest = ReadPreference::Nearest {
            options: Option::default(),
        };
        let database = self.client.database(database);
        let running = database
            .run_command(command)
            .selection_criteria(SelectionCriteria::ReadPreference(nearest));
        running.await.map_err(|error| code(&error))
    }

    /// What it says of itself in `replSetGetStatus`; the code of its error, if it is no member.
    pub(crate) async fn status(&self) -> Result<Document, i32> {
        self.run(doc! {"replSetGetStatus": 1}).await
    }
}

/// The code by which the server refuses; what comes of the way there fails the test.
fn code(error: &Error) -> i32 {
    match error.kind.as_ref() {
        ErrorKind::Command(refused) => refused.code,
        other => panic!("the member cannot be asked: {other}"),
    }
}

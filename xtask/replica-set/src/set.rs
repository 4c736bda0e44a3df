//! The set as a whole.

use std::{
    collections::HashMap,
    ops::ControlFlow::{Break, Continue},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures::future::join_all;
use mongodb::{
    Client,
    bson::{Document, doc},
};
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    Certificates, Member, Options, ProxyGroup, SetError, SetStatus, background, bootstrap, folder,
    guardian::Guardian,
    limits, mongod,
    process::{self, Launch},
    role, secret, url,
    wait::{Look, until},
};

/// The database that [`ReplicaSet::url`] names.
const DATABASE: &str = "sessionstore";

/// A running replica set. It is gone, with all its data, when the value is dropped or the process
/// ends, however it ends.
///
/// It may be shared by tests that have a runtime each.
#[derive(Debug)]
pub struct ReplicaSet {
    members: Vec<Member>,
    name: String,
    root_password: String,
    service_password: String,
    certificates: Option<Certificates>,
    front: Option<ProxyGroup>,
    admin: Client,
    databases: AtomicU32,
    folder: PathBuf,
    /// Dropped last: it makes sure that nothing is left.
    _guardian: Guardian,
}

impl ReplicaSet {
    /// Starts a set; returns when it has a primary that all others follow, and its users.
    ///
    /// # Errors
    ///
    /// [`SetError`] when it does not come to that point.
    pub async fn start(options: Options) -> Result<Self, SetError> {
        let binary = fetched_mongod().await?;
        let (folder, afterwards) = folder::make(options.folder.as_deref())?;
        let guardian = Guardian::start(&folder, afterwards)?;
        let key = secret::random(secret::KEY_LENGTH);
        let name = format!("test-{}", secret::random(6));
        let certificates = options
            .tls
            .map(|tls| Certificates::make(folder.join("tls"), tls))
            .transpose()?;
        let launch = Arc::new(Launch {
            binary,
            set_name: name.clone(),
            key_file: folder::write_key(&folder, &key)?,
            parameters: process::test_parameters(options.election),
            certificates: certificates.clone(),
        });
        let members = bootstrap::start_members(&options, &folder, &launch, &key).await?;
        let ports = ports_of(&members);
        bootstrap::initiate(members[0].client(), &ports, &name, options.election).await?;
        let primary = primary_of(&members).await?;

        let root_password = secret::random(secret::PASSWORD_LENGTH);
        let service_password = secret::random(secret::PASSWORD_LENGTH);
        role::ensure_root(members[primary].client(), &root_password, members.len()).await?;
        let admin_url = url::of_root(&hosts(&members), &name, &root_password);
        let admin = background::client(&with_tls(admin_url, certificates.as_ref())).await?;
        let mut set = Self {
            members,
            name,
            root_password,
            service_password,
            certificates,
            front: None,
            admin,
            databases: AtomicU32::new(0),
            folder,
            _guardian: guardian,
        };
        set.create_user(DATABASE).await?;
        set.wait_until_healthy().await?;
        if options.proxied {
            set.front = Some(set.proxies()?);
        }
        Ok(set)
    }

    /// A set with the default options that all tests of this process share. Each takes a
    /// [`fresh_database`](Self::fresh_database) and leaves the members alone.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self, SetError> {
        static SHARED: OnceCell<ReplicaSet> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| Self::start(Options::default()))
            .await
    }

    /// The connection string of the service's user, for database `sessionstore`.
    pub fn url(&self) -> String {
        self.service_url(DATABASE)
    }

    /// Gives the service's user another database, as empty as it is; returns its connection
    /// string. All members must run.
    ///
    /// # Errors
    ///
    /// [`SetError::Refused`] when not all members know the user within half a minute.
    pub async fn database(&self, name: &str) -> Result<String, SetError> {
        self.create_user(name).await?;
        Ok(self.service_url(name))
    }

    /// A database that nobody else has; returns its connection string. All members must run.
    ///
    /// # Errors
    ///
    /// As of [`database`](Self::database).
    pub async fn fresh_database(&self) -> Result<String, SetError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        self.database(&format!("sessionstore_{number}")).await
    }

    /// The connection string of a user that may do everything; never through proxies.
    pub fn admin_url(&self) -> String {
        let url = url::of_root(&hosts(&self.members), &self.name, &self.root_password);
        with_tls(url, self.certificates.as_ref())
    }

    /// A driver connected to the whole set as a user that may do everything; never through
    /// proxies.
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// The members, in the order of their numbers.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// One member.
    ///
    /// # Panics
    ///
    /// When there is none of this number.
    pub fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    /// The folder with the members' data and logs.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The proxies that [`url`](Self::url) leads through; there are some with
    /// [`Options::proxied`] only.
    pub fn front(&self) -> Option<&ProxyGroup> {
        self.front.as_ref()
    }

    /// The certificates of a set with [`Options::tls`]; its connection strings name them already.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// One more way to all members, with a connection string and cuts of its own.
    ///
    /// # Errors
    ///
    /// [`SetError::System`] when there are no ports left, [`SetError::Encrypted`] with
    /// [`Options::tls`].
    pub fn proxies(&self) -> Result<ProxyGroup, SetError> {
        if self.certificates.is_some() {
            return Err(SetError::Encrypted);
        }
        ProxyGroup::start(&ports_of(&self.members), &self.direct_url(DATABASE))
    }

    /// The number of the primary: it says so itself, and a majority agrees. Waits until there is
    /// one.
    ///
    /// # Errors
    ///
    /// [`SetError::TimedOut`] without one for a minute.
    pub async fn primary(&self) -> Result<usize, SetError> {
        primary_of(&self.members).await
    }

    /// The numbers of all members but the primary.
    ///
    /// # Errors
    ///
    /// As of [`primary`](Self::primary).
    pub async fn secondaries(&self) -> Result<Vec<usize>, SetError> {
        let primary = self.primary().await?;
        Ok((0..self.members.len())
            .filter(|it| *it != primary)
            .collect())
    }

    /// Lets the primary hand over to a secondary, as it is done in a planned change.
    ///
    /// # Errors
    ///
    /// [`SetError::Refused`] when no secondary catches up within ten seconds.
    pub async fn step_down(&self) -> Result<(), SetError> {
        let primary = self.primary().await?;
        let command = doc! {
            "replSetStepDown": 12,
            "secondaryCatchUpPeriodSecs": 10,
            "force": false,
        };
        self.members[primary].command(command).await.map(drop)
    }

    /// How the set is, in the words of the primary or, without one, of the first member that
    /// answers.
    ///
    /// # Errors
    ///
    /// [`SetError::TimedOut`] when nobody answers for a minute.
    pub async fn status(&self) -> Result<SetStatus, SetError> {
        until("a member that answers", limits::SET, async || {
            let answers = ask_all(&self.members, doc! {"replSetGetStatus": 1}).await;
            let answers: Vec<Document> = answers.into_iter().flatten().collect();
            Ok(match SetStatus::read(&answers) {
                Some(status) => Break(status),
                None => Continue("nobody answers".to_owned()),
            })
        })
        .await
    }

    /// Waits until all members answer, one as primary and the others as its secondaries.
    ///
    /// # Errors
    ///
    /// [`SetError::TimedOut`] when that is not so within a minute.
    pub async fn wait_until_healthy(&self) -> Result<(), SetError> {
        until("a healthy set", limits::HEALTH, async || {
            let hellos = ask_all(&self.members, doc! {"hello": 1}).await;
            let all_serve = hellos.iter().flatten().filter(|it| serves(it)).count();
            let status = self.status().await?;
            Ok(if status.is_healthy() && all_serve == self.members.len() {
                Break(())
            } else {
                Continue(format!("{status:?}"))
            })
        })
        .await
    }

    async fn create_user(&self, database: &str) -> Result<(), SetError> {
        let database = self.admin.database(database);
        role::ensure_service_user(&database, &self.service_password, self.members.len()).await
    }

    fn service_url(&self, database: &str) -> String {
        let direct = self.direct_url(database);
        match &self.front {
            Some(proxies) => proxies.through(&direct),
            None => direct,
        }
    }

    fn direct_url(&self, database: &str) -> String {
        let hosts = hosts(&self.members);
        let url = url::of_service(&hosts, &self.name, database, &self.service_password);
        with_tls(url, self.certificates.as_ref())
    }
}

/// Every connection string has options already.
fn with_tls(url: String, certificates: Option<&Certificates>) -> String {
    match certificates {
        Some(certificates) => url + &certificates.url_options(),
        None => url,
    }
}

/// Fetching takes a while the first time, so it does not hold up the runtime.
pub(crate) async fn fetched_mongod() -> Result<PathBuf, SetError> {
    match spawn_blocking(mongod).await {
        Ok(fetched) => Ok(fetched?),
        Err(error) => Err(SetError::system("fetch mongod")(error.into())),
    }
}

fn ports_of(members: &[Member]) -> Vec<u16> {
    members.iter().map(Member::port).collect()
}

fn hosts(members: &[Member]) -> String {
    let hosts: Vec<String> = members.iter().map(Member::host).collect();
    hosts.join(",")
}

async fn primary_of(members: &[Member]) -> Result<usize, SetError> {
    until("a primary", limits::SET, async || {
        let hellos = ask_all(members, doc! {"hello": 1}).await;
        Ok(agreed_primary(members, &hellos))
    })
    .await
}

fn agreed_primary(members: &[Member], hellos: &[Option<Document>]) -> Look<usize> {
    let mut votes: HashMap<&str, usize> = HashMap::new();
    for named in hellos.iter().flatten() {
        if let Ok(host) = named.get_str("primary") {
            *votes.entry(host).or_default() += 1;
        }
    }
    let agreed = |member: &Member| {
        let votes = votes.get(member.host().as_str());
        votes.is_some_and(|votes| votes * 2 > members.len())
    };
    let claims = |hello: &Option<Document>| {
        let hello = hello.as_ref();
        hello.is_some_and(|it| says(it, "isWritablePrimary"))
    };
    let found = members
        .iter()
        .zip(hellos)
        .position(|(member, hello)| claims(hello) && agreed(member));
    match found {
        Some(index) => Break(index),
        None => Continue(format!("votes: {votes:?}")),
    }
}

/// The members' answers to a command that only looks.
async fn ask_all(members: &[Member], command: Document) -> Vec<Option<Document>> {
    join_all(members.iter().map(|it| it.look(command.clone()))).await
}

fn serves(hello: &Document) -> bool {
    ["isWritablePrimary", "secondary"]
        .iter()
        .any(|state| says(hello, state))
}

fn says(hello: &Document, state: &str) -> bool {
    hello.get_bool(state).unwrap_or(false)
}

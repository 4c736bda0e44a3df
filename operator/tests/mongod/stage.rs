//! Members, an operator for them, and a client that writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use prometheus::Registry;
use sessionstore_operator::mongo::plan::{
    Action, Answer, Desired, Logins, Member, Next, Observed, Pod, State, Volume, plan,
};
use sessionstore_operator::mongo::{Access, ActError, CommandMetrics, Login, Members, Outcome};
use sessionstore_replica_set::{LooseMembers, Member as SetMember};
use tokio::time::{Instant, sleep};

/// Between two looks of the operator.
const PAUSE: Duration = Duration::from_millis(50);

/// Generous: a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

pub(crate) struct Stage {
    pub(crate) set: LooseMembers,
    pub(crate) desired: Desired,
    pub(crate) access: Access,
    pub(crate) operator: Members,
}

/// An operator with connections of its own.
pub(crate) fn operator(access: Access) -> Members {
    let metrics = CommandMetrics::register(&Registry::new()).unwrap();
    Members::new(access, metrics)
}

fn login(user: &str, password: &str) -> Login {
    Login {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

impl Stage {
    /// So many running members, of which the first `wanted` are to make the set.
    pub(crate) async fn new(running: usize, wanted: usize) -> Self {
        let set = LooseMembers::start(running).await.unwrap();
        let access = Access {
            set: set.name().to_owned(),
            key: set.key().to_owned(),
            operator: login("sessionstore-operator", "first"),
            service: login("sessionstore", "first"),
        };
        let desired = Desired {
            hosts: set.members().iter().map(SetMember::host).collect(),
            members: wanted,
            revision: "1".to_owned(),
            known_set: None,
            passwords_are_stored: true,
            permits: Vec::new(),
        };
        let operator = operator(access.clone());
        Self {
            set,
            desired,
            access,
            operator,
        }
    }

    /// The same members under new Secrets.
    pub(crate) fn change_secrets(&mut self) {
        self.access.operator = login("sessionstore-operator", "second");
        self.access.service = login("sessionstore", "second");
        self.operator = self.another_operator();
    }

    /// One that knows what this one has begun with, and nothing else.
    pub(crate) fn another_operator(&self) -> Members {
        operator(self.access.clone())
    }

    pub(crate) async fn look(&self) -> Observed {
        let answers = self.operator.observe(&self.desired.hosts).await;
        let members = answers.into_iter().zip(self.set.members());
        let members = members.map(|(answer, member)| Member {
            pod: Some(Pod {
                uid: member.pid().unwrap_or(0).to_string(),
                revision: "1".to_owned(),
                serving: member.is_running(),
                leaving: false,
                node: None,
            }),
            volume: Some(Volume {
                uid: member.host(),
                leaving: false,
            }),
            answer,
        });
        Observed {
            replicas: self.set.members().len(),
            members: members.collect(),
        }
    }

    pub(crate) async fn next(&self) -> Next {
        plan(&self.desired, &self.look().await)
    }

    pub(crate) async fn act(&self, action: &Action) -> Result<Outcome, ActError> {
        self.operator.act(&self.desired, action, || true).await
    }

    /// Looks and acts until all is done; returns what was done.
    pub(crate) async fn converge(&self) -> Vec<Action> {
        self.converge_with(async |stage, action| {
            // Whatever became of it, the next look tells.
            let _ = stage.act(action).await;
        })
        .await
    }

    /// The same, with other hands.
    pub(crate) async fn converge_with(&self, act: impl AsyncFn(&Self, &Action)) -> Vec<Action> {
        let end = Instant::now() + LIMIT;
        let mut done = Vec::new();
        loop {
            let next = self.next().await;
            assert!(Instant::now() < end, "{next:?} after {done:?}");
            match next {
                Next::Done => return done,
                Next::Wait(_) => sleep(PAUSE).await,
                Next::Do(action) => {
                    act(self, &action).await;
                    done.push(action);
                }
            }
        }
    }

    /// Waits until a look is as it should be.
    pub(crate) async fn eventually(&self, what: &str, is_so: impl Fn(&Observed) -> bool) {
        let end = Instant::now() + LIMIT;
        loop {
            let seen = self.look().await;
            if is_so(&seen) {
                return;
            }
            assert!(Instant::now() < end, "waited in vain: {what}: {seen:?}");
            sleep(PAUSE).await;
        }
    }

    pub(crate) async fn primary(&self) -> usize {
        primary(&self.look().await).unwrap()
    }

    /// The service's own driver.
    pub(crate) async fn service(&self) -> Client {
        let hosts = self.desired.hosts[..self.desired.members].join(",");
        let Login { user, password } = &self.access.service;
        let set = self.set.name();
        let url = format!(
            "mongodb://{user}:{password}@{hosts}/sessionstore?replicaSet={set}&authSource=sessionstore"
        );
        let mut options = ClientOptions::parse(url).await.unwrap();
        options.heartbeat_freq = Some(Duration::from_secs(1));
        options.connect_timeout = Some(Duration::from_millis(1_500));
        Client::with_options(options).unwrap()
    }
}

pub(crate) fn primary(seen: &Observed) -> Option<usize> {
    let leads = |it: &Member| {
        it.answer
            .view()
            .is_some_and(|it| it.state == State::Primary)
    };
    seen.members.iter().position(leads)
}

pub(crate) fn configured(seen: &Observed) -> Vec<String> {
    let view = primary(seen).and_then(|it| seen.members[it].answer.view());
    let members = view.into_iter().flat_map(|it| &it.config.members);
    members.map(|it| it.host.clone()).collect()
}

pub(crate) fn lets_everybody_in(answer: &Answer) -> bool {
    answer
        .view()
        .is_some_and(|it| it.logins == Logins::Accepted)
}

/// Writes one document after the other, each acknowledged by a majority, and counts them.
pub(crate) async fn write_until_told(
    client: &Client,
    written: &AtomicUsize,
    is_over: &AtomicUsize,
) {
    let documents = client.database("sessionstore").collection("sessions");
    while is_over.load(Ordering::Relaxed) == 0 {
        let number = i64::try_from(written.load(Ordering::Relaxed)).unwrap();
        documents.insert_one(doc! {"_id": number}).await.unwrap();
        written.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes one document after the other until something is so.
pub(crate) async fn write_until(client: &Client, is_so: impl Fn() -> bool) {
    let documents = client.database("sessionstore").collection("sessions");
    let end = Instant::now() + LIMIT;
    while !is_so() {
        documents.insert_one(doc! {}).await.unwrap();
        assert!(Instant::now() < end, "waited in vain");
    }
}

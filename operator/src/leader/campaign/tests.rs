//! Campaigns against an API server that is played here: versions that conflict, a watch, answers
//! that do not come. What the election decides is tested beside it; here it is the shell.

mod server;

use std::sync::Arc;

use tokio::sync::watch::Sender;

use server::Server;

use super::*;

/// So long that nobody leads because it has run out.
const LONG: Duration = Duration::from_secs(300);
/// Short enough to wait for, long enough for a machine that is busy.
const SHORT: Duration = Duration::from_secs(3);

const DRAIN: Duration = Duration::from_secs(60);

/// What happened, in order.
#[derive(Clone)]
struct Story(Arc<Sender<Vec<String>>>);

impl Story {
    fn new() -> Self {
        Self(Arc::new(Sender::new(Vec::new())))
    }

    fn tell(&self, who: &str, what: &str) {
        self.0
            .send_modify(|story| story.push(format!("{who} {what}")));
    }

    async fn wait_for(&self, line: &str) -> Vec<String> {
        let mut story = self.0.subscribe();
        let story = story.wait_for(|story| story.iter().any(|it| it == line));
        story.await.unwrap().clone()
    }
}

struct Operator {
    stop: CancellationToken,
    running: JoinHandle<Result<(), CampaignError>>,
}

impl Operator {
    async fn stopped(self) -> Result<(), CampaignError> {
        self.stop.cancel();
        self.running.await.unwrap()
    }
}

fn campaign(server: &Server, name: &str, lease: Duration) -> Campaign {
    let candidacy = Candidacy {
        namespace: "voice".to_owned(),
        name: "operator".to_owned(),
        identity: name.to_owned(),
        terms: Terms { lease },
    };
    let metrics = LeaderMetrics::register(&prometheus::Registry::new()).unwrap();
    Campaign::new(
        &server.client(name),
        candidacy,
        &Streams::default(),
        metrics,
    )
}

/// Runs an operator whose work is `work`.
fn operator<F>(
    server: &Server,
    name: &'static str,
    lease: Duration,
    drain: Duration,
    work: impl Fn(Reign) -> F + Send + Sync + 'static,
) -> Operator
where
    F: Future<Output = ()> + Send + 'static,
{
    let stop = CancellationToken::new();
    let running = campaign(server, name, lease).run(stop.clone(), drain, work);
    let running = tokio::spawn(running);
    Operator { stop, running }
}

/// Work that goes on until it is told to stop, and tells what it saw.
fn works(
    name: &'static str,
    story: &Story,
) -> impl Fn(Reign) -> futures::future::BoxFuture<'static, ()> + Send + Sync + use<> {
    let story = story.clone();
    move |reign| {
        let story = story.clone();
        Box::pin(async move {
            story.tell(name, "begins");
            reign.stop.cancelled().await;
            match reign.leadership.check() {
                Ok(()) => story.tell(name, "ends as leader"),
                Err(_) => story.tell(name, "ends without the lead"),
            }
        })
    }
}

#[tokio::test]
async fn the_next_one_begins_when_the_first_one_has_stopped_its_work() {
    let (server, story) = (Server::default(), Story::new());
    let first = operator(&server, "a", LONG, DRAIN, works("a", &story));
    story.wait_for("a begins").await;
    let second = operator(&server, "b", LONG, DRAIN, works("b", &story));
    server.watched_by("b").await;
    first.stopped().await.unwrap();
    let told = story.wait_for("b begins").await;
    assert_eq!(told, ["a begins", "a ends as leader", "b begins"]);
    assert_eq!(server.holder().as_deref(), Some("b"));
    second.stopped().await.unwrap();
    assert_eq!(server.holder().as_deref(), Some(""));
}

#[tokio::test]
async fn a_standby_leaves_without_touching_the_lease() {
    let (server, story) = (Server::default(), Story::new());
    let _first = operator(&server, "a", LONG, DRAIN, works("a", &story));
    story.wait_for("a begins").await;
    let second = operator(&server, "b", LONG, DRAIN, works("b", &story));
    server.watched_by("b").await;
    second.stopped().await.unwrap();
    assert_eq!(server.holder().as_deref(), Some("a"));
}

#[tokio::test]
async fn after_a_death_another_one_begins_when_the_lease_has_run_out() {
    let (server, story) = (Server::default(), Story::new());
    let first = operator(&server, "a", SHORT, DRAIN, works("a", &story));
    story.wait_for("a begins").await;
    let _second = operator(&server, "b", SHORT, DRAIN, works("b", &story));
    server.watched_by("b").await;
    server.cut("a");
    first.running.abort();
    let told = story.wait_for("b begins").await;
    assert_eq!(told.last().unwrap(), "b begins");
    assert_eq!(server.holder().as_deref(), Some("b"));
}

#[tokio::test]
async fn who_cannot_renew_stops_its_work_and_stands_again() {
    let (server, story) = (Server::default(), Story::new());
    let _first = operator(&server, "a", SHORT, DRAIN, works("a", &story));
    story.wait_for("a begins").await;
    server.cut("a");
    story.wait_for("a ends without the lead").await;
    server.heal("a");
    let mut told = story.0.subscribe();
    let again = ["a begins", "a ends without the lead", "a begins"];
    told.wait_for(|story| story.as_slice() == again)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_lease_is_not_given_away_while_work_goes_on() {
    let server = Server::default();
    let begun = Story::new();
    let telling = begun.clone();
    let stuck = move |_| {
        telling.tell("a", "begins");
        std::future::pending()
    };
    let operator = operator(&server, "a", LONG, Duration::from_millis(10), stuck);
    begun.wait_for("a begins").await;
    let ended = operator.stopped().await;
    assert!(matches!(ended, Err(CampaignError::Stuck(_))), "{ended:?}");
    assert_eq!(server.holder().as_deref(), Some("a"));
}

#[tokio::test]
async fn the_lease_is_renewed_while_work_ends() {
    let (server, story) = (Server::default(), Story::new());
    let (finish, finished) = (CancellationToken::new(), CancellationToken::new());
    let (telling, until) = (story.clone(), finish.clone());
    let slow = move |reign: Reign| {
        let (story, until) = (telling.clone(), until.clone());
        async move {
            story.tell("a", "begins");
            reign.stop.cancelled().await;
            until.cancelled().await;
            reign.leadership.check().unwrap();
        }
    };
    let first = operator(&server, "a", SHORT, DRAIN, slow);
    story.wait_for("a begins").await;
    let ending = tokio::spawn(async move {
        let result = first.stopped().await;
        finished.cancel();
        result
    });
    let before = server.writes();
    server.written(before + 2).await;
    finish.cancel();
    ending.await.unwrap().unwrap();
    assert_eq!(server.holder().as_deref(), Some(""));
}

#[tokio::test]
async fn work_that_ends_by_itself_ends_the_campaign_and_frees_the_lease() {
    let server = Server::default();
    let operator = operator(&server, "a", LONG, DRAIN, |_| async {});
    let ended = operator.running.await.unwrap();
    assert!(matches!(ended, Err(CampaignError::Ended)), "{ended:?}");
    assert_eq!(server.holder().as_deref(), Some(""));
}

#[tokio::test]
async fn work_that_panics_ends_the_campaign_and_frees_the_lease() {
    let server = Server::default();
    let work = |_| async { panic!("as the test wants it") };
    let ended = operator(&server, "a", LONG, DRAIN, work)
        .running
        .await
        .unwrap();
    assert!(
        matches!(ended, Err(CampaignError::Panicked(_))),
        "{ended:?}"
    );
    assert_eq!(server.holder().as_deref(), Some(""));
}

#[tokio::test]
async fn missing_rights_are_waited_for() {
    let (server, story) = (Server::default(), Story::new());
    server.forbid(true);
    let _operator = operator(&server, "a", SHORT, DRAIN, works("a", &story));
    server.refused().await;
    server.forbid(false);
    story.wait_for("a begins").await;
}

#[tokio::test]
async fn what_others_wrote_to_the_lease_survives_its_renewals() {
    let (server, story) = (Server::default(), Story::new());
    let first = operator(&server, "a", SHORT, DRAIN, works("a", &story));
    story.wait_for("a begins").await;
    server.label("team", "voice");
    server.written(server.writes() + 2).await;
    first.stopped().await.unwrap();
    assert_eq!(server.labelled("team").as_deref(), Some("voice"));
    assert_eq!(story.0.borrow().len(), 2, "the lead was never lost");
}

//! A set that has lost its majority: what needs a primary waits and is refused, the rest goes on.

use std::time::Instant;

use futures::{FutureExt, future::join_all};
use serde_json::json;
use sessionstore_e2e::{
    client::{Api, Reply},
    sample::event,
    server::Server,
    session::Session,
    until,
};

use crate::{hasty, readiness, to_hurt};

const EVENTUAL: (&str, &str) = ("consistency", "eventual");

/// Everything that needs a primary, all at once.
async fn strong_calls(api: &Api, session: &Session) -> Vec<Reply> {
    let new = api.session("never created");
    let patch = json!({ "language": "fr" });
    let late = event("late");
    let linearizable = [("consistency", "linearizable")];
    let calls = [
        session.get(&[]).boxed(),
        session.events(&linearizable).boxed(),
        session.event("e1").boxed(),
        api.sessions(&[]).boxed(),
        new.create().boxed(),
        session.append(&late).boxed(),
        session.patch(&patch).boxed(),
        session.complete().boxed(),
    ];
    join_all(calls).await
}

#[tokio::test]
async fn without_a_primary_strong_calls_are_refused_in_time_and_eventual_reads_go_on() {
    let set = to_hurt().await;
    let server = Server::start_command(hasty(&set.fresh_database().await.unwrap())).await;
    server.await_ready().await;
    let api = server.api();
    let session = api.new_session().await;
    session.fill(30).await;
    let log = session.log().await;
    let mut stream = session.stream(&[("after", "30")]).await;
    let survivor = set.secondaries().await.unwrap()[0];
    until("copy on the secondary", async || {
        // Both secondaries are asked in turn; each has all of it when two in a row have.
        let first = session.events(&[EVENTUAL]).await.expect(200);
        let second = session.events(&[EVENTUAL]).await.expect(200);
        first.list("/events").len() == 30 && second.list("/events").len() == 30
    })
    .await;

    for member in (0..set.members().len()).filter(|it| *it != survivor) {
        set.member(member).kill().await.unwrap();
    }
    until("loss of the primary", async || {
        readiness(&api).await.1.contains("has no primary")
    })
    .await;

    let (status, text) = readiness(&api).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("do not answer"), "{text}");
    api.admin("/livez").await.expect(200);

    let start = Instant::now();
    for reply in strong_calls(&api, &session).await {
        reply.problem(503);
        let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!(seconds > 0, "{}", reply.request);
    }
    // The deadline of these requests is 2 s; what is left out is a busy machine.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());

    for query in [vec![EVENTUAL], vec![EVENTUAL, ("order", "-seq")]] {
        let page = session.events(&query).await.expect(200);
        assert_eq!(page.list("/events").len(), 30);
    }
    let whole = session.get(&[EVENTUAL]).await.expect(200);
    assert_eq!(whole.list("/events"), log);
    let listed = api.sessions(&[EVENTUAL]).await.expect(200);
    assert_eq!(listed.list("/sessions").len(), 1);
    let one = session
        .api()
        .get(&session.path("/events/e1"), &[EVENTUAL])
        .await;
    assert_eq!(one.expect(200).at("/event"), log[0]);

    for member in set.members().iter().filter(|it| !it.is_running()) {
        member.restart().await.unwrap();
    }
    until("recovery by itself", async || {
        session.append(&event("after")).await.status < 300
    })
    .await;
    let message = stream.message().await.expect("the stream has gone on");
    assert!(message.id > 30);
    session.get(&[]).await.expect(200);
    set.wait_until_healthy().await.unwrap();
    until("full health", async || {
        !readiness(&api).await.1.contains("degraded")
    })
    .await;
}

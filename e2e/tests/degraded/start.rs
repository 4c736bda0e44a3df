//! A service that starts before its database can be used.

use sessionstore_e2e::{sample::event, server::Server};
use sessionstore_replica_set::Cut;

use crate::{hasty, readiness, well};

#[tokio::test]
async fn a_service_that_starts_before_its_database_lives_and_becomes_ready_with_it() {
    let set = well().await;
    let way = set.proxies().unwrap();
    for member in 0..set.members().len() {
        way.cut(member, Cut::Refuse).await.unwrap();
    }
    let url = way.through(&set.fresh_database().await.unwrap());
    let server = Server::start_command(hasty(&url)).await;
    let api = server.api();

    let (status, text) = readiness(&api).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("[-] store: "), "{text}");
    api.admin("/livez").await.expect(200);
    let session = api.session("early");
    let refused = session.create().await;
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    // By now the driver has tried, and the reason names who does not answer.
    let (status, text) = readiness(&api).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains(&way.address(0)), "{text}");

    for member in 0..set.members().len() {
        way.mend(member).await.unwrap();
    }
    server.await_ready().await;
    session.create().await.expect(201);
    session.append(&event("e1")).await.expect(201);
}

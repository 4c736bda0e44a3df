//! Clients that hang up before they are answered: what they asked for is done, and nobody else
//! notices.

use std::time::Duration;

use sessionstore_e2e::{
    client::Api,
    metrics::sum,
    raw::{Connection, head},
    sample::event,
    server::Server,
    until,
};

use crate::well;

const CLIENTS: usize = 100;

/// What a process opens to three members at most, by its default settings.
const MAX_CONNECTIONS: f64 = 3.0 * 32.0;

async fn metric(api: &Api, name: &str) -> f64 {
    sum(&api.admin("/metrics").await.expect(200).text, &[name])
}

#[tokio::test]
async fn appends_whose_clients_hang_up_are_carried_out_and_harm_no_connection() {
    let set = well().await;
    let way = set.proxies().unwrap();
    let url = way.through(&set.fresh_database().await.unwrap());
    let server = Server::start_on(&url).await;
    let api = server.api();
    let session = api.new_session().await;

    for round in 0..4 {
        // Long enough that all have asked before the first is answered.
        for member in 0..set.members().len() {
            way.delay(member, Duration::from_millis(500));
        }
        let mut asking = Vec::new();
        for client in 0..CLIENTS {
            let body = event(&format!("{round}-{client}")).to_string();
            let line = format!("POST {} HTTP/1.1", session.path("/events"));
            let length = format!("Content-Length: {}", body.len());
            let mut request = head(&line, &["Content-Type: application/json", &length]);
            request.extend(body.as_bytes());
            let mut connection = Connection::open(api.target()).await;
            connection.write(&request).await;
            asking.push(connection);
        }
        until("all clients asking", async || {
            let queued = metric(&api, "sessionstore_committer_queue_depth").await;
            queued >= 100.0
        })
        .await;
        drop(asking);
        for member in 0..set.members().len() {
            way.delay(member, Duration::ZERO);
        }
        until("events of clients that have gone", async || {
            session.current().await["eventCount"] == CLIENTS * (round + 1)
        })
        .await;
    }

    session.log().await;
    let connections = metric(&api, "sessionstore_mongodb_connections ").await;
    assert!(connections <= MAX_CONNECTIONS, "{connections}");
    until("idle connections", async || {
        metric(&api, "sessionstore_mongodb_connections_in_use").await < 1.0
    })
    .await;
}

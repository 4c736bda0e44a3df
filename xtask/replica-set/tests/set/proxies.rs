//! Clients that lose their members while the members have each other.

use std::{net::TcpStream, time::Duration};

use mongodb::{Client, bson::doc};
use sessionstore_replica_set::{Cut, Options, ProxyGroup, ReplicaSet};
use tokio::time::Instant;

use crate::{eventually, exclusive, hasty_client, store};

const MEMBERS: [usize; 3] = [0, 1, 2];

async fn client_through(set: &ReplicaSet, proxies: &ProxyGroup) -> Client {
    let url = proxies.through(&set.fresh_database().await.unwrap());
    hasty_client(&url).await
}

async fn store_until_it_works(client: &Client) {
    eventually("a document is stored", async || store(client).await.is_ok()).await;
}

/// Cuts off a client that has met all members, so that it would have left the proxies long ago if
/// it did not take them for the members.
async fn cuts_and_mends(cut: Cut) {
    let set = exclusive().await;
    let (cut_off, other) = (set.proxies().unwrap(), set.proxies().unwrap());
    let client = client_through(&set, &cut_off).await;
    let other_client = client_through(&set, &other).await;
    store(&client).await.unwrap();

    for member in MEMBERS {
        cut_off.cut(member, cut).await.unwrap();
    }
    assert!(store(&client).await.is_err());
    store(&other_client).await.unwrap();

    for member in MEMBERS {
        cut_off.mend(member).await.unwrap();
    }
    store_until_it_works(&client).await;
}

#[tokio::test]
async fn a_refusing_cut_separates_one_client_until_it_is_mended() {
    cuts_and_mends(Cut::Refuse).await;
}

#[tokio::test]
async fn a_black_hole_separates_one_client_until_it_is_mended() {
    cuts_and_mends(Cut::Blackhole).await;
}

#[tokio::test]
async fn a_client_without_the_primary_still_reads_from_the_others() {
    let set = exclusive().await;
    let proxies = set.proxies().unwrap();
    let client = client_through(&set, &proxies).await;
    store(&client).await.unwrap();
    let primary = set.primary().await.unwrap();

    proxies.cut(primary, Cut::Refuse).await.unwrap();
    assert!(store(&client).await.is_err());
    let documents = client
        .default_database()
        .unwrap()
        .collection::<mongodb::bson::Document>("documents");
    documents
        .find_one(doc! {})
        .selection_criteria(mongodb::options::SelectionCriteria::ReadPreference(
            mongodb::options::ReadPreference::Secondary {
                options: Option::default(),
            },
        ))
        .await
        .unwrap();
    assert_eq!(set.primary().await.unwrap(), primary);
}

#[tokio::test]
async fn a_refusing_cut_resets_what_is_open_and_refuses_what_is_new() {
    let set = exclusive().await;
    let proxies = set.proxies().unwrap();
    let address = proxies.address(0);
    let open = TcpStream::connect(&address).unwrap();
    proxies.cut(0, Cut::Refuse).await.unwrap();
    let refused = TcpStream::connect(&address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let ended = std::io::Read::read(&mut &open, &mut [0]);
    assert!(!matches!(ended, Ok(1..)));
}

#[tokio::test]
async fn a_delayed_line_takes_its_time_each_way() {
    let set = exclusive().await;
    let proxies = set.proxies().unwrap();
    let client = client_through(&set, &proxies).await;
    store(&client).await.unwrap();
    for member in MEMBERS {
        proxies.delay(member, Duration::from_millis(100));
    }
    let start = Instant::now();
    store(&client).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn the_connection_string_of_a_proxied_set_leads_through_its_proxies() {
    let options = Options {
        members: 1,
        proxied: true,
        ..Options::default()
    };
    let set = ReplicaSet::start(options).await.unwrap();
    let client = hasty_client(&set.url()).await;
    store(&client).await.unwrap();
    let front = set.front().unwrap();
    front.cut(0, Cut::Refuse).await.unwrap();
    assert!(store(&client).await.is_err());
    front.mend(0).await.unwrap();
    store_until_it_works(&client).await;
}

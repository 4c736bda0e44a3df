//! Encrypted connections: whom the store trusts, and how it proves itself.

use sessionstore::log::Settings;
use sessionstore::store::Health;
use sessionstore_replica_set::{Options, ReplicaSet, Tls};
use tokio::sync::OnceCell;

use crate::process::{Process, impatient};
use crate::sample::{create, event_ids, new_event};

/// Three members whose clients need no certificate.
async fn members_only() -> &'static ReplicaSet {
    static SET: OnceCell<ReplicaSet> = OnceCell::const_new();
    SET.get_or_init(|| start(3, Tls::Members)).await
}

/// A member that lets nobody in without a certificate, of another authority.
async fn mutual() -> &'static ReplicaSet {
    static SET: OnceCell<ReplicaSet> = OnceCell::const_new();
    SET.get_or_init(|| start(1, Tls::Mutual)).await
}

async fn start(members: usize, tls: Tls) -> ReplicaSet {
    let options = Options {
        members,
        tls: Some(tls),
        ..Options::default()
    };
    ReplicaSet::start(options).await.unwrap()
}

/// A connection string of the set with these options for TLS in place of its own.
async fn url_with(set: &ReplicaSet, options: &str) -> String {
    let url = set.fresh_database().await.unwrap();
    let (without, _) = url.split_once("&tls=true").unwrap();
    format!("{without}{options}")
}

async fn assert_serves(url: &str) {
    let process = Process::serving(url).await;
    create(&*process.store, "s").await;
    process.log.append(new_event("s", "e1")).await.unwrap();
    assert_eq!(event_ids(&*process.store, "s").await, ["e1"]);
}

/// The store does not serve, and says these words.
async fn assert_down(url: &str, words: &[&str]) {
    let process = Process::start(url, impatient(), Settings::default()).await;
    let what = format!("{words:?}");
    let says = |health: &Health| match health {
        Health::Down(reason) => words.iter().all(|it| reason.contains(it)),
        Health::Serving | Health::Degraded(_) => false,
    };
    process.until_health(&what, says).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_the_authority_in_the_url_are_trusted() {
    let set = members_only().await;
    let authority = set.certificates().unwrap().authority();
    let options = format!("&tls=true&tlsCAFile={}", authority.display());
    assert_serves(&url_with(set, &options).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_another_authority_are_refused_with_the_reason() {
    let set = members_only().await;
    let other = mutual().await.certificates().unwrap().authority();
    let options = format!("&tls=true&tlsCAFile={}", other.display());
    let host = set.member(0).host();
    let words = [&host, "UnknownIssuer", "tlsCAFile"];
    assert_down(&url_with(set, &options).await, &words).await;
    assert_down(&url_with(set, "&tls=true").await, &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_proves_itself_by_the_certificate_in_the_url() {
    let set = mutual().await;
    let certificates = set.certificates().unwrap();
    let authority = format!("&tls=true&tlsCAFile={}", certificates.authority().display());
    let client = certificates.client();
    let both = format!("{authority}&tlsCertificateKeyFile={}", client.display());
    assert_serves(&url_with(set, &both).await).await;
    let words = [&set.member(0).host(), "tlsCertificateKeyFile"];
    assert_down(&url_with(set, &authority).await, &words).await;
}

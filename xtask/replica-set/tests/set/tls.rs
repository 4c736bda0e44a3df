//! A set that talks over TLS only.

use sessionstore_replica_set::{Options, ReplicaSet, SetError, Tls};

use crate::{hasty_client, store};

#[tokio::test]
async fn a_set_over_tls_serves_nobody_without_it() {
    let options = Options {
        members: 1,
        tls: Some(Tls::Members),
        ..Options::default()
    };
    let set = ReplicaSet::start(options).await.unwrap();
    store(&hasty_client(&set.url()).await).await.unwrap();
    let url = set.url();
    let (plain, _) = url.split_once("&tls=true").unwrap();
    store(&hasty_client(plain).await).await.unwrap_err();
    let proxies = set.proxies();
    assert!(matches!(proxies, Err(SetError::Encrypted)), "{proxies:?}");
}

//! The standard options of a connection string, as the members see what they do.

use futures::TryStreamExt;
use futures::future::join_all;
use mongodb::bson::{Bson, Document, doc};
use sessionstore::domain::Consistency;
use sessionstore::store::Store;
use sessionstore_replica_set::{Member, ReplicaSet};

use crate::process::Process;
use crate::sample::{after_seq, create, event_ids, id, new_event};
use crate::set::{Base, field, unhurt, until};

/// A process on a database of its own, by a connection string with these options.
async fn process_with(set: &ReplicaSet, options: &str) -> Process {
    let base = Base::fresh(set).await;
    Process::serving(&format!("{}&{options}", base.url)).await
}

/// A session with one event, read many times at once.
async fn work(process: &Process) {
    create(&*process.store, "s").await;
    process.log.append(new_event("s", "e1")).await.unwrap();
    let query = after_seq(0, Consistency::Strong);
    let session = id("s");
    let reads = (0..64).map(|_| process.store.events(&session, &query));
    for page in join_all(reads).await {
        assert_eq!(page.unwrap().events.len(), 1);
    }
}

/// The connections of an application to a member on which somebody has logged in: all but those
/// of its monitors.
async fn connections(member: &Member, app: &str) -> Vec<Document> {
    let admin = member.client().database("admin");
    let stages = [
        doc! {"$currentOp": {"allUsers": true, "idleConnections": true}},
        doc! {"$match": {"appName": app, "effectiveUsers.0": {"$exists": true}}},
    ];
    let found = admin.aggregate(stages).await.unwrap();
    found.try_collect().await.unwrap()
}

/// How many bytes of what clients sent have come to the member compressed in this way.
async fn decompressed(member: &Member, by: &str) -> i64 {
    let admin = member.client().database("admin");
    let status = admin.run_command(doc! {"serverStatus": 1}).await.unwrap();
    let path = format!("network.compression.{by}.decompressor.bytesIn");
    field(&status, &path).and_then(Bson::as_i64).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_bear_the_name_of_the_service_or_the_one_in_the_url() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let _unnamed = Process::serving(&base.url).await;
    let _named = process_with(&set, "appName=uri-name").await;
    let database = base.database().name().to_owned();
    for member in set.members() {
        until("connections of the unnamed", async || {
            let all = connections(member, "sessionstore").await;
            let users = all.iter().map(|it| it.get_array("effectiveUsers").unwrap());
            let databases = users.filter_map(|it| field(it[0].as_document()?, "db")?.as_str());
            databases.into_iter().any(|it| it == database).then_some(())
        })
        .await;
        until("connections of the named", async || {
            let named = connections(member, "uri-name").await;
            (!named.is_empty()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_compressed_as_the_url_says() {
    let set = unhurt().await;
    let primary = set.member(set.primary().await.unwrap());
    let plain = process_with(&set, "appName=uri-plain").await;
    let before = decompressed(primary, "zstd").await;
    work(&plain).await;
    // Nobody else compresses in this way.
    assert_eq!(decompressed(primary, "zstd").await, before);
    let compressed = process_with(&set, "compressors=zstd").await;
    work(&compressed).await;
    assert!(decompressed(primary, "zstd").await > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_is_as_large_as_the_url_says_and_no_larger() {
    let set = unhurt().await;
    let process = process_with(&set, "appName=uri-pool&maxPoolSize=2").await;
    work(&process).await;
    for member in set.members() {
        let open = connections(member, "uri-pool").await.len();
        assert!((1..=2).contains(&open), "{open} connections");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_the_primary_gets_every_page_from_it() {
    let set = unhurt().await;
    let process = process_with(&set, "readPreference=primary").await;
    work(&process).await;
    assert_eq!(process.pages("secondary", "verified"), 0);
    assert_eq!(process.pages("secondary", "eventual"), 0);
    assert_eq!(process.pages("primary", "alone"), 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_another_database_logs_in_there() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let database = base.database().name();
    let role = service_role(&base).await;
    let create_user = doc! {
        "createUser": "elsewhere",
        "pwd": "secret",
        "roles": [{"role": role, "db": database}],
        "writeConcern": {"w": 3},
    };
    let admin = set.admin().database("admin");
    admin.run_command(create_user).await.unwrap();
    let (_, rest) = base.url.split_once('@').unwrap();
    let (hosts_and_name, _) = rest.split_once("authSource=").unwrap();
    let url = format!(
        "mongodb://elsewhere:secret@{hosts_and_name}authSource=admin&appName=uri-elsewhere"
    );
    let process = Process::serving(&url).await;
    work(&process).await;
    assert_eq!(base.stored("s").await.records.len(), 1);
    let primary = set.member(set.primary().await.unwrap());
    let expected = doc! {"user": "elsewhere", "db": "admin"};
    for connection in connections(primary, "uri-elsewhere").await {
        let users = connection.get_array("effectiveUsers").unwrap();
        assert_eq!(*users, [Bson::Document(expected.clone())]);
    }
}

/// The name of the role that the service's user of a database has.
async fn service_role(base: &Base) -> String {
    let answer = base.database().run_command(doc! {"rolesInfo": 1}).await;
    let answer = answer.unwrap();
    let [Bson::Document(role)] = &answer.get_array("roles").unwrap()[..] else {
        panic!("not one role: {answer}");
    };
    role.get_str("role").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_member_in_the_url_is_enough_to_find_all() {
    let set = unhurt().await;
    let base = Base::fresh(&set).await;
    let (user, rest) = base.url.split_once('@').unwrap();
    let (_, database) = rest.split_once('/').unwrap();
    let (database, _) = database.split_once('?').unwrap();
    let secondary = set.secondaries().await.unwrap()[0];
    let seed = set.member(secondary).host();
    // Without the name of the set too.
    let url = format!("{user}@{seed}/{database}?authSource={database}&appName=uri-seed");
    let process = Process::serving(&url).await;
    work(&process).await;
    // One that is busy at the moment is replaced by the primary.
    until("a page from a secondary", async || {
        let query = after_seq(0, Consistency::Strong);
        process.store.events(&id("s"), &query).await.unwrap();
        (process.pages("secondary", "verified") > 0).then_some(())
    })
    .await;
    assert_eq!(event_ids(&*process.store, "s").await, ["e1"]);
    for member in set.members() {
        until("connections to all members", async || {
            let open = connections(member, "uri-seed").await;
            (!open.is_empty()).then_some(())
        })
        .await;
    }
}

//! Members that somebody else has initiated.

use mongodb::bson::{Document, doc};
use serde_json::{Value, json};

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        key::Member,
        lab,
        store::{Part, Store, name_of, uid_of},
        told::{await_told, offered, permit},
    },
};

/// The server's word for a member that has no configuration yet.
const NOT_INITIATED: i32 = 94;

/// Keeps the third member from coming, so that the operator has to wait: it begins when all answer.
async fn allow_two_volumes(namespace: &str) {
    lab::apply(&json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "two", "namespace": namespace},
        "spec": {"hard": {"persistentvolumeclaims": "2"}},
    }))
    .await;
}

/// Lets the third member come. The cluster has tried for so long that it would wait minutes before
/// it tries again, unless something of the `StatefulSet` changes.
async fn allow_all_volumes(store: &Store) {
    store.kubectl(&["delete", "resourcequota", "two"]).await;
    let set = format!("statefulset/{}-mongodb", store.name);
    let stamp = "example.com/quota=lifted";
    store.kubectl(&["annotate", &set, stamp]).await;
}

/// The names of the members' pods, once so many take connections.
async fn await_listening(store: &Store, count: usize) -> Vec<String> {
    let listens = |pod: &&Value| {
        let containers = pod["status"]["containerStatuses"].as_array();
        containers.is_some_and(|it| it.iter().all(|it| it["ready"] == true))
    };
    eventually("members listen", async || {
        let pods = store.pods(Part::Members).await;
        let names = pods.iter().filter(listens);
        let names: Vec<String> = names.map(|it| name_of(it).to_owned()).collect();
        (names.len() == count).then_some(names)
    })
    .await
}

/// Makes a set of this member alone, and writes something into it.
async fn initiate_alone(store: &Store, pod: &str) {
    let member = Member::of(store, pod).await;
    assert_eq!(member.status().await.unwrap_err(), NOT_INITIATED);
    let host = format!(
        "{pod}.{}-mongodb.{}.svc.cluster.local:27017",
        store.name, store.namespace
    );
    let config = doc! {"_id": &store.name, "members": [{"_id": 0, "host": host}]};
    let initiated = member.run(doc! {"replSetInitiate": config}).await;
    initiated.unwrap();
    let note = doc! {"insert": "notes", "documents": [{"of": pod}]};
    eventually("it leads itself", async || {
        member.run_in("theirs", note.clone()).await.ok()
    })
    .await;
}

/// Who wrote the notes that a member has.
async fn notes(store: &Store, pod: &str) -> Vec<String> {
    let member = Member::of(store, pod).await;
    let found = member.run_in("theirs", doc! {"find": "notes"}).await;
    let found = found.unwrap();
    let batch = found.get_document("cursor").unwrap();
    let batch = batch.get_array("firstBatch").unwrap().iter();
    let of = |it: &Document| it.get_str("of").unwrap().to_owned();
    batch.map(|it| of(it.as_document().unwrap())).collect()
}

async fn claim_uids(store: &Store) -> Vec<(String, String)> {
    let claims = store.claims().await;
    let claims = claims.iter();
    claims
        .map(|it| (name_of(it).to_owned(), uid_of(it).to_owned()))
        .collect()
}

#[tokio::test]
async fn two_members_that_were_initiated_each_alone_wait_for_a_person_and_become_one_set() {
    let place = Place::beside_others("foreign").await;
    allow_two_volumes(&place.namespace).await;
    let store = place.store("voice", &specs::members(3)).await;
    let [one, other] = await_listening(&store, 2).await.try_into().unwrap();
    await_told(&store, "Reconciling", "NotAllReachable", &[]).await;
    for pod in [&one, &other] {
        initiate_alone(&store, pod).await;
    }
    allow_all_volumes(&store).await;

    let told = await_told(&store, "ForeignMember", "ForeignMember", &[&one, &other]).await;
    await_told(&store, "Stalled", "ForeignMember", &[&one, &other]).await;
    let offered = offered(&told);
    assert_eq!(offered.len(), 2, "{told}");
    let before = claim_uids(&store).await;

    // Nobody else is held up by it.
    let neighbour = place.store("chat", &specs::one_member()).await;
    neighbour.await_whole().await;
    Kept::write(&neighbour).await;

    // So long nothing was done to any of them.
    await_told(&store, "ForeignMember", "ForeignMember", &[&one, &other]).await;
    assert_eq!(claim_uids(&store).await, before);
    for pod in [&one, &other] {
        assert_eq!(notes(&store, pod).await, std::slice::from_ref(pod));
    }

    let is_of = |pod: &str| offered.iter().find(|it| it.starts_with(&format!("{pod}/")));
    permit(&store, is_of(&other).unwrap()).await;
    store.await_whole().await;
    Kept::write(&store).await.assert_there(&store).await;
    for pod in store.pods(Part::Members).await {
        assert_eq!(
            notes(&store, name_of(&pod)).await,
            std::slice::from_ref(&one)
        );
    }
    let after = claim_uids(&store).await;
    let changed: Vec<&String> = before
        .iter()
        .filter(|it| !after.contains(it))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, [&format!("data-{other}")]);
}

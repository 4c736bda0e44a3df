//! A member that was away for longer than the log of the others reaches back.
//!
//! It is made stale by what makes members stale: the process stands still while the others write
//! more than their logs hold. These are of 64 MB here, since the operator makes them a twentieth of
//! a small volume.

use mongodb::bson::{Document, Timestamp, doc};
use sessionstore_e2e::{client::Api, sample, session::Session};

use crate::{
    Place, eventually, specs,
    support::{
        kept::Kept,
        key::Member,
        processes::Frozen,
        store::{Part, Store, name_of, uid_of},
        told::{await_told, member, offered, permit},
    },
};

/// As much as a payload may have, less what its event has besides.
const PAYLOAD: usize = 250 * 1024;

/// In a request; their bodies stay below 8 MiB.
const EVENTS: usize = 16;

/// Requests that together are about twice as much as a log holds.
const REQUESTS: usize = 35;

/// The first entry that a member's log still has, or the last.
async fn entry(member: &Member, order: i32) -> Timestamp {
    let find = doc! {
        "find": "oplog.rs",
        "sort": {"$natural": order},
        "projection": {"ts": 1},
        "limit": 1,
        "singleBatch": true,
    };
    let found = member.run_in("local", find).await.unwrap();
    let batch = found.get_document("cursor").unwrap();
    let batch = batch.get_array("firstBatch").unwrap();
    let entry: &Document = batch[0].as_document().unwrap();
    entry.get_timestamp("ts").unwrap()
}

/// Appends so many events of the greatest size.
async fn append(session: &Session, count: usize) {
    let events: Vec<_> = (0..count)
        .map(|_| {
            let event = sample::event(&sample::fresh("e"));
            sample::with(event, "payload", sample::payload_of(PAYLOAD))
        })
        .collect();
    session.append_batch(&events).await.expect(200);
}

/// Writes until none of these members has an entry as old as this any more. A log is cut only when
/// something is written, and no further than the last checkpoint reaches, which comes each minute.
async fn write_beyond(api: &Api, others: &[Member], last: Timestamp) {
    let session = api.new_session().await;
    for _ in 0..REQUESTS {
        append(&session, EVENTS).await;
    }
    eventually("no log reaches back to it any more", async || {
        append(&session, 2).await;
        for other in others {
            if entry(other, 1).await <= last {
                return None;
            }
        }
        Some(())
    })
    .await;
}

async fn claim(store: &Store, pod: &str) -> String {
    let claim = store.claims().await;
    let name = format!("data-{pod}");
    let claim = claim.iter().find(|it| name_of(it) == name);
    uid_of(claim.expect("it has a volume")).to_owned()
}

#[tokio::test]
async fn a_member_that_is_too_stale_waits_for_a_person_and_copies_everything_when_allowed() {
    let place = Place::beside_others("stale").await;
    let store = place.store("voice", &specs::members(3)).await;
    store.await_whole().await;
    let kept = Kept::write(&store).await;
    let primary = store.primary().await;
    let pods = store.pods(Part::Members).await;
    let (mut others, mut victim) = (Vec::new(), None);
    for pod in &pods {
        let member = Member::of(&store, name_of(pod)).await;
        if name_of(pod) == primary || victim.is_some() {
            others.push(member);
        } else {
            victim = Some((pod, member));
        }
    }
    let (pod, stale) = victim.unwrap();
    let name = name_of(pod);

    let last = entry(&stale, -1).await;
    let frozen = Frozen::now(uid_of(pod), "mongod");
    write_beyond(&store.client().await, &others, last).await;
    drop(frozen);

    let told = await_told(&store, "Stalled", "TooStale", &[name]).await;
    let volume = claim(&store, name).await;
    assert_eq!(offered(&told), [format!("{name}/{volume}")]);
    assert_eq!(member(&store, name).await["state"], "RECOVERING");
    // The others write on, and nothing was done to it.
    Kept::write(&store).await;
    await_told(&store, "Stalled", "TooStale", &[name]).await;
    assert_eq!(uid_of(&store.pod(name).await), uid_of(pod));
    assert_eq!(claim(&store, name).await, volume);

    permit(&store, &offered(&told)[0]).await;
    store.await_whole().await;
    assert_ne!(claim(&store, name).await, volume);
    kept.assert_there(&store).await;
}

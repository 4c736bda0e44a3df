//! Who follows a session hears of what other processes commit, whatever happens to the members.

use std::time::Duration;

use sessionstore::domain::Consistency;
use sessionstore::log::{Log, News};
use sessionstore::store::Store;
use sessionstore_replica_set::ReplicaSet;
use tokio::sync::watch;

use crate::process::{Process, patient};
use crate::sample::{after_seq, create, id, new_event};
use crate::set::{Base, hurting, unhurt};

/// Follows as a stream does, reading only when it is told to look, until it has seen this many
/// events. Says how often it looked.
async fn follow(process: &Process, name: &str, wanted: u64, seen: watch::Sender<u64>) -> u64 {
    let mut follower = process.log.follow(&id(name));
    let (mut tail, mut looks) = (0, 0);
    let mut news = News::Look;
    loop {
        let events = match news {
            News::Events(events) => events,
            News::Look => {
                looks += 1;
                let query = after_seq(tail, Consistency::Strong);
                // While there is no primary, a stream reads again.
                let Ok(page) = process.store.events(&id(name), &query).await else {
                    news = News::Look;
                    continue;
                };
                page.events
            }
        };
        for event in events {
            tail += 1;
            assert_eq!(event.seq.get(), tail, "no gap, nothing twice");
            assert_eq!(event.event_id.as_str(), format!("e{tail}"), "in order");
        }
        seen.send_replace(tail);
        if tail == wanted {
            return looks;
        }
        news = follower.news(tail).await;
    }
}

/// Appends one event after the other, each as soon as it may.
async fn append(log: &Log, name: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let event = new_event(name, &format!("e{number}"));
        log.append(event).await.unwrap();
    }
}

/// A process that follows, and one that writes.
struct Scene {
    writer: Process,
    follower: Process,
}

impl Scene {
    async fn new(set: &ReplicaSet) -> Self {
        Self::on(&Base::fresh(set).await).await
    }

    async fn on(base: &Base) -> Self {
        let start = async || {
            let (patience, settings) = patient();
            let process = Process::start(&base.url, patience, settings).await;
            process.until_serving().await;
            process
        };
        Self {
            writer: start().await,
            follower: start().await,
        }
    }

    /// Five events, then `trouble`, then one by one five more, each of which is heard of before
    /// the next one is written; then `relief`, and the rest.
    async fn play(self, name: &str, trouble: impl AsyncFnOnce(), relief: impl AsyncFnOnce()) {
        create(&*self.writer.store, name).await;
        let (sender, mut seen) = watch::channel(0);
        let writing = async {
            append(&self.writer.log, name, 1..=5).await;
            seen.wait_for(|seen| *seen == 5).await.unwrap();
            trouble().await;
            for number in 6..=10 {
                append(&self.writer.log, name, number..=number).await;
                seen.wait_for(|seen| *seen == number).await.unwrap();
            }
            relief().await;
            append(&self.writer.log, name, 11..=60).await;
        };
        let both = async { tokio::join!(writing, follow(&self.follower, name, 60, sender)) };
        let played = tokio::time::timeout(Duration::from_secs(180), both).await;
        assert!(played.is_ok(), "something stayed unannounced");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_commits_is_announced() {
    let set = unhurt().await;
    let scene = Scene::new(&set).await;
    scene.play("s", async || {}, async || {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_follower_hears_of_its_own_session() {
    let set = unhurt().await;
    let Scene { writer, follower } = Scene::new(&set).await;
    let names = ["a", "b", "c", "d"];
    for name in names {
        create(&*writer.store, name).await;
    }
    let following = names.map(|name| follow(&follower, name, 20, watch::Sender::new(0)));
    let writing = names.map(|name| append(&writer.log, name, 1..=20));
    let both = futures::future::join(
        futures::future::join_all(following),
        futures::future::join_all(writing),
    );
    let played = tokio::time::timeout(Duration::from_secs(180), both).await;
    assert!(played.is_ok(), "something stayed unannounced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_commits_itself_is_told_without_a_read() {
    let set = unhurt().await;
    let process = Process::serving(&Base::fresh(&set).await.url).await;
    create(&*process.store, "s").await;
    let (sender, mut seen) = watch::channel(0);
    let writing = async {
        for number in 1..=500 {
            append(&process.log, "s", number..=number).await;
            seen.wait_for(|seen| *seen == number).await.unwrap();
        }
    };
    let ((), looks) = tokio::join!(writing, follow(&process, "s", 500, sender));
    // One at first, and one whenever the change stream is opened, which it is again if it stalls.
    assert!(looks <= 20, "{looks} reads of 500 events");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_go_on_after_a_planned_hand_over() {
    hurting(async |set: &ReplicaSet| {
        let scene = Scene::new(set).await;
        let hand_over = async || set.step_down().await.unwrap();
        scene.play("s", hand_over, hand_over).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_go_on_after_the_primary_was_killed() {
    hurting(async |set: &ReplicaSet| {
        let scene = Scene::new(set).await;
        let first = set.member(set.primary().await.unwrap());
        let kill = async || first.kill().await.unwrap();
        scene
            .play("s", kill, async || first.restart().await.unwrap())
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_go_on_after_the_primary_froze() {
    hurting(async |set: &ReplicaSet| {
        let scene = Scene::new(set).await;
        let first = set.member(set.primary().await.unwrap());
        let freeze = async || first.freeze().await.unwrap();
        scene
            .play("s", freeze, async || first.thaw().unwrap())
            .await;
    })
    .await;
}

/// A change stream reads from any member that the connection string prefers.
fn from_secondaries(base: &mut Base) {
    base.url.push_str("&readPreference=secondary");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_go_on_after_a_secondary_was_lost_whoever_they_came_from() {
    hurting(async |set: &ReplicaSet| {
        let mut base = Base::fresh(set).await;
        from_secondaries(&mut base);
        // Each in turn, so that the one the change stream reads from is among them.
        for killed in [true, false] {
            for secondary in set.secondaries().await.unwrap() {
                let scene = Scene::on(&base).await;
                let name = format!("{killed} {secondary}");
                let member = set.member(secondary);
                let lose = async || {
                    let lost = if killed {
                        member.kill().await
                    } else {
                        member.freeze().await
                    };
                    lost.unwrap();
                };
                let relieve = async || {
                    let back = if killed {
                        member.restart().await
                    } else {
                        member.thaw()
                    };
                    back.unwrap();
                };
                scene.play(&name, lose, relieve).await;
                set.wait_until_healthy().await.unwrap();
            }
        }
    })
    .await;
}

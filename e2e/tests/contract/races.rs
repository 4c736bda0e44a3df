//! Many callers at once: one winner, no gap, no duplicate, nothing after the end.

use std::collections::BTreeSet;

use serde_json::json;
use sessionstore_e2e::{
    all_at_once,
    client::Api,
    sample::{self, event, with},
    until,
};

#[tokio::test]
async fn of_64_creating_one_id_exactly_one_is_first() {
    let api = Api::shared().await;
    let id = sample::fresh("race");
    let replies = all_at_once(64, async |n| {
        let body = with(sample::session(&id), "metadata", json!({ "creator": n }));
        api.create(&body).await
    })
    .await;
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 201).count(),
        1
    );
    let stored = api.session(&id).current().await;
    for reply in replies {
        assert!([200, 201].contains(&reply.status));
        assert_eq!(reply.is_replay(), reply.status == 200);
        assert_eq!(reply.at("/session"), stored);
    }
}

#[tokio::test]
async fn of_64_appending_one_event_exactly_one_is_first() {
    let session = Api::shared().await.new_session().await;
    let replies = all_at_once(64, async |_| session.append(&event("e1")).await).await;
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 201).count(),
        1
    );
    let log = session.log().await;
    assert_eq!(log.len(), 1);
    for reply in replies {
        assert!([200, 201].contains(&reply.status));
        assert_eq!(reply.at("/event"), log[0]);
    }
}

#[tokio::test]
async fn of_64_appending_other_content_under_one_id_exactly_one_is_stored() {
    let session = Api::shared().await.new_session().await;
    let replies = all_at_once(64, async |n| {
        session
            .append(&with(event("e1"), "payload", json!({ "writer": n })))
            .await
    })
    .await;
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 201).count(),
        1
    );
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 409).count(),
        63
    );
    assert_eq!(session.log().await.len(), 1);
}

#[tokio::test]
async fn sixty_four_appending_to_one_session_get_contiguous_seqs() {
    let session = Api::shared().await.new_session().await;
    let seqs = all_at_once(64, async |n| {
        session
            .append(&event(&format!("e{n}")))
            .await
            .expect(201)
            .number_at("/event/seq")
    })
    .await;
    let distinct: BTreeSet<_> = seqs.into_iter().collect();
    assert!(distinct.into_iter().eq(1..=64));
    assert_eq!(session.log().await.len(), 64);
}

#[tokio::test]
async fn of_64_expecting_one_seq_exactly_one_gets_it() {
    let session = Api::shared().await.new_session().await;
    let replies = all_at_once(64, async |n| {
        session
            .append(&with(event(&format!("e{n}")), "expectedSeq", json!(1)))
            .await
    })
    .await;
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 201).count(),
        1
    );
    assert_eq!(
        replies.iter().filter(|reply| reply.status == 409).count(),
        63
    );
    assert_eq!(session.log().await.len(), 1);
}

#[tokio::test]
async fn an_append_that_races_a_close_is_in_the_log_or_refused() {
    let api = Api::shared().await;
    for _ in 0..5 {
        let session = api.new_session().await;
        let appending = all_at_once(80, async |n| session.append(&event(&format!("e{n}"))).await);
        let closing = async {
            // The close starts when some of the appends are done.
            until("fifth event", async || {
                session.get(&[]).await.number_at("/session/eventCount") >= 5
            })
            .await;
            session.complete().await.expect(200)
        };
        let (replies, closed) = tokio::join!(appending, closing);

        let mut acknowledged = 0;
        for reply in &replies {
            match reply.status {
                201 => acknowledged += 1,
                409 => {}
                other => panic!("{other}: {}", reply.text),
            }
        }
        assert_eq!(closed.at("/session/eventCount"), acknowledged);
        let log = session.log().await;
        assert_eq!(log.len(), acknowledged);
        for reply in replies.iter().filter(|reply| reply.status == 201) {
            assert!(log.contains(&reply.at("/event")));
        }
    }
}

#[tokio::test]
async fn an_append_after_an_acknowledged_one_has_the_greater_seq() {
    let session = Api::shared().await.new_session().await;
    all_at_once(8, async |writer| {
        let mut last = 0;
        for n in 0..20 {
            let reply = session
                .append(&event(&format!("{writer}-{n}")))
                .await
                .expect(201);
            let seq = reply.number_at("/event/seq");
            assert!(seq > last);
            last = seq;
        }
    })
    .await;
    assert_eq!(session.log().await.len(), 160);
}

#[tokio::test]
async fn singles_batches_and_batches_across_sessions_share_one_log() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    all_at_once(30, async |n| {
        let first = event(&format!("{n}-a"));
        let second = event(&format!("{n}-b"));
        match n % 3 {
            0 => {
                session.append(&first).await.expect(201);
                session.append(&second).await.expect(201);
            }
            1 => {
                session.append_batch(&[first, second]).await.expect(200);
            }
            _ => {
                let to = |body| with(body, "sessionId", json!(session.id));
                api.append_batch(&[to(first), to(second)]).await.expect(200);
            }
        }
    })
    .await;
    assert_eq!(session.log().await.len(), 60);
}

#[tokio::test]
async fn create_and_append_may_be_sent_together() {
    let api = Api::shared().await;
    all_at_once(20, async |n| {
        let session = api.session(format!("{}-{n}", sample::fresh("race")));
        let first = event("e1");
        let (created, appended) = tokio::join!(session.create(), session.append(&first));
        created.expect(201);
        assert!([201, 404].contains(&appended.status), "{}", appended.text);
        session.append(&event("e1")).await;
        assert_eq!(session.log().await.len(), 1);
    })
    .await;
}

//! Creating, closing and erasing through three processes at once: one outcome for everybody.

use std::collections::BTreeSet;

use serde_json::json;
use sessionstore_e2e::{
    all_at_once,
    client::Reply,
    processes::Processes,
    sample::{self, event, with},
    until,
};

fn count(replies: &[Reply], status: u16) -> usize {
    replies
        .iter()
        .filter(|reply| reply.status == status)
        .count()
}

#[tokio::test]
async fn of_64_creating_one_id_through_three_processes_one_is_first() {
    let processes = Processes::three().await;
    let api = processes.api();
    for _ in 0..5 {
        let id = sample::fresh("race");
        let replies = all_at_once(64, async |n| {
            let body = with(sample::session(&id), "metadata", json!({ "creator": n }));
            api.create(&body).await
        })
        .await;
        assert_eq!((count(&replies, 201), count(&replies, 200)), (1, 63));
        let stored = api.session(&id).current().await;
        for reply in &replies {
            assert_eq!(reply.at("/session"), stored);
        }
    }
    processes.assert_all_were_asked().await;
}

#[tokio::test]
async fn of_64_appending_one_event_through_three_processes_one_stores_it() {
    let processes = Processes::three().await;
    let api = processes.api();
    let session = api.new_session().await;
    let replies = all_at_once(64, async |_| session.append(&event("e1")).await).await;
    assert_eq!((count(&replies, 201), count(&replies, 200)), (1, 63));
    let log = session.log().await;
    for reply in &replies {
        assert_eq!(reply.at("/event"), log[0]);
    }
}

#[tokio::test]
async fn sixty_four_completes_through_three_processes_have_one_end() {
    let processes = Processes::three().await;
    let api = processes.api();
    for _ in 0..5 {
        let session = api.new_session().await;
        session.fill(3).await;
        let ends: BTreeSet<String> =
            all_at_once(64, async |_| session.complete().await.expect(200))
                .await
                .iter()
                .map(|reply| reply.text_at("/session/endedAt"))
                .collect();
        assert_eq!(ends.len(), 1, "{ends:?}");
        assert_eq!(
            session.current().await["endedAt"],
            json!(ends.first().unwrap())
        );
    }
}

#[tokio::test]
async fn completes_that_race_fails_through_three_processes_have_one_outcome() {
    let processes = Processes::three().await;
    let api = processes.api();
    let session = api.new_session().await;
    let replies = all_at_once(64, async |n| {
        // The processes take turns of three, the outcomes turns of two: each meets each.
        if n % 2 == 0 {
            session.complete().await
        } else {
            session.fail().await
        }
    })
    .await;
    assert_eq!((count(&replies, 200), count(&replies, 409)), (32, 32));
    let closed = session.current().await;
    for reply in replies.iter().filter(|reply| reply.status == 200) {
        assert_eq!(reply.at("/session"), closed);
    }
}

#[tokio::test]
async fn an_append_that_races_a_close_by_another_process_is_in_the_log_or_refused() {
    let processes = Processes::three().await;
    for round in 0..5 {
        let closing = processes.process(round).new_session().await;
        let appending = all_at_once(80, async |n| {
            // Two processes append, the third one closes.
            let process = processes.process(round + 1 + n % 2);
            process
                .session(&closing.id)
                .append(&event(&format!("e{n}")))
                .await
        });
        let close = async {
            until("fifth event", async || {
                closing.get(&[]).await.number_at("/session/eventCount") >= 5
            })
            .await;
            closing.complete().await.expect(200)
        };
        let (replies, closed) = tokio::join!(appending, close);

        let stored = count(&replies, 201);
        assert_eq!(stored + count(&replies, 409), replies.len());
        assert_eq!(closed.at("/session/eventCount"), stored);
        let log = closing.log().await;
        assert_eq!(log.len(), stored);
        for reply in replies.iter().filter(|reply| reply.status == 201) {
            assert!(log.contains(&reply.at("/event")));
        }
    }
}

#[tokio::test]
async fn what_one_process_closed_no_other_appends_to_whatever_it_remembers() {
    let processes = Processes::three().await;
    let session = processes.process(0).new_session().await;
    let on = |process| processes.process(process).session(&session.id);
    // All three know the tail now.
    for process in 0..3 {
        let body = event(&format!("e{process}"));
        on(process).append(&body).await.expect(201);
    }
    on(0).complete().await.expect(200);
    for process in 0..3 {
        on(process).append(&event("late")).await.problem(409);
        on(process).append(&event("e0")).await.expect(200);
    }
}

#[tokio::test]
async fn an_erasure_that_races_everything_leaves_nothing_behind() {
    let processes = Processes::three().await;
    let api = processes.api();
    for round in 0..3 {
        let session = api.new_session().await;
        session.fill(20).await;
        let racing = all_at_once(90, async |n| match n % 3 {
            0 => session.append(&event(&format!("late-{n}"))).await,
            1 => session.patch(&json!({ "metadata": { "n": n } })).await,
            _ => session.get(&[]).await,
        });
        let erasing = all_at_once(3, async |n| {
            let process = processes.process(round + n);
            process.session(&session.id).delete().await.expect(204)
        });
        let (replies, _) = tokio::join!(racing, erasing);

        for reply in &replies {
            assert!(
                [200, 201, 410].contains(&reply.status),
                "{}: {}",
                reply.request,
                reply.text
            );
        }
        for process in 0..3 {
            let api = processes.process(process);
            let session = api.session(&session.id);
            session.get(&[]).await.problem(410);
            session.append(&event("e1")).await.problem(410);
            session.events(&[]).await.problem(410);
            session.create().await.problem(410);
            session.delete().await.expect(204);
            let listed = api.list(&[]).await;
            assert!(listed.iter().all(|it| it["sessionId"] != json!(session.id)));
        }
    }
}

#[tokio::test]
async fn patches_of_three_processes_lose_no_change() {
    let processes = Processes::three().await;
    let api = processes.api();
    let session = api.new_session().await;
    let fields = all_at_once(48, async |n| {
        let patch = json!({ "metadata": { format!("field {n}"): n } });
        session.patch(&patch).await.status
    })
    .await;
    assert!(fields.iter().all(|status| *status == 200), "{fields:?}");
    let metadata = session.current().await["metadata"].clone();
    assert_eq!(metadata.as_object().unwrap().len(), 48);
}

//! The two batches: items are judged one by one, and the whole is safe to retry.

use serde_json::{Value, json};
use sessionstore_e2e::{
    all_at_once,
    client::{Api, Reply},
    problem::Problem,
    sample::{self, event, with},
    session::{Session, numbers, texts},
};

fn events(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| event(id)).collect()
}

fn to(session: &Session, body: Value) -> Value {
    with(body, "sessionId", json!(session.id))
}

#[track_caller]
fn statuses(reply: &Reply) -> Vec<u64> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    numbers(&reply.list("/results"), "status")
}

/// A batch to this session, whose items are these texts.
async fn append_texts(session: &Session, items: &[&str]) -> Reply {
    let body = format!(r#"{{"events":[{}]}}"#, items.join(","));
    Api::shared()
        .await
        .post_text(&session.path("/events:batch"), &body)
        .await
}

#[tokio::test]
async fn a_batch_is_stored_in_its_order_with_a_result_per_item() {
    let session = Api::shared().await.new_session().await;
    session.append(&event("before")).await.expect(201);

    let reply = session.append_batch(&events(&["c", "a", "b"])).await;

    assert_eq!(statuses(&reply), [201, 201, 201]);
    let stored: Vec<_> = reply
        .list("/results")
        .iter()
        .map(|result| result["event"].clone())
        .collect();
    assert_eq!(texts(&stored, "eventId"), ["c", "a", "b"]);
    assert_eq!(numbers(&stored, "seq"), [2, 3, 4]);
    assert_eq!(session.log().await[1..], stored);
}

#[tokio::test]
async fn a_retried_batch_returns_the_stored_events() {
    let session = Api::shared().await.new_session().await;
    let first = session.append_batch(&events(&["a", "b"])).await;
    let again = session.append_batch(&events(&["a", "b", "c"])).await;
    assert_eq!(statuses(&again), [200, 200, 201]);
    for n in 0..2 {
        let pointer = format!("/results/{n}/event");
        assert_eq!(again.at(&pointer), first.at(&pointer));
    }
    assert_eq!(session.log().await.len(), 3);
}

#[tokio::test]
async fn a_refused_item_does_not_stop_those_after_it() {
    let session = Api::shared().await.new_session().await;
    session.append(&event("stored")).await.expect(201);
    let items = [
        event("a"),
        with(event("b"), "type", json!("shout")),
        with(event("stored"), "type", json!("system")),
        with(event("d"), "expectedSeq", json!(77)),
        event("stored"),
        with(event("f"), "expectedSeq", json!(3)),
    ];

    let reply = session.append_batch(&items).await;

    assert_eq!(statuses(&reply), [201, 400, 409, 409, 200, 201]);
    Problem::of_item(&reply.at("/results/1"), 400).names(&["/events/1/type"]);
    let conflict = Problem::of_item(&reply.at("/results/2"), 409);
    let gap = Problem::of_item(&reply.at("/results/3"), 409);
    assert_ne!(conflict.kind, gap.kind);
    assert_eq!(texts(&session.log().await, "eventId"), ["stored", "a", "f"]);
}

#[tokio::test]
async fn an_id_twice_in_one_batch_is_stored_once() {
    let session = Api::shared().await.new_session().await;
    let other = with(event("a"), "type", json!("system"));
    let reply = session
        .append_batch(&[event("a"), event("a"), other, event("b")])
        .await;
    assert_eq!(statuses(&reply), [201, 200, 409, 201]);
    assert_eq!(reply.at("/results/1/event"), reply.at("/results/0/event"));
    assert_eq!(texts(&session.log().await, "eventId"), ["a", "b"]);
}

#[tokio::test]
async fn an_item_names_all_its_faults_by_their_places_in_the_body() {
    let session = Api::shared().await.new_session().await;
    let items = [
        r#"{"eventId":"a","type":"system","payload":{}}"#,
        r#"{"type":"shout","payload":[],"volume":11}"#,
        r#"{"eventId":"c","type":"system","payload":{},"sessionId":"other"}"#,
        r#"{"eventId":"d","type":"system","payload":{},"timestamp":"now"}"#,
    ];
    let reply = append_texts(&session, &items).await;
    assert_eq!(statuses(&reply), [201, 400, 400, 400]);
    Problem::of_item(&reply.at("/results/1"), 400).names(&[
        "/events/1/eventId",
        "/events/1/type",
        "/events/1/payload",
        "/events/1/volume",
    ]);
    Problem::of_item(&reply.at("/results/2"), 400).names(&["/events/2/sessionId"]);
    Problem::of_item(&reply.at("/results/3"), 400).names(&["/events/3/timestamp"]);
}

#[tokio::test]
async fn what_is_json_but_not_storable_is_the_fault_of_its_item() {
    let session = Api::shared().await.new_session().await;
    let nested = sample::event_text("nested", &sample::nested(65));
    let items = [
        r#"{"eventId":"a","type":"system","payload":{"k":1,"k":2}}"#,
        r#"{"eventId":"b","type":"system","payload":{"n":9223372036854775808}}"#,
        r#"{"eventId":"c","type":"system","payload":{"n":1e400}}"#,
        r#"{"eventId":"d","eventId":"d","type":"system","payload":{}}"#,
        &nested,
        "5",
        "null",
        "[]",
        r#""text""#,
        r#"{"eventId":"z","type":"system","payload":{"a":1}}"#,
    ];

    let reply = append_texts(&session, &items).await;

    assert_eq!(
        statuses(&reply),
        [400, 400, 400, 400, 400, 400, 400, 400, 400, 201]
    );
    let places = |n: usize| {
        let result = reply.at(&format!("/results/{n}"));
        Problem::of_item(&result, 400).places
    };
    assert_eq!(places(0), ["/events/0/payload/k"]);
    assert_eq!(places(1), ["/events/1/payload/n"]);
    assert_eq!(places(2), ["/events/2/payload/n"]);
    assert_eq!(places(3), ["/events/3/eventId"]);
    assert!(places(4)[0].starts_with("/events/4/payload"));
    for n in 5..9 {
        assert_eq!(places(n), [format!("/events/{n}")]);
    }
}

#[tokio::test]
async fn an_unknown_session_refuses_the_whole_batch() {
    let session = Api::shared().await.session(sample::fresh("batch"));
    session.append_batch(&events(&["a"])).await.problem(404);
}

#[tokio::test]
async fn a_closed_session_answers_what_is_stored_and_refuses_the_rest_item_by_item() {
    let session = Api::shared().await.new_session().await;
    session.append_batch(&events(&["a", "b"])).await.expect(200);
    session.complete().await.expect(200);
    let reply = session.append_batch(&events(&["a", "new", "b"])).await;
    assert_eq!(statuses(&reply), [200, 409, 200]);
    Problem::of_item(&reply.at("/results/1"), 409);
    assert_eq!(session.log().await.len(), 2);
}

#[tokio::test]
async fn a_batch_takes_1_to_500_items() {
    let session = Api::shared().await.new_session().await;
    let ids: Vec<_> = (0..501).map(|n| event(&format!("e{n}"))).collect();
    session
        .append_batch(&[])
        .await
        .problem(400)
        .names(&["/events"]);
    session
        .append_batch(&ids)
        .await
        .problem(400)
        .names(&["/events"]);
    assert_eq!(session.log().await.len(), 0);
    let reply = session.append_batch(&ids[..500]).await;
    assert_eq!(statuses(&reply), [201; 500]);
    let again = session.append_batch(&ids[..500]).await;
    assert_eq!(statuses(&again), [200; 500]);
    assert_eq!(session.log().await.len(), 500);
}

#[tokio::test]
async fn a_batch_across_sessions_keeps_the_order_of_each() {
    let api = Api::shared().await;
    let (one, other) = (api.new_session().await, api.new_session().await);
    let items = [
        to(&one, event("a")),
        to(&other, event("a")),
        to(&other, event("b")),
        to(&one, event("b")),
        to(&one, event("a")),
    ];
    let reply = api.append_batch(&items).await;
    assert_eq!(statuses(&reply), [201, 201, 201, 201, 200]);
    assert_eq!(reply.at("/results/3/event/seq"), 2);
    assert_eq!(reply.text_at("/results/3/event/sessionId"), one.id);
    for session in [one, other] {
        assert_eq!(texts(&session.log().await, "eventId"), ["a", "b"]);
    }
}

#[tokio::test]
async fn in_a_batch_across_sessions_each_item_has_its_own_fate() {
    let api = Api::shared().await;
    let (open, closed, erased) = (
        api.new_session().await,
        api.new_session().await,
        api.new_session().await,
    );
    closed.complete().await.expect(200);
    erased.delete().await.expect(204);
    let unknown = api.session(sample::fresh("never"));
    let items = [
        to(&unknown, event("a")),
        to(&open, event("a")),
        to(&closed, event("a")),
        to(&erased, event("a")),
        event("without a session"),
        with(event("a"), "sessionId", json!(" ")),
        to(&open, event("b")),
    ];

    let reply = api.append_batch(&items).await;

    assert_eq!(statuses(&reply), [404, 201, 409, 410, 400, 400, 201]);
    for (n, status) in [(0, 404), (2, 409), (3, 410)] {
        Problem::of_item(&reply.at(&format!("/results/{n}")), status);
    }
    for n in [4, 5] {
        let result = reply.at(&format!("/results/{n}"));
        Problem::of_item(&result, 400).names(&[&format!("/events/{n}/sessionId")]);
    }
    assert_eq!(open.log().await.len(), 2);
}

#[tokio::test]
async fn the_same_batch_sent_many_times_at_once_is_stored_once() {
    let api = Api::shared().await;
    let (one, other) = (api.new_session().await, api.new_session().await);
    let items: Vec<_> = (0..40)
        .map(|n| {
            to(
                if n % 3 == 0 { &one } else { &other },
                event(&format!("e{n}")),
            )
        })
        .collect();

    let replies = all_at_once(16, async |_| api.append_batch(&items).await.expect(200)).await;

    let stored = |reply: &Reply| -> Vec<Value> {
        reply
            .list("/results")
            .iter()
            .map(|result| result["event"].clone())
            .collect()
    };
    for reply in &replies {
        assert_eq!(stored(reply), stored(&replies[0]));
    }
    let new = replies
        .iter()
        .flat_map(statuses)
        .filter(|status| *status == 201)
        .count();
    assert_eq!(new, 40, "each event is new to exactly one of the callers");
    assert_eq!(one.log().await.len() + other.log().await.len(), 40);
}

#[tokio::test]
async fn concurrent_batches_to_one_session_keep_their_own_order() {
    let session = Api::shared().await.new_session().await;
    let replies = all_at_once(12, async |writer| {
        let items: Vec<_> = (0..25).map(|n| event(&format!("{writer}-{n}"))).collect();
        session.append_batch(&items).await
    })
    .await;
    for reply in replies {
        assert_eq!(statuses(&reply), [201; 25]);
        let seqs: Vec<_> = reply
            .list("/results")
            .iter()
            .map(|r| r["event"]["seq"].as_u64().unwrap())
            .collect();
        assert!(seqs.is_sorted(), "{seqs:?}");
    }
    assert_eq!(session.log().await.len(), 300);
}

#[tokio::test]
async fn a_large_batch_is_taken_and_read_again() {
    let session = Api::shared().await.new_session().await;
    let items: Vec<_> = (0..28)
        .map(|n| {
            with(
                event(&format!("e{n}")),
                "payload",
                sample::payload_of(256 * 1024),
            )
        })
        .collect();
    assert_eq!(statuses(&session.append_batch(&items).await), [201; 28]);
    assert_eq!(session.log().await.len(), 28);
}

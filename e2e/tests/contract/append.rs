//! `POST /v1/sessions/{sessionId}/events`: append, idempotent.

use serde_json::{Value, json};
use sessionstore_e2e::{
    client::Api,
    sample::{self, event, event_at, time, with},
};

#[tokio::test]
async fn a_new_event_is_201_and_has_every_field() {
    let session = Api::shared().await.new_session().await;
    let body = json!({
        "eventId": "e1",
        "type": "bot_speech",
        "payload": { "text": "good morning", "confidence": 0.93 },
        "timestamp": "2024-05-06T07:08:09.123Z",
    });

    let reply = session.append(&body).await.expect(201);

    assert!(!reply.is_replay());
    let event = reply.at("/event");
    assert_eq!(event["sessionId"], json!(session.id));
    assert_eq!(event["seq"], 1);
    assert_eq!(event["eventId"], "e1");
    assert_eq!(event["type"], "bot_speech");
    assert_eq!(
        event["payload"],
        json!({ "text": "good morning", "confidence": 0.93 })
    );
    assert_eq!(event["timestamp"], "2024-05-06T07:08:09.123Z");
    sample::assert_is_time(&event["recordedAt"]);
    assert_eq!(session.event("e1").await.expect(200).at("/event"), event);
}

#[tokio::test]
async fn every_type_of_event_is_taken() {
    let session = Api::shared().await.new_session().await;
    for (n, kind) in ["user_speech", "bot_speech", "system"]
        .into_iter()
        .enumerate()
    {
        let body = with(event(kind), "type", json!(kind));
        let reply = session.append(&body).await.expect(201);
        assert_eq!(reply.at("/event/type"), kind);
        assert_eq!(reply.at("/event/seq"), json!(n + 1));
    }
}

#[tokio::test]
async fn an_event_without_a_time_gets_the_clock_of_the_server() {
    let session = Api::shared().await.new_session().await;
    let absent = session.append(&event("absent")).await.expect(201);
    sample::assert_is_time(&absent.at("/event/timestamp"));
    let body = with(
        with(event("null"), "timestamp", Value::Null),
        "expectedSeq",
        Value::Null,
    );
    let null = session.append(&body).await.expect(201);
    sample::assert_is_time(&null.at("/event/timestamp"));
    assert!(null.text_at("/event/timestamp") >= absent.text_at("/event/timestamp"));
}

#[tokio::test]
async fn a_retried_append_returns_the_stored_event() {
    let session = Api::shared().await.new_session().await;
    for body in [event("clock"), event_at("given", &time(0))] {
        let first = session.append(&body).await.expect(201);
        for _ in 0..3 {
            let again = session.append(&body).await.expect(200);
            assert!(again.is_replay());
            assert_eq!(again.json(), first.json());
        }
    }
    assert_eq!(session.log().await.len(), 2);
}

#[tokio::test]
async fn a_retry_with_a_finer_or_shifted_time_is_the_same_event() {
    let session = Api::shared().await.new_session().await;
    let first = event_at("e1", "2024-05-06T07:08:09.123456789+02:00");
    let stored = session.append(&first).await.expect(201);
    for same in [
        &first,
        &event_at("e1", "2024-05-06T05:08:09.123Z"),
        &event("e1"),
    ] {
        let again = session.append(same).await.expect(200);
        assert_eq!(again.json(), stored.json());
    }
}

#[tokio::test]
async fn the_same_id_with_other_content_is_409() {
    let session = Api::shared().await.new_session().await;
    let stored = session.append(&event_at("e1", &time(0))).await.expect(201);
    for other in [
        with(event("e1"), "payload", json!({ "text": "something else" })),
        with(event("e1"), "payload", json!({})),
        with(event("e1"), "type", json!("system")),
        event_at("e1", &time(1)),
    ] {
        session.append(&other).await.problem(409);
    }
    assert_eq!(session.log().await, [stored.at("/event")]);
}

#[tokio::test]
async fn a_time_other_than_the_clock_gave_is_other_content() {
    let session = Api::shared().await.new_session().await;
    let stored = session.append(&event("e1")).await.expect(201);
    session
        .append(&event_at("e1", "2001-01-01T00:00:00Z"))
        .await
        .problem(409);
    let same = event_at("e1", &stored.text_at("/event/timestamp"));
    assert_eq!(
        session.append(&same).await.expect(200).json(),
        stored.json()
    );
}

#[tokio::test]
async fn the_order_of_keys_is_no_content() {
    let session = Api::shared().await.new_session().await;
    let first = sample::event_text("e1", r#"{"a":1,"b":{"c":[{"d":1,"e":2}],"f":3}}"#);
    let turned = sample::event_text("e1", r#"{ "b": {"f":3, "c":[{"e":2,"d":1}]}, "a":1 }"#);
    let stored = session.append_text(&first).await.expect(201);
    assert_eq!(
        session.append_text(&turned).await.expect(200).text,
        stored.text
    );
}

#[tokio::test]
async fn everything_else_in_a_payload_is_content() {
    let session = Api::shared().await.new_session().await;
    let stored = r#"{"n":1,"list":[1,2],"text":"a","flag":true,"none":null}"#;
    session
        .append_text(&sample::event_text("e1", stored))
        .await
        .expect(201);
    for other in [
        r#"{"n":1.0,"list":[1,2],"text":"a","flag":true,"none":null}"#,
        r#"{"n":"1","list":[1,2],"text":"a","flag":true,"none":null}"#,
        r#"{"n":1,"list":[2,1],"text":"a","flag":true,"none":null}"#,
        r#"{"n":1,"list":[1,2,3],"text":"a","flag":true,"none":null}"#,
        r#"{"n":1,"list":[1,2],"text":"A","flag":true,"none":null}"#,
        r#"{"n":1,"list":[1,2],"text":"a","flag":false,"none":null}"#,
        r#"{"n":1,"list":[1,2],"text":"a","flag":true}"#,
        r#"{"n":1,"list":[1,2],"text":"a","flag":true,"none":null,"more":null}"#,
        r#"{"N":1,"list":[1,2],"text":"a","flag":true,"none":null}"#,
    ] {
        session
            .append_text(&sample::event_text("e1", other))
            .await
            .problem(409);
    }
}

#[tokio::test]
async fn two_spellings_of_one_value_are_the_same_content() {
    let session = Api::shared().await.new_session().await;
    let first = r#"{"half":0.5,"text":"é/"}"#;
    let other = r#"{"half":5.0e-1,"text":"\u00e9\/"}"#;
    let stored = session
        .append_text(&sample::event_text("e1", first))
        .await
        .expect(201);
    let again = session
        .append_text(&sample::event_text("e1", other))
        .await
        .expect(200);
    assert_eq!(again.text, stored.text);
}

#[tokio::test]
async fn the_expected_seq_is_the_next_one_or_409() {
    let session = Api::shared().await.new_session().await;
    let expecting = |id: &str, seq: u64| with(event(id), "expectedSeq", json!(seq));
    session.append(&expecting("early", 2)).await.problem(409);
    session.append(&expecting("e1", 1)).await.expect(201);
    session.append(&expecting("late", 1)).await.problem(409);
    session.append(&expecting("early", 3)).await.problem(409);
    session
        .append(&expecting("early", 9_000_000_000_000_000_000))
        .await
        .problem(409);
    session.append(&expecting("e2", 2)).await.expect(201);
    assert_eq!(session.log().await.len(), 2);
}

#[tokio::test]
async fn a_stored_event_is_answered_whatever_seq_is_expected() {
    let session = Api::shared().await.new_session().await;
    session.fill(2).await;
    for seq in [1, 2, 3, 99] {
        let reply = session
            .append(&with(event("e1"), "expectedSeq", json!(seq)))
            .await
            .expect(200);
        assert_eq!(reply.at("/event/seq"), 1);
    }
}

#[tokio::test]
async fn the_reasons_of_409_can_be_told_apart() {
    let session = Api::shared().await.new_session().await;
    session.fill(1).await;
    let gap = session
        .append(&with(event("new"), "expectedSeq", json!(7)))
        .await
        .problem(409);
    let other = with(event("e1"), "payload", json!({}));
    let conflict = session.append(&other).await.problem(409);
    session.complete().await.expect(200);
    let closed = session.append(&event("new")).await.problem(409);
    assert_ne!(gap.kind, conflict.kind);
    assert_ne!(gap.kind, closed.kind);
    assert_ne!(conflict.kind, closed.kind);

    let conflict_when_closed = session.append(&other).await.problem(409);
    assert_eq!(conflict_when_closed.kind, conflict.kind);
}

#[tokio::test]
async fn a_closed_session_answers_stored_events_and_refuses_new_ones() {
    let api = Api::shared().await;
    let (completed, failed) = (api.new_session().await, api.new_session().await);
    for session in [&completed, &failed] {
        session.fill(2).await;
    }
    completed.complete().await.expect(200);
    failed.fail().await.expect(200);
    for session in [&completed, &failed] {
        let again = session.append(&event("e2")).await.expect(200);
        assert!(again.is_replay());
        assert_eq!(again.at("/event/seq"), 2);
        session.append(&event("e3")).await.problem(409);
        session
            .append(&with(event("e3"), "expectedSeq", json!(3)))
            .await
            .problem(409);
        assert_eq!(session.log().await.len(), 2);
    }
}

#[tokio::test]
async fn an_event_id_is_one_per_session() {
    let api = Api::shared().await;
    let (one, other) = (api.new_session().await, api.new_session().await);
    one.append(&event("shared")).await.expect(201);
    let second = with(event("shared"), "payload", json!({ "other": true }));
    other.append(&second).await.expect(201);
    assert_eq!(
        one.event("shared").await.at("/event/payload/text"),
        "what a user said"
    );
    assert_eq!(other.event("shared").await.at("/event/payload/other"), true);
}

#[tokio::test]
async fn an_event_id_may_look_like_anything() {
    let session = Api::shared().await.new_session().await;
    let ids = [
        "1", "0", "-1", "null", "true", "e 1", "E1", "e1", "e/1", "%41", "A", "é", "e\u{301}", "🎙",
        "{}",
    ];
    for (n, id) in ids.into_iter().enumerate() {
        let reply = session.append(&event(id)).await.expect(201);
        assert_eq!(reply.at("/event/seq"), json!(n + 1), "{id}");
    }
    for id in ids {
        assert_eq!(session.event(id).await.expect(200).at("/event/eventId"), id);
    }
}

#[tokio::test]
async fn an_acknowledged_event_is_seen_by_every_read_at_once() {
    let session = Api::shared().await.new_session().await;
    for n in 1..=20_u64 {
        let id = format!("e{n}");
        session.append(&event(&id)).await.expect(201);
        assert_eq!(
            session.get(&[]).await.expect(200).at("/session/eventCount"),
            n
        );
        assert_eq!(
            session
                .events(&[])
                .await
                .expect(200)
                .at("/pagination/total"),
            n
        );
        session.event(&id).await.expect(200);
        let last = session
            .events(&[("order", "-seq"), ("limit", "1")])
            .await
            .expect(200);
        assert_eq!(last.at("/events/0/seq"), n);
    }
}

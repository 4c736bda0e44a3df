//! `POST …/complete` and `…/fail`: close, idempotent, one end for everybody.

use serde_json::{Value, json};
use sessionstore_e2e::{
    all_at_once,
    client::{Api, Reply},
    sample::{self, event},
    session::Session,
};

/// Closes a session as completed or as failed.
async fn close(session: &Session, completed: bool) -> Reply {
    if completed {
        session.complete().await
    } else {
        session.fail().await
    }
}

#[tokio::test]
async fn closing_sets_the_end_once() {
    let api = Api::shared().await;
    for (completed, status) in [(true, "completed"), (false, "failed")] {
        let session = api.new_session().await;
        session.fill(3).await;

        let reply = close(&session, completed).await.expect(200);

        let closed = reply.at("/session");
        assert_eq!(closed["status"], status);
        sample::assert_is_time(&closed["endedAt"]);
        assert_eq!(closed.get("endReason"), Some(&Value::Null));
        assert_eq!(closed["eventCount"], 3);
        assert_eq!(session.current().await, closed);
        for _ in 0..3 {
            assert_eq!(
                close(&session, completed).await.expect(200).at("/session"),
                closed
            );
        }
    }
}

#[tokio::test]
async fn a_session_without_events_can_be_closed() {
    let session = Api::shared().await.new_session().await;
    let reply = session.complete().await.expect(200);
    assert_eq!(reply.at("/session/status"), "completed");
    assert_eq!(reply.at("/session/eventCount"), 0);
}

#[tokio::test]
async fn the_other_outcome_is_409() {
    let api = Api::shared().await;
    for completed in [true, false] {
        let session = api.new_session().await;
        let first = close(&session, completed).await.expect(200);
        close(&session, !completed).await.problem(409);
        assert_eq!(session.current().await, first.at("/session"));
    }
}

#[tokio::test]
async fn a_reason_is_kept_and_the_first_one_wins() {
    let session = Api::shared().await.new_session().await;
    let first = session
        .fail_with(&json!({ "reason": "line dropped 📞" }))
        .await
        .expect(200);
    assert_eq!(first.at("/session/endReason"), "line dropped 📞");
    for body in [
        json!({ "reason": "other" }),
        json!({}),
        json!({ "reason": null }),
    ] {
        assert_eq!(
            session.fail_with(&body).await.expect(200).at("/session"),
            first.at("/session")
        );
    }
    assert_eq!(
        session.fail().await.expect(200).at("/session"),
        first.at("/session")
    );
}

#[tokio::test]
async fn an_empty_body_an_empty_object_and_a_null_reason_give_no_reason() {
    let api = Api::shared().await;
    for body in [json!({}), json!({ "reason": null })] {
        let session = api.new_session().await;
        let reply = session.complete_with(&body).await.expect(200);
        assert_eq!(
            reply.at("/session").get("endReason"),
            Some(&Value::Null),
            "{body}"
        );
    }
}

#[tokio::test]
async fn sixty_four_concurrent_closers_get_one_end() {
    let session = Api::shared().await.new_session().await;
    session.fill(5).await;
    let replies = all_at_once(64, async |n| {
        session
            .complete_with(&json!({ "reason": format!("closer {n}") }))
            .await
            .expect(200)
    })
    .await;
    let end = replies[0].at("/session");
    for reply in &replies {
        assert_eq!(reply.at("/session"), end);
    }
    assert_eq!(session.current().await, end);
}

#[tokio::test]
async fn of_two_outcomes_racing_one_wins_for_everybody() {
    let api = Api::shared().await;
    for _ in 0..5 {
        let session = api.new_session().await;
        session.fill(2).await;
        let replies = all_at_once(32, async |n| close(&session, n % 2 == 0).await).await;
        let end = session.current().await;
        let completed_won = end["status"] == "completed";
        for (n, reply) in replies.iter().enumerate() {
            if (n % 2 == 0) == completed_won {
                assert_eq!(reply.clone().expect(200).at("/session"), end);
            } else {
                reply.problem(409);
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_stored_after_the_end() {
    let session = Api::shared().await.new_session().await;
    session.append(&event("before")).await.expect(201);
    session.complete().await.expect(200);
    all_at_once(20, async |n| {
        session
            .append(&event(&format!("late{n}")))
            .await
            .problem(409)
    })
    .await;
    let late: Vec<_> = (0..20).map(|n| event(&format!("late{n}"))).collect();
    session.append_batch(&late).await.expect(200);
    assert_eq!(session.log().await.len(), 1);
}

//! `GET /v1/sessions/{sessionId}/events/{eventId}`: one event.

use sessionstore_e2e::{client::Api, sample};

#[tokio::test]
async fn one_event_is_what_its_append_answered() {
    let session = Api::shared().await.new_session().await;
    let first = session.append(&sample::event("e1")).await.expect(201);
    let second = session
        .append(&sample::event_at("e2", &sample::time(0)))
        .await
        .expect(201);
    assert_eq!(session.event("e1").await.expect(200).json(), first.json());
    assert_eq!(session.event("e2").await.expect(200).json(), second.json());
}

#[tokio::test]
async fn one_event_is_there_after_closing() {
    let session = Api::shared().await.new_session().await;
    session.fill(1).await;
    session.fail().await.expect(200);
    session.event("e1").await.expect(200);
}

#[tokio::test]
async fn an_event_that_is_not_there_is_404_and_so_is_one_of_another_session() {
    let api = Api::shared().await;
    let (session, other) = (api.new_session().await, api.new_session().await);
    other.append(&sample::event("elsewhere")).await.expect(201);
    session.fill(1).await;
    session.event("never").await.problem(404);
    session.event("elsewhere").await.problem(404);
    session.event("E1").await.problem(404);
    // A sequence number is no event id, nor is what the terminal record might be called.
    session.event("1").await.problem(404);
    session.complete().await.expect(200);
    for id in ["2", "end", "null"] {
        session.event(id).await.problem(404);
    }
}

#[tokio::test]
async fn a_missing_event_and_a_missing_session_can_be_told_apart() {
    let api = Api::shared().await;
    let event = api.new_session().await.event("never").await.problem(404);
    let session = api
        .session(sample::fresh("never"))
        .event("never")
        .await
        .problem(404);
    assert_ne!(event.kind, session.kind);
}

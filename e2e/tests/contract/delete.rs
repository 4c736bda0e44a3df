//! `DELETE /v1/sessions/{sessionId}`: erased for good, and the id stays spent.

use serde_json::{Value, json};
use sessionstore_e2e::{all_at_once, client::Api, problem::Problem, sample, session::Session};

async fn erased() -> Session {
    let session = Api::shared().await.new_session().await;
    session.fill(3).await;
    session.delete().await.expect(204);
    session
}

#[tokio::test]
async fn erasing_is_204_again_and_again() {
    let session = erased().await;
    let again = session.delete().await.expect(204);
    assert_eq!(again.text, "");
    session.delete().await.expect(204);
}

#[tokio::test]
async fn an_id_that_never_was_is_404() {
    let session = Api::shared().await.session(sample::fresh("delete"));
    session.delete().await.problem(404);
    session.create().await.expect(201);
}

#[tokio::test]
async fn every_other_call_on_an_erased_session_is_410() {
    let session = erased().await;
    session.create().await.problem(410);
    session.get(&[]).await.problem(410);
    session.events(&[]).await.problem(410);
    session.events(&[("afterSeq", "0")]).await.problem(410);
    session.event("e1").await.problem(410);
    session.event("never").await.problem(410);
    session
        .patch(&json!({ "metadata": { "a": 1 } }))
        .await
        .problem(410);
    session.patch_if("\"1\"", &json!({})).await.problem(410);
    session.append(&sample::event("e1")).await.problem(410);
    session.append(&sample::event("e9")).await.problem(410);
    session
        .append_batch(&[sample::event("e1")])
        .await
        .problem(410);
    session.complete().await.problem(410);
    session.fail().await.problem(410);
}

#[tokio::test]
async fn the_stream_of_an_erased_session_is_410_whatever_the_resume_id() {
    let session = erased().await;
    session.no_stream(&[]).await.problem(410);
    for after in ["0", "3", "4", "99"] {
        session.no_stream(&[("after", after)]).await.problem(410);
        let request = session.stream_request().header("last-event-id", after);
        Api::shared().await.send(request).await.problem(410);
    }
}

#[tokio::test]
async fn an_item_for_an_erased_session_is_410_and_the_others_are_stored() {
    let api = Api::shared().await;
    let (gone, alive) = (erased().await, api.new_session().await);
    let to = |session: &Session| sample::with(sample::event("e1"), "sessionId", json!(session.id));
    let reply = api.append_batch(&[to(&gone), to(&alive)]).await.expect(200);
    Problem::of_item(&reply.at("/results/0"), 410);
    assert_eq!(reply.at("/results/1/status"), 201);
}

#[tokio::test]
async fn a_session_can_be_erased_in_every_state() {
    let api = Api::shared().await;
    let empty = api.new_session().await;
    let completed = api.new_session().await;
    completed.fill(2).await;
    completed.complete().await.expect(200);
    let failed = api.new_session().await;
    failed.fail().await.expect(200);
    for session in [empty, completed, failed] {
        session.delete().await.expect(204);
        session.get(&[]).await.problem(410);
        session.create().await.problem(410);
        session.complete().await.problem(410);
    }
}

#[tokio::test]
async fn nothing_of_an_erased_session_is_answered_any_more() {
    let api = Api::shared().await;
    let session = api.session(sample::fresh("delete"));
    let secret = sample::fresh("secret");
    let body = sample::with(
        sample::session(&session.id),
        "metadata",
        json!({ "name": secret }),
    );
    api.create(&body).await.expect(201);
    let event = sample::with(sample::event("e1"), "payload", json!({ "text": secret }));
    session.append(&event).await.expect(201);
    session.delete().await.expect(204);
    for reply in [
        session.get(&[]).await,
        session.events(&[]).await,
        session.event("e1").await,
        session.append(&event).await,
        session.create().await,
        session.delete().await,
    ] {
        assert!(!reply.text.contains(&secret), "{}", reply.text);
    }
}

#[tokio::test]
async fn concurrent_erasures_all_succeed() {
    let session = Api::shared().await.new_session().await;
    session.fill(50).await;
    all_at_once(32, async |_| session.delete().await.expect(204)).await;
    session.get(&[]).await.problem(410);
}

#[tokio::test]
async fn an_append_that_races_an_erasure_is_stored_before_it_or_410() {
    let session = Api::shared().await.new_session().await;
    session.fill(5).await;
    let appending = all_at_once(40, async |n| {
        let reply = session.append(&sample::event(&format!("race{n}"))).await;
        assert!([201, 410].contains(&reply.status), "{}", reply.text);
    });
    let erasing = async { session.delete().await.expect(204) };
    tokio::join!(appending, erasing);
    session.events(&[]).await.problem(410);
    session.append(&sample::event("race0")).await.problem(410);
}

#[tokio::test]
async fn other_sessions_keep_everything() {
    let api = Api::shared().await;
    let unique = sample::fresh("delete");
    // Neighbours in key order, the one an extension of the other.
    let (gone, before, after) = (
        api.session(format!("{unique}m")),
        api.session(format!("{unique}l")),
        api.session(format!("{unique}mm")),
    );
    for session in [&gone, &before, &after] {
        session.create().await.expect(201);
        session.fill(4).await;
    }
    gone.delete().await.expect(204);
    for session in [&before, &after] {
        let events: Vec<Value> = session.log().await;
        assert_eq!(events.len(), 4);
    }
}

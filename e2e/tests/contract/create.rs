//! `POST /v1/sessions`: create, idempotent, first write wins.

use serde_json::{Value, json};
use sessionstore_e2e::{
    client::Api,
    sample::{self, with},
};

#[tokio::test]
async fn a_new_session_is_201_and_has_every_field() {
    let api = Api::shared().await;
    let id = sample::fresh("create");

    let reply = api
        .create(&json!({
            "sessionId": id,
            "language": "de-DE",
            "startedAt": "2024-05-06T07:08:09.123Z",
            "metadata": { "channel": "phone", "retries": 3 },
        }))
        .await
        .expect(201);

    assert!(!reply.is_replay());
    let session = reply.at("/session");
    assert_eq!(session["sessionId"], json!(id));
    assert_eq!(session["status"], "initiated");
    assert_eq!(session["language"], "de-DE");
    assert_eq!(session["startedAt"], "2024-05-06T07:08:09.123Z");
    sample::assert_is_time(&session["createdAt"]);
    sample::assert_is_time(&session["updatedAt"]);
    assert_eq!(session.get("endedAt"), Some(&Value::Null));
    assert_eq!(session.get("endReason"), Some(&Value::Null));
    assert_eq!(session["eventCount"], 0);
    assert_eq!(
        session["metadata"],
        json!({ "channel": "phone", "retries": 3 })
    );
    assert!(session["version"].is_u64());
}

#[tokio::test]
async fn what_was_created_is_what_is_read() {
    let api = Api::shared().await;
    let session = api.session(sample::fresh("create"));
    let created = session.create().await.expect(201);
    assert_eq!(session.current().await, created.at("/session"));
}

#[tokio::test]
async fn a_repeated_create_is_200_with_the_session_unchanged() {
    let api = Api::shared().await;
    let body = sample::session(&sample::fresh("create"));
    let first = api.create(&body).await.expect(201);

    let again = api.create(&body).await.expect(200);

    assert!(again.is_replay());
    assert_eq!(again.json(), first.json());
}

#[tokio::test]
async fn the_first_write_wins_over_every_later_one() {
    let api = Api::shared().await;
    let id = sample::fresh("create");
    let first = api.create(&sample::session(&id)).await.expect(201);

    let other = json!({
        "sessionId": id,
        "language": "fr",
        "startedAt": "2001-01-01T00:00:00Z",
        "metadata": { "late": true },
    });
    let again = api.create(&other).await.expect(200);

    assert!(again.is_replay());
    assert_eq!(again.json(), first.json());
}

#[tokio::test]
async fn a_repeated_create_answers_the_session_as_it_is_now() {
    let session = Api::shared().await.new_session().await;
    session.append(&sample::event("e1")).await.expect(201);
    let active = session.create().await.expect(200);
    assert_eq!(active.at("/session/status"), "active");
    assert_eq!(active.at("/session/eventCount"), 1);

    let closed = session.complete().await.expect(200);
    let again = session.create().await.expect(200);
    assert!(again.is_replay());
    assert_eq!(again.at("/session"), closed.at("/session"));
}

#[tokio::test]
async fn null_for_an_optional_field_means_absent() {
    let api = Api::shared().await;
    let body = sample::session(&sample::fresh("create"));
    let body = with(
        with(body, "metadata", Value::Null),
        "startedAt",
        Value::Null,
    );

    let reply = api.create(&body).await.expect(201);

    assert_eq!(reply.at("/session/metadata"), json!({}));
    sample::assert_is_time(&reply.at("/session/startedAt"));
}

#[tokio::test]
async fn a_start_comes_back_in_utc_with_finer_digits_cut_off() {
    let api = Api::shared().await;
    for (given, answered) in [
        (
            "2024-05-06T07:08:09.123987654+02:00",
            "2024-05-06T05:08:09.123Z",
        ),
        ("2024-05-06t07:08:09z", "2024-05-06T07:08:09.000Z"),
        ("2024-05-06T07:08:09.5-05:30", "2024-05-06T12:38:09.500Z"),
        ("2024-02-29T23:59:59.999999999Z", "2024-02-29T23:59:59.999Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ] {
        let body = sample::session_at(&sample::fresh("create"), "en", given);
        let reply = api.create(&body).await.expect(201);
        assert_eq!(reply.at("/session/startedAt"), answered, "for {given}");
    }
}

#[tokio::test]
async fn an_id_may_be_any_text_without_control_characters() {
    let api = Api::shared().await;
    let unique = sample::fresh("id");
    for shape in [
        "{}/with/slashes",
        "{} with spaces",
        "{}%2Fand%20percent",
        "{}?query=1&x#fragment",
        "{}:batch",
        "{}.json",
        "..{}",
        "{}\"quotes'\\backslash",
        "{}+plus;semi,comma",
        "{}-äöü-日本語-עברית",
        "{}-👩‍👩‍👧",
        "<script>{}</script>",
        "$where{}",
        "{}\u{e000}private",
    ] {
        let session = api.session(shape.replace("{}", &unique));
        let created = session.create().await.expect(201);
        assert_eq!(created.text_at("/session/sessionId"), session.id);
        assert_eq!(session.current().await, created.at("/session"));
        session.append(&sample::event("e")).await.expect(201);
        assert_eq!(
            session
                .event("e")
                .await
                .expect(200)
                .text_at("/event/sessionId"),
            session.id
        );
    }
}

#[tokio::test]
async fn ids_are_not_normalised() {
    let api = Api::shared().await;
    let unique = sample::fresh("é");
    let composed = api.session(format!("\u{e9}{unique}"));
    let decomposed = api.session(format!("e\u{301}{unique}"));
    let upper = api.session(format!("\u{c9}{unique}"));
    composed.create().await.expect(201);
    decomposed.create().await.expect(201);
    upper.create().await.expect(201);
    composed.fill(1).await;
    assert_eq!(decomposed.log().await.len(), 0);
    assert_eq!(upper.log().await.len(), 0);
}

#[tokio::test]
async fn well_formed_language_tags_are_taken() {
    let api = Api::shared().await;
    for language in [
        "en",
        "en-US",
        "zh-Hant-TW",
        "sl-rozaj-biske",
        "de-CH-1996",
        "es-419",
        "de-a-value",
        "haw",
    ] {
        let body = with(
            sample::session(&sample::fresh("create")),
            "language",
            json!(language),
        );
        let reply = api.create(&body).await.expect(201);
        assert_eq!(reply.at("/session/language"), language);
    }
}

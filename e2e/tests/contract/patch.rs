//! `PATCH /v1/sessions/{sessionId}`: JSON merge patch (RFC 7396) with `If-Match` (RFC 9110).

use serde_json::{Value, json};
use sessionstore_e2e::{all_at_once, client::Api, sample, session::Session};

async fn with_metadata(metadata: Value) -> Session {
    let api = Api::shared().await;
    let session = api.session(sample::fresh("patch"));
    let body = sample::with(sample::session(&session.id), "metadata", metadata);
    api.create(&body).await.expect(201);
    session
}

#[tokio::test]
async fn metadata_is_merged() {
    let session =
        with_metadata(json!({ "keep": 1, "drop": 2, "deep": { "keep": 3, "drop": 4 } })).await;
    let patch = json!({ "metadata": {
        "drop": null, "absent": null, "new": [1, null], "deep": { "drop": null, "new": 5 },
    } });

    let reply = session.patch(&patch).await.expect(200);

    let expected = json!({ "keep": 1, "new": [1, null], "deep": { "keep": 3, "new": 5 } });
    assert_eq!(reply.at("/session/metadata"), expected);
    assert_eq!(session.current().await, reply.at("/session"));
}

#[tokio::test]
async fn a_value_that_is_no_object_is_replaced_as_a_whole() {
    let session = with_metadata(json!({ "list": [1, 2], "text": "a", "map": { "b": 1 } })).await;
    let patch =
        json!({ "metadata": { "list": [3], "text": { "x": { "y": null, "z": 1 } }, "map": 7 } });
    let reply = session.patch(&patch).await.expect(200);
    let expected = json!({ "list": [3], "text": { "x": { "z": 1 } }, "map": 7 });
    assert_eq!(reply.at("/session/metadata"), expected);
}

#[tokio::test]
async fn metadata_null_empties_it() {
    let session = with_metadata(json!({ "a": 1 })).await;
    let reply = session
        .patch(&json!({ "metadata": null }))
        .await
        .expect(200);
    assert_eq!(reply.at("/session/metadata"), json!({}));
}

#[tokio::test]
async fn a_language_is_replaced_and_the_rest_stays() {
    let session = with_metadata(json!({ "a": 1 })).await;
    let before = session.current().await;
    let reply = session
        .patch(&json!({ "language": "pt-BR" }))
        .await
        .expect(200);
    let after = reply.at("/session");
    assert_eq!(after["language"], "pt-BR");
    sample::assert_is_time(&after["updatedAt"]);
    for field in [
        "sessionId",
        "status",
        "startedAt",
        "createdAt",
        "metadata",
        "endedAt",
    ] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

#[tokio::test]
async fn a_patch_that_changes_nothing_makes_no_version() {
    let session = with_metadata(json!({ "a": { "b": 1 } })).await;
    let before = session.current().await;
    for patch in [
        json!({}),
        json!({ "metadata": {} }),
        json!({ "metadata": { "a": {} } }),
        json!({ "metadata": { "a": { "b": 1 } }, "language": "en-US" }),
        json!({ "metadata": { "absent": null } }),
    ] {
        let reply = session.patch(&patch).await.expect(200);
        assert_eq!(reply.at("/session"), before, "after {patch}");
    }
    assert_eq!(session.current().await, before);
}

#[tokio::test]
async fn one_and_one_point_zero_are_a_change() {
    let session = with_metadata(json!({ "n": 1 })).await;
    let before = session.current().await["version"].as_u64().unwrap();
    let reply = session
        .patch(&json!({ "metadata": { "n": 1.0 } }))
        .await
        .expect(200);
    assert_eq!(reply.number_at("/session/version"), before + 1);
    assert!(reply.text.contains(r#"{"n":1.0}"#), "{}", reply.text);
}

#[tokio::test]
async fn if_match_lets_pass_what_matches_only() {
    let session = with_metadata(json!({})).await;
    let etag = session.get(&[]).await.header("etag").unwrap().to_owned();
    let patch = |n: u64| json!({ "metadata": { "n": n } });

    session
        .patch_if("\"no-such-version\"", &patch(1))
        .await
        .problem(412);
    session
        .patch_if(&format!("W/{etag}"), &patch(1))
        .await
        .problem(412);
    session
        .patch_if("\"x\", \"y\"", &patch(1))
        .await
        .problem(412);
    assert_eq!(session.current().await["metadata"], json!({}));

    let reply = session.patch_if(&etag, &patch(2)).await.expect(200);
    session.patch_if(&etag, &patch(3)).await.problem(412);
    let etag = reply.header("etag").unwrap().to_owned();
    session.patch_if("*", &patch(4)).await.expect(200);
    session.patch_if(&etag, &patch(5)).await.problem(412);
    let etag = session.get(&[]).await.header("etag").unwrap().to_owned();
    let reply = session
        .patch_if(&format!("\"a,b\" , {etag},W/\"c\""), &patch(6))
        .await
        .expect(200);
    assert_eq!(reply.at("/session/metadata"), json!({ "n": 6 }));
}

#[tokio::test]
async fn several_if_match_headers_are_one_list() {
    let session = with_metadata(json!({})).await;
    let etag = session.get(&[]).await.header("etag").unwrap().to_owned();
    let request = session
        .patch_request(r#"{"metadata":{"n":1}}"#)
        .header("if-match", "\"other\"")
        .header("if-match", etag);
    Api::shared().await.send(request).await.expect(200);
}

#[tokio::test]
async fn an_event_does_not_spoil_an_etag() {
    let session = with_metadata(json!({})).await;
    let etag = session.get(&[]).await.header("etag").unwrap().to_owned();
    session.fill(2).await;
    session
        .patch_if(&etag, &json!({ "metadata": { "n": 1 } }))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_closed_session_may_still_be_patched() {
    let session = with_metadata(json!({})).await;
    let closed = session
        .fail_with(&json!({ "reason": "no answer" }))
        .await
        .expect(200);
    let reply = session
        .patch(&json!({ "metadata": { "rating": 5 } }))
        .await
        .expect(200);
    assert_eq!(reply.at("/session/metadata"), json!({ "rating": 5 }));
    assert_eq!(
        reply.number_at("/session/version"),
        closed.number_at("/session/version") + 1
    );
    for field in ["status", "endedAt", "endReason", "eventCount"] {
        assert_eq!(
            reply.at("/session")[field],
            closed.at("/session")[field],
            "{field}"
        );
    }
}

#[tokio::test]
async fn both_media_types_of_a_patch_are_taken() {
    let api = Api::shared().await;
    let session = with_metadata(json!({})).await;
    for (n, media_type) in [
        "application/json",
        "application/merge-patch+json",
        "application/json; charset=utf-8",
        "Application/Merge-Patch+JSON",
    ]
    .into_iter()
    .enumerate()
    {
        let request = api
            .request(reqwest::Method::PATCH, &session.path(""))
            .header("content-type", media_type)
            .body(json!({ "metadata": { "n": n } }).to_string());
        api.send(request).await.expect(200);
        assert_eq!(session.current().await["metadata"], json!({ "n": n }));
    }
}

#[tokio::test]
async fn of_patches_of_one_version_exactly_one_succeeds() {
    let session = with_metadata(json!({})).await;
    let etag = session.get(&[]).await.header("etag").unwrap().to_owned();
    let statuses = all_at_once(32, async |n| {
        session
            .patch_if(&etag, &json!({ "metadata": { "winner": n } }))
            .await
            .status
    })
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 31);
}

#[tokio::test]
async fn no_concurrent_patch_is_lost() {
    let session = with_metadata(json!({})).await;
    let before = session.current().await["version"].as_u64().unwrap();
    all_at_once(32, async |n| {
        let patch = json!({ "metadata": { format!("k{n}"): n } });
        session.patch(&patch).await.expect(200);
    })
    .await;
    let after = session.current().await;
    assert_eq!(after["metadata"].as_object().unwrap().len(), 32);
    assert_eq!(after["version"].as_u64().unwrap(), before + 32);
}

#[tokio::test]
async fn a_patch_and_a_close_do_not_lose_each_other() {
    let session = with_metadata(json!({})).await;
    let patch = json!({ "metadata": { "patched": true } });
    let (patched, closed) = tokio::join!(session.patch(&patch), session.complete());
    patched.expect(200);
    closed.expect(200);
    let after = session.current().await;
    assert_eq!(after["status"], "completed");
    assert_eq!(after["metadata"], json!({ "patched": true }));
}

//! The limits, each from both sides.

use reqwest::Method;
use serde_json::json;
use sessionstore_e2e::{
    client::Api,
    sample::{self, event, event_text, fresh, nested, payload_of, with},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// `unique`, filled up to `bytes` bytes.
fn id_of(bytes: usize) -> String {
    let unique = fresh("limit");
    format!("{unique}{}", "x".repeat(bytes - unique.len()))
}

#[tokio::test]
async fn a_session_id_has_1_to_256_bytes() {
    let api = Api::shared().await;
    let longest = api.session(id_of(256));
    longest.create().await.expect(201);
    longest.get(&[]).await.expect(200);
    let longer = api.session(id_of(257));
    longer.create().await.problem(400).names(&["/sessionId"]);
    longer.get(&[]).await.problem(400).names(&["?sessionId"]);
    // Bytes are counted, not characters.
    api.session(format!("{}é", id_of(254)))
        .create()
        .await
        .expect(201);
    api.session(format!("{}é", id_of(255)))
        .create()
        .await
        .problem(400)
        .names(&["/sessionId"]);
}

#[tokio::test]
async fn an_event_id_has_1_to_256_bytes() {
    let session = Api::shared().await.new_session().await;
    let (longest, longer) = ("é".repeat(128), format!("{}x", "é".repeat(128)));
    session.append(&event("x")).await.expect(201);
    session.append(&event(&longest)).await.expect(201);
    session.event(&longest).await.expect(200);
    session
        .append(&event(&longer))
        .await
        .problem(400)
        .names(&["/eventId"]);
    session
        .event(&longer)
        .await
        .problem(400)
        .names(&["?eventId"]);
}

#[tokio::test]
async fn a_language_has_at_most_35_characters() {
    let api = Api::shared().await;
    for (language, status) in [
        ("en-x-abcdefgh-abcdefgh-abcdefgh-abc", 201),
        ("en-x-abcdefgh-abcdefgh-abcdefgh-abcd", 400),
    ] {
        assert_eq!(language.len(), if status == 201 { 35 } else { 36 });
        let body = with(
            sample::session(&fresh("limit")),
            "language",
            json!(language),
        );
        let reply = api.create(&body).await.expect(status);
        if status == 400 {
            reply.problem(400).names(&["/language"]);
        }
    }
}

#[tokio::test]
async fn metadata_has_at_most_16_kib() {
    let api = Api::shared().await;
    let create = async |bytes: usize| {
        let body = with(
            sample::session(&fresh("limit")),
            "metadata",
            payload_of(bytes),
        );
        api.create(&body).await
    };
    create(16 * KIB).await.expect(201);
    create(16 * KIB + 1)
        .await
        .problem(400)
        .names(&["/metadata"]);
}

#[tokio::test]
async fn metadata_has_at_most_16_kib_also_after_a_patch() {
    let session = Api::shared().await.new_session().await;
    let first = "x".repeat(8000);
    let rest = 16 * KIB - json!({ "a": first, "b": "" }).to_string().len();
    session
        .patch(&json!({ "metadata": { "a": first } }))
        .await
        .expect(200);
    let before = session.current().await;

    let over = json!({ "metadata": { "b": "x".repeat(rest + 1) } });
    session
        .patch(&over)
        .await
        .problem(400)
        .names(&["/metadata"]);
    assert_eq!(session.current().await, before);
    let full = json!({ "metadata": { "b": "x".repeat(rest) } });
    let patched = session.patch(&full).await.expect(200);
    assert_eq!(patched.at("/session/metadata").to_string().len(), 16 * KIB);
}

#[tokio::test]
async fn a_payload_has_at_most_256_kib() {
    let session = Api::shared().await.new_session().await;
    let of = |id: &str, bytes| with(event(id), "payload", payload_of(bytes));
    session.append(&of("full", 256 * KIB)).await.expect(201);
    session
        .append(&of("over", 256 * KIB + 1))
        .await
        .problem(400)
        .names(&["/payload"]);
    let batch = session
        .append_batch(&[of("over", 256 * KIB + 1), of("last", 256 * KIB)])
        .await;
    assert_eq!(
        batch.at("/results/0/problem/errors/0/pointer"),
        "/events/0/payload"
    );
    assert_eq!(batch.at("/results/1/status"), 201);
}

#[tokio::test]
async fn sizes_are_those_of_compact_json() {
    let session = Api::shared().await.new_session().await;
    // 6 bytes for each é here, 2 in compact JSON; and as many blanks again.
    let escaped = r"\u00e9".repeat(100 * KIB);
    let payload = format!(
        r#"{{"text":   {blanks}"{escaped}"}}"#,
        blanks = " ".repeat(300 * KIB)
    );
    session
        .append_text(&event_text("e1", &payload))
        .await
        .expect(201);
    let escaped = r"\u00e9".repeat(128 * KIB);
    let payload = format!(r#"{{"text":"{escaped}"}}"#);
    session
        .append_text(&event_text("e2", &payload))
        .await
        .problem(400)
        .names(&["/payload"]);
}

#[tokio::test]
async fn payload_and_metadata_nest_64_levels_deep() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let lists = |levels: usize| {
        format!(
            r#"{{"a":{}{}}}"#,
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    };
    let create = |metadata: &str| {
        format!(
            r#"{{"sessionId":"{}","language":"en","metadata":{metadata}}}"#,
            fresh("limit")
        )
    };
    for shape in [nested, lists as fn(usize) -> String] {
        let id = fresh("e");
        session
            .append_text(&event_text(&id, &shape(64)))
            .await
            .expect(201);
        session.event(&id).await.expect(200);
        api.post_text("/v1/sessions", &create(&shape(64)))
            .await
            .expect(201);
        for too_deep in [65, 66, 128, 129, 1000] {
            let refused = session
                .append_text(&event_text("deep", &shape(too_deep)))
                .await
                .problem(400);
            assert!(
                refused.places[0].starts_with("/payload"),
                "{:?}",
                refused.places
            );
            let refused = api
                .post_text("/v1/sessions", &create(&shape(too_deep)))
                .await
                .problem(400);
            assert!(
                refused.places[0].starts_with("/metadata"),
                "{:?}",
                refused.places
            );
        }
    }
}

#[tokio::test]
async fn a_patch_nests_64_levels_deep() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let patch = |levels| session.patch_request(&format!(r#"{{"metadata":{}}}"#, nested(levels)));
    api.send(patch(64)).await.expect(200);
    let refused = api.send(patch(65)).await.problem(400);
    assert!(
        refused.places[0].starts_with("/metadata"),
        "{:?}",
        refused.places
    );
}

#[tokio::test]
async fn a_reason_has_at_most_1024_bytes_of_text() {
    let session = Api::shared().await.new_session().await;
    let over = json!({ "reason": format!("{}x", "é".repeat(512)) });
    session
        .fail_with(&over)
        .await
        .problem(400)
        .names(&["/reason"]);
    assert_eq!(session.current().await["status"], "initiated");
    // Quotes are two bytes in JSON, but text is counted.
    let full = json!({ "reason": "\"".repeat(1024) });
    let closed = session.fail_with(&full).await.expect(200);
    assert_eq!(closed.at("/session/endReason"), full["reason"]);
}

#[tokio::test]
async fn a_single_body_has_at_most_1_mib_and_a_batch_8_mib() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    // Filled up with blanks, which are in no limit but that of the body.
    let filled = |body: String, bytes: usize| format!("{body}{}", " ".repeat(bytes - body.len()));
    let single = |id: &str, bytes| filled(event(id).to_string(), bytes);
    let batch = |id: &str, bytes| filled(json!({ "events": [event(id)] }).to_string(), bytes);

    session.append_text(&single("full", MIB)).await.expect(201);
    session
        .append_text(&single("over", MIB + 1))
        .await
        .problem(413);
    let path = session.path("/events:batch");
    api.post_text(&path, &batch("b1", 8 * MIB))
        .await
        .expect(200);
    api.post_text(&path, &batch("b2", 8 * MIB + 1))
        .await
        .problem(413);
    api.post_text("/v1/events:batch", &batch("b3", 8 * MIB + 1))
        .await
        .problem(413);
    let create = |bytes| filled(sample::session(&fresh("limit")).to_string(), bytes);
    api.post_text("/v1/sessions", &create(MIB))
        .await
        .expect(201);
    api.post_text("/v1/sessions", &create(MIB + 1))
        .await
        .problem(413);
    api.send(session.patch_request(&filled("{}".to_owned(), MIB + 1)))
        .await
        .problem(413);
    api.post_text(
        &session.path("/complete"),
        &filled("{}".to_owned(), MIB + 1),
    )
    .await
    .problem(413);
    assert_eq!(session.log().await.len(), 2);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_measured_as_it_comes() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let chunked = |chunks: usize| {
        let body = event("chunked").to_string() + &" ".repeat(64 * KIB);
        let rest = std::iter::repeat_n(" ".repeat(64 * KIB), chunks);
        let stream = std::iter::once(body)
            .chain(rest)
            .map(Ok::<_, std::convert::Infallible>);
        api.request(Method::POST, &session.path("/events"))
            .header("content-type", "application/json")
            .body(reqwest::Body::wrap_stream(futures::stream::iter(stream)))
    };
    // A server that refuses on the way may close before all is sent: then there is no answer to read.
    if let Ok(reply) = api.try_send(chunked(200)).await {
        reply.problem(413);
    }
    api.send(chunked(2)).await.expect(201);
}

#[tokio::test]
async fn a_limit_of_a_page_is_1_to_500() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    for limit in ["1", "500"] {
        session.get(&[("limit", limit)]).await.expect(200);
        session.events(&[("limit", limit)]).await.expect(200);
        api.sessions(&[("limit", limit)]).await.expect(200);
    }
    for limit in ["0", "501", "-1", "", "ten", "1.0", "99999999999999999999"] {
        session
            .get(&[("limit", limit)])
            .await
            .problem(400)
            .names(&["?limit"]);
        session
            .events(&[("limit", limit)])
            .await
            .problem(400)
            .names(&["?limit"]);
        api.sessions(&[("limit", limit)])
            .await
            .problem(400)
            .names(&["?limit"]);
    }
}

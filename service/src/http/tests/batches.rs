//! Batches: items judged one by one, and what refuses the whole.

use super::*;

const PATH: &str = "/v1/sessions/a/events:batch";

fn statuses(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200);
    let results = answer.json()["results"].as_array().unwrap().clone();
    let status = |result: &Value| result["status"].as_u64().unwrap();
    results.iter().map(status).collect()
}

#[tokio::test]
async fn items_are_judged_one_by_one_in_order() {
    let server = Server::new();
    server.with_events("a", 1).await;
    let mut other = event("e1");
    other["type"] = json!("system");
    let mut out_of_turn = event("e9");
    out_of_turn["expectedSeq"] = json!(7);
    let body = format!(
        r#"{{"events":[{new},{stored},{other},7,{{"eventId":"e8","eventId":"e8","type":"x",
        "payload":{{"a":1e999}},"more":1}},{out_of_turn},{new}]}}"#,
        new = event("e2"),
        stored = event("e1"),
    );
    let answer = server.post(PATH, body).await;
    assert_eq!(statuses(&answer), [201, 200, 409, 400, 400, 409, 200]);
    let results = &answer.json()["results"];
    assert_eq!(results[0]["event"]["seq"], 2);
    assert_eq!(results[0].get("problem"), None);
    assert_eq!(results[1]["event"]["eventId"], "e1");
    assert_eq!(results[2].get("event"), None);
    assert_eq!(results[2]["problem"]["instance"], REQUEST_ID);
    assert_eq!(places(&results[3]["problem"]), ["/events/3"]);
    assert_eq!(
        places(&results[4]["problem"]),
        [
            "/events/4/eventId",
            "/events/4/more",
            "/events/4/type",
            "/events/4/payload/a"
        ]
    );
    assert_eq!(results[5]["problem"]["nextSeq"], 3);
}

#[tokio::test]
async fn a_batch_can_be_sent_again_as_a_whole() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let batch = json!({"events": [event("e1"), event("e2")]});
    let first = server.post(PATH, &batch).await;
    assert_eq!(statuses(&first), [201, 201]);
    let second = server.post(PATH, &batch).await;
    assert_eq!(statuses(&second), [200, 200]);
    assert_eq!(
        first.json()["results"][1]["event"],
        second.json()["results"][1]["event"]
    );
}

#[tokio::test]
async fn a_wrong_array_refuses_the_whole() {
    let server = Server::new();
    server.with_events("a", 0).await;
    let too_many = json!({"events": vec![0; 501]}).to_string();
    for path in [PATH, "/v1/events:batch"] {
        for body in [
            "{}",
            r#"{"events":[]}"#,
            r#"{"events":{}}"#,
            r#"{"events":null}"#,
            &too_many,
        ] {
            assert_eq!(server.post(path, body).await.places(), ["/events"]);
        }
        let unknown = server.post(path, r#"{"events":[1],"more":1}"#).await;
        assert_eq!(unknown.places(), ["/more"]);
        let many = json!({"events": vec![0; 500]});
        assert_eq!(statuses(&server.post(path, many).await), vec![400; 500]);
    }
}

#[tokio::test]
async fn a_missing_session_in_the_path_refuses_the_whole() {
    let server = Server::new();
    for events in [json!([event("e1")]), json!([1]), json!([1, event("e1")])] {
        let answer = server.post(PATH, json!({"events": events})).await;
        assert_eq!(answer.problem(), problem(404, "session-not-found"));
    }
    let stored = server.get("/v1/sessions").await;
    assert_eq!(stored.json()["sessions"], json!([]));
}

#[tokio::test]
async fn a_batch_across_sessions_refuses_items_of_missing_and_erased_ones() {
    let server = Server::new();
    for session_id in ["a", "b", "c", "d"] {
        server.with_events(session_id, 0).await;
    }
    server.delete("/v1/sessions/b").await;
    server.post("/v1/sessions/c/complete", "").await;
    let of = |session_id: &str, event_id: &str| {
        let mut event = event(event_id);
        event["sessionId"] = json!(session_id);
        event
    };
    let events = [
        of("a", "1"),
        of("none", "1"),
        of("b", "1"),
        of("c", "1"),
        of("d", "1"),
        of("a", "2"),
        event("3"),
    ];
    let answer = server
        .post("/v1/events:batch", json!({"events": events}))
        .await;
    assert_eq!(statuses(&answer), [201, 404, 410, 409, 201, 201, 400]);
    let results = &answer.json()["results"];
    assert_eq!(results[5]["event"]["seq"], 2);
    assert_eq!(places(&results[6]["problem"]), ["/events/6/sessionId"]);
}

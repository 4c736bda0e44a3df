//! Requests that no client library sends: bad encodings, cut-off and contradictory bodies, nesting
//! bombs. None gives a 500, stores anything or takes the service down.

use sessionstore_e2e::{
    client::{Api, Reply},
    raw::{self, Connection, head},
    sample::{self, event, event_text, fresh},
    session::Session,
};

/// Sends this head and body as they are.
async fn send(api: &Api, line: &str, headers: &[&str], body: &[u8]) -> Option<Reply> {
    let mut request = head(line, headers);
    request.extend_from_slice(body);
    raw::exchange(api.target(), &request).await
}

/// Posts bytes as a JSON body of their own length.
async fn post(api: &Api, path: &str, body: &[u8]) -> Reply {
    let length = format!("Content-Length: {}", body.len());
    let headers = ["Content-Type: application/json", &*length];
    send(api, &format!("POST {path} HTTP/1.1"), &headers, body)
        .await
        .expect("an answer")
}

/// Asserts that the service still stores, and stored nothing so far, in a session of its own.
async fn assert_unharmed(session: &Session) {
    assert_eq!(session.log().await.len(), 0);
    session.append(&event("afterwards")).await.expect(201);
}

#[tokio::test]
async fn bad_percent_encoding_in_a_path_is_400() {
    let api = Api::shared().await;
    for id in [
        "%",
        "%z",
        "%zz",
        "a%2",
        "%FF",
        "%C3%28",
        "%ED%A0%80",
        "%C0%80",
        "%F5%80%80%80",
    ] {
        for (line, parameter) in [
            (format!("GET /v1/sessions/{id} HTTP/1.1"), "?sessionId"),
            (
                format!("GET /v1/sessions/{id}/events HTTP/1.1"),
                "?sessionId",
            ),
            (
                format!("GET /v1/sessions/a/events/{id} HTTP/1.1"),
                "?eventId",
            ),
            (format!("DELETE /v1/sessions/{id} HTTP/1.1"), "?sessionId"),
        ] {
            let reply = send(&api, &line, &[], b"").await.expect("an answer");
            assert_eq!(reply.problem(400).places, [parameter], "{line}");
        }
    }
}

#[tokio::test]
async fn an_encoded_id_that_cannot_be_one_is_400() {
    let api = Api::shared().await;
    for id in [
        "%00",
        "a%00b",
        "%0A",
        "%7F",
        "%C2%85",
        "%20",
        "%20a",
        "a%20",
        "%2E",
        "%2e%2e",
        ".%2E",
        "%E3%80%80a",
    ] {
        let line = format!("GET /v1/sessions/{id} HTTP/1.1");
        let reply = send(&api, &line, &[], b"").await.expect("an answer");
        assert_eq!(reply.problem(400).places, ["?sessionId"], "{line}");
    }
}

#[tokio::test]
async fn dots_in_a_path_reach_nothing_else() {
    let api = Api::shared().await;
    for path in [
        "/v1/sessions/.",
        "/v1/sessions/..",
        "/v1/sessions/../../metrics",
        "/v1/./sessions",
    ] {
        let reply = send(&api, &format!("GET {path} HTTP/1.1"), &[], b"")
            .await
            .expect("an answer");
        assert!(
            [400, 404].contains(&reply.status),
            "{path}: {}",
            reply.status
        );
        reply.problem(reply.status);
    }
}

#[tokio::test]
async fn bad_encoding_in_a_query_is_400() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    for query in [
        "limit=%",
        "limit=%zz",
        "cursor=%FF",
        "since=%C3%28",
        "type=%",
        "%FF=1",
        "order=%ED%A0%80",
    ] {
        let line = format!("GET {}?{query} HTTP/1.1", session.path("/events"));
        send(&api, &line, &[], b"")
            .await
            .expect("an answer")
            .problem(400);
    }
}

#[tokio::test]
async fn queries_of_every_odd_form_are_answered() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    for query in [
        "",
        "&",
        "&&limit=1",
        "limit=1&limit=2",
        "limit",
        "=",
        "=1",
        "limit=1&",
        "limit=+1",
        "a=b=c",
        "?limit=1",
        "limit=1;order=seq",
    ] {
        let line = format!("GET {}?{query} HTTP/1.1", session.path("/events"));
        let reply = send(&api, &line, &[], b"").await.expect("an answer");
        assert!(
            [200, 400].contains(&reply.status),
            "{query}: {}",
            reply.status
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_utf_8_is_400() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    for bytes in [
        &b"\xff"[..],
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        for (before, after) in [
            (
                r#"{"eventId":"e","type":"system","payload":{"a":""#,
                r#""}}"#,
            ),
            (r#"{"eventId":"e","type":"system","payload":{""#, r#"":1}}"#),
            (r#"{"eventId":""#, r#"","type":"system","payload":{}}"#),
            ("", ""),
        ] {
            let body = [before.as_bytes(), bytes, after.as_bytes()].concat();
            post(&api, &session.path("/events"), &body)
                .await
                .problem(400);
            let batch = [b"{\"events\":[", &*body, b"]}"].concat();
            post(&api, "/v1/events:batch", &batch).await.problem(400);
        }
    }
    assert_unharmed(&session).await;
}

#[tokio::test]
async fn a_byte_order_mark_or_another_encoding_is_400() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let text = event("e").to_string();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [["\u{feff}", &text].concat().into_bytes(), utf_16] {
        post(&api, &session.path("/events"), &body)
            .await
            .problem(400);
    }
    assert_unharmed(&session).await;
}

#[tokio::test]
async fn a_nesting_bomb_is_400() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let size = 1024 * 1024;
    let bombs = [
        "[".repeat(size),
        r#"{"a":"#.repeat(size / 5),
        format!("{}{}", "[".repeat(size / 2), "]".repeat(size / 2)),
        event_text("e", &"[".repeat(size - 100)),
        event_text("e", &sample::nested(100_000)),
        format!(
            r#"{{"x":{}{},"eventId":"e"}}"#,
            "[".repeat(1000),
            "]".repeat(1000)
        ),
    ];
    for bomb in bombs {
        for path in [
            "/v1/sessions".to_owned(),
            session.path("/events"),
            session.path("/complete"),
        ] {
            api.post_text(&path, &bomb).await.problem(400);
        }
        api.send(session.patch_request(&bomb)).await.problem(400);
        // JSON that is only too deep is the fault of its item.
        let batch = format!(r#"{{"events":[{bomb}]}}"#);
        for path in ["/v1/events:batch".to_owned(), session.path("/events:batch")] {
            let reply = api.post_text(&path, &batch).await;
            assert!([200, 400].contains(&reply.status), "{}", reply.status);
            if reply.status == 200 {
                assert_eq!(reply.at("/results/0/status"), 400);
            }
        }
    }
    assert_unharmed(&session).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_stores_nothing() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let body = event("e").to_string();
    let line = format!("POST {} HTTP/1.1", session.path("/events"));
    for sent in [0, 1, body.len() / 2, body.len()] {
        let length = format!("Content-Length: {}", body.len() + 1);
        let mut connection = Connection::open(api.target()).await;
        connection
            .write(&head(&line, &["Content-Type: application/json", &length]))
            .await;
        connection.write(&body.as_bytes()[..sent]).await;
        connection.stop_writing().await;
        // Whether the answer can still be sent is up to the server's HTTP; if it is, it is this one.
        if let Some(reply) = connection.answer().await {
            reply.problem(400);
        }
    }
    let mut connection = Connection::open(api.target()).await;
    let headers = [
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ];
    connection.write(&head(&line, &headers)).await;
    connection
        .write(format!("{:x}\r\n{body}\r\n", body.len()).as_bytes())
        .await;
    connection.stop_writing().await;
    if let Some(reply) = connection.answer().await {
        reply.problem(400);
    }
    assert_unharmed(&session).await;
}

#[tokio::test]
async fn a_message_that_contradicts_itself_is_refused() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let line = format!("POST {} HTTP/1.1", session.path("/events"));
    let body = event("e").to_string();
    let length = format!("Content-Length: {}", body.len());
    let json = "Content-Type: application/json";
    let cases: [&[&str]; 7] = [
        &[json, "Content-Length: abc"],
        &[json, "Content-Length: -1"],
        &[json, "Content-Length: 99999999999999999999999"],
        &[json, &length, "Content-Length: 3"],
        &[json, "Transfer-Encoding: gibberish"],
        &[json, "Bad Header: 1", &length],
        &[json, ": no name", &length],
    ];
    for headers in cases {
        if let Some(reply) = send(&api, &line, headers, body.as_bytes()).await {
            assert!(
                (400..500).contains(&reply.status),
                "{headers:?}: {}",
                reply.status
            );
        }
    }
    for request in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET /v1/sessions HTTP/1.1 extra\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
    ] {
        let mut connection = Connection::open(api.target()).await;
        connection.write(request.as_bytes()).await;
        connection.stop_writing().await;
        if let Some(reply) = connection.answer().await {
            assert!(
                (400..=505).contains(&reply.status) && reply.status != 500,
                "{}",
                reply.status
            );
        }
    }
    assert_unharmed(&session).await;
}

#[tokio::test]
async fn too_many_or_too_large_headers_do_no_harm() {
    let api = Api::shared().await;
    let many: Vec<String> = (0..5000).map(|n| format!("X-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let large = format!("X-Large: {}", "x".repeat(2 * 1024 * 1024));
    for headers in [&*many, &[&*large]] {
        if let Some(reply) = send(&api, "GET /v1/sessions HTTP/1.1", headers, b"").await {
            assert!(reply.status < 500, "{}", reply.status);
        }
    }
    let long = format!("GET /v1/sessions/{} HTTP/1.1", "x".repeat(2 * 1024 * 1024));
    if let Some(reply) = send(&api, &long, &[], b"").await {
        assert!(reply.status < 500, "{}", reply.status);
    }
    assert_unharmed(&api.new_session().await).await;
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_one_by_one() {
    let api = Api::shared().await;
    let session = api.new_session().await;
    let mut requests = Vec::new();
    for n in 0..10 {
        let body = event(&format!("e{n}")).to_string();
        let close = if n == 9 { "Connection: close\r\n" } else { "" };
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{close}Content-Length: {}\r\n\r\n{body}",
            session.path("/events"),
            body.len(),
        );
        requests.extend_from_slice(request.as_bytes());
    }
    let answers = raw::exchange(api.target(), &requests)
        .await
        .expect("answers");
    assert_eq!(answers.status, 201);
    assert_eq!(answers.text.matches("HTTP/1.1 201").count(), 9);
    let log = session.log().await;
    assert!(
        (0..10).all(|n| log[n]["eventId"] == format!("e{n}")),
        "{log:?}"
    );
}

#[tokio::test]
async fn a_request_by_http_1_0_is_answered() {
    let api = Api::shared().await;
    let session = api.session(fresh("old"));
    session.create().await.expect(201);
    let line = format!("GET {} HTTP/1.0", session.path(""));
    assert_eq!(
        send(&api, &line, &[], b"").await.expect("an answer").status,
        200
    );
}
